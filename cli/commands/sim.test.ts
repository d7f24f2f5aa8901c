// Goal: `nokv sim` keeps its promises to people, scripts and other tools: exit codes, JSON names, last line.
// Method: the command over fake scenarios that fail in known ways; batches fork a worker that knows the same.
import { expect, test } from "vitest";
import {
  badSeed,
  broken,
  deadly,
  endless,
  fakeSimulator,
  flaky,
  steady,
} from "../batch/fake-simulator.test-support.ts";
import type { SeedReport } from "../batch/run-seed.ts";
import type { BatchSummary } from "../batch/tally.ts";
import { run } from "../run.ts";
import { type TestContext, entry, testContext } from "../test-context.test-support.ts";
import { simCommand } from "./sim.ts";

const command = simCommand({
  scenarios: [steady, broken, flaky, deadly, endless],
  simulator: fakeSimulator,
  worker: new URL("../batch/fake-worker.test-support.ts", import.meta.url),
});

async function sim(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const context = testContext();
  const code = await run(["sim", ...argv], [entry("sim", command)], context);
  return { code, stdout: context.terminal.stdout, stderr: context.terminal.stderr };
}

function lastLine(text: string): string | undefined {
  return text.trimEnd().split("\n").at(-1);
}

test("a clean seed exits 0 and shows its hash", async () => {
  const { code, stdout, stderr } = await sim("--seed", "42", "--scenario", "steady");
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toContain("clean  trace 000000000000002a (the same when run twice)");
});

test("a violation exits 1, and its last line replays it", async () => {
  const { code, stdout } = await sim("--seed", `${badSeed}`, "--scenario", "broken");
  expect(code).toBe(1);
  expect(stdout).toContain("VIOLATION of acked-is-durable");
  expect(lastLine(stdout)).toBe("npx -y pnpm@12 sim --seed 7 --scenario broken");
});

test("nondeterminism exits 3 and names the first difference", async () => {
  const { code, stdout } = await sim("--seed", "42", "--scenario", "flaky");
  expect(code).toBe(3);
  expect(stdout).toContain("NOT DETERMINISTIC");
  expect(stdout).toContain("first difference");
  expect((await sim("--seed", "42", "--scenario", "flaky", "--twice-every", "0")).code).toBe(0);
});

test("--json is one object with the names that tools rely on", async () => {
  const { code, stdout } = await sim("--seed", `${badSeed}`, "--scenario", "broken", "--json");
  expect(code).toBe(1);
  expect(stdout.trimEnd()).not.toContain("\n");
  const report = JSON.parse(stdout) as SeedReport & Record<string, unknown>;
  expect(report).toMatchObject({
    seed: badSeed,
    scenario: "broken",
    verdict: "violation",
    traceHash: "0000000000000007",
    events: 10,
    simulatedMs: 1_500,
    faults: { "disk.torn-write": 2, "net.reset": 1 },
    oracle: "acked-is-durable",
    node: "v24.21.0",
    commit: "abc123",
    replay: "npx -y pnpm@12 sim --seed 7 --scenario broken",
  });
  expect(report.wallMs).toBeGreaterThanOrEqual(0);
});

test("without a seed one is drawn, and named before the run", async () => {
  const { code, stderr, stdout } = await sim("--scenario", "steady", "--json");
  expect(code).toBe(0);
  const { seed } = JSON.parse(stdout) as SeedReport;
  expect(stderr).toBe(`drawn: npx -y pnpm@12 sim --seed ${seed} --scenario steady\n`);
});

test("a trace goes to stdout, or out of the way of JSON", async () => {
  const argv = ["--seed", "1", "--scenario", "steady", "--trace", "--calls", "3-4"];
  expect((await sim(...argv)).stdout).toMatch(/^call 3\ncall 4\nseed 1/);
  const { stdout, stderr } = await sim(...argv, "--json");
  expect(stderr).toBe("call 3\ncall 4\n");
  expect(JSON.parse(stdout)).toMatchObject({ seed: 1 });
});

test("--list names the scenarios and their promises", async () => {
  const { code, stdout } = await sim("--list");
  expect(code).toBe(0);
  expect(stdout.trimEnd().split("\n")).toHaveLength(5);
  expect(stdout).toMatch(/^steady +weight 3 {2}a fake that stands for steady in tests\n/);
  const { scenarios } = JSON.parse((await sim("--list", "--json")).stdout) as { scenarios: unknown[] };
  expect(scenarios).toHaveLength(5);
});

test("a batch of clean seeds exits 0 with a summary, and reports progress on stderr", async () => {
  const argv = ["--seeds", "20", "--from", "100", "--scenario", "steady", "--json"];
  const { code, stdout, stderr } = await sim(...argv);
  expect(code).toBe(0);
  const summary = JSON.parse(stdout) as BatchSummary;
  expect(summary).toMatchObject({
    seeds: 20,
    from: 100,
    verdict: "clean",
    violations: [],
    faults: { "disk.torn-write": 40, "net.reset": 10 },
    perScenario: { steady: { seeds: 20 } },
    twice: 2,
    interrupted: false,
  });
  expect(summary.never).toContain("disk.bit-rot");
  const seeds = Array.from({ length: 20 }, (_, index) => 100 + index);
  expect(summary.results?.map(({ seed }) => seed)).toEqual(seeds);
  expect(stderr).toMatch(/sim 20\/20 seeds .*faults injected {2}no violation/);
});

test("a batch with violations exits 1 and ends with the first one's replay", async () => {
  const { code, stdout } = await sim("--seeds", "15", "--scenario", "broken", "--jobs", "2");
  expect(code).toBe(1);
  expect(stdout).toContain("seed 14 broken: acked-is-durable");
  expect(lastLine(stdout)).toBe("npx -y pnpm@12 sim --seed 7 --scenario broken");
});

test("--failures-max ends a batch early", async () => {
  const { stdout } = await sim("--seeds", "2000", "--scenario", "broken", "--failures-max", "1", "--json");
  expect((JSON.parse(stdout) as BatchSummary).seeds).toBeLessThan(100);
});

test("a batch of 1,000 mixed seeds that never injected a fault exits 1 with the list", async () => {
  const onlySteady = simCommand({
    scenarios: [steady],
    simulator: fakeSimulator,
    worker: new URL("../batch/fake-steady-worker.test-support.ts", import.meta.url),
  });
  const context = testContext();
  expect(await run(["sim", "--seeds", "1000"], [entry("sim", onlySteady)], context)).toBe(1);
  expect(context.terminal.stdout).toMatch(/never injected, in 1,000 seeds or more: disk\.lost-write, /);
});

test("a batch without --seeds ends with its time", async () => {
  const { code, stdout } = await sim("--time", "300ms", "--scenario", "steady", "--json", "--jobs", "1");
  expect(code).toBe(0);
  expect((JSON.parse(stdout) as BatchSummary).seeds).toBeGreaterThan(0);
});

test("an interrupted batch sums up what it has and exits 130", async () => {
  const context: TestContext = testContext();
  const argv = ["sim", "--time", "1h", "--scenario", "steady", "--jobs", "1", "--json"];
  const running = run(argv, [entry("sim", command)], context);
  await context.interrupt();
  expect(await running).toBe(130);
  expect(JSON.parse(context.terminal.stdout)).toMatchObject({ verdict: "clean", interrupted: true });
});

test.each([
  [["--seed", "-1"], '--seed: "-1" must be an integer between 0 and 9007199254740991 inclusive'],
  [["--seed", "1.5"], '--seed: "1.5" must be'],
  [["--seeds", "0"], '--seeds: "0" must be'],
  [["--scenario", "stedy"], '--scenario: no scenario "stedy" (did you mean steady?)'],
  [["--scenario", "zebra"], "(nokv sim --list names them: steady, broken, flaky, deadly, endless)"],
  [["--seed", "1", "--jobs", "2"], "--jobs is for a batch (add --seeds N or --time DURATION)"],
  [["--seeds", "2", "--seed", "1"], "--seed is for a single seed (leave out --seeds and --time)"],
  [["--seeds", "2", "--trace"], "--trace is for a single seed"],
  [["--from", "2"], "--from is for a batch"],
  [["--seed", "1", "--calls", "1-2"], "--calls needs --trace"],
  [["--seed", "1", "--trace", "--calls", "9-2"], '--calls: "9-2" is not a range (such as 1200-1300)'],
  [["--sed", "1"], "unknown option --sed (did you mean --seed?)"],
  [["42"], 'unexpected argument "42"'],
])("%j is a usage error", async (argv, line) => {
  const { code, stderr, stdout } = await sim(...argv);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toContain(line);
});
