// Goal: a planted bug is reported as found, missed or stale for what it is; the real tree is never touched.
// Method: the command over a toy repository whose `cli/main.ts` plays the simulator.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import type { Mutant } from "../../sim/mutants/mutant.ts";
import { run } from "../run.ts";
import { entry, testContext } from "../test-context.test-support.ts";
import { mutantsCommand } from "./mutants.ts";

const root = mkdtempSync(join(tmpdir(), "nokv-toy-"));
const product = 'export const answer: number = 42;\nexport const mode = "sound";\n';
const player = `
import { argv } from "node:process";
import { answer, mode } from "../core/product.ts";
if (mode === "unbootable") throw new Error("does not start");
const seeds = Number(argv[argv.indexOf("--seeds") + 1]);
const from = Number(argv[argv.indexOf("--from") + 1]);
const scenario = argv.includes("--scenario") ? argv[argv.indexOf("--scenario") + 1] : "picked";
const oracle = mode === "dies" ? "process" : "sums-add-up";
const found = { seed: from + 4, oracle, scenario, message: "answer is " + answer };
const isFlaw = scenario === "flawed" && from <= 12 && 12 < from + seeds;
const flaw = { seed: 12, oracle: "rust", scenario, message: "whatever was planted" };
const violations = isFlaw ? [flaw] : answer === 42 ? [] : [found];
console.log(JSON.stringify({ seeds: violations.length === 0 ? seeds : 5, violations, cpuMs: 2500 }));
`;
mkdirSync(join(root, "core"));
mkdirSync(join(root, "cli"));
mkdirSync(join(root, "node_modules"));
const temporary = mkdtempSync(join(tmpdir(), "nokv-copies-"));
vi.stubEnv("TMPDIR", temporary);
writeFileSync(join(root, "package.json"), '{ "name": "nokv", "type": "module" }\n');
writeFileSync(join(root, "core/product.ts"), product);
writeFileSync(join(root, "cli/main.ts"), player);

afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true });
  rmSync(temporary, { recursive: true });
});

function mutant(name: string, find: string, replace: string, rest: Partial<Mutant> = {}): Mutant {
  const rule = { oracles: ["sums-add-up"], scenario: null, why: "sums are wrong" };
  return { name, file: "core/product.ts", find, replace, ...rule, ...rest };
}

const found = mutant("found", "= 42", "= 41");
const missed = mutant("missed", '"sound"', '"other"');

async function mutants(
  list: readonly Mutant[],
  ...argv: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  const context = testContext(root);
  const commands = [entry("mutants", mutantsCommand(list))];
  const code = await run(["mutants", "--seeds", "100", "--from", "10", ...argv], commands, context);
  return { code, stdout: context.terminal.stdout, stderr: context.terminal.stderr };
}

test("a bug that is found has its oracle, its seeds and its cost", async () => {
  const { code, stdout } = await mutants([found], "--json");
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    mutants: 1,
    killed: 1,
    cpuSeconds: 2.5,
    results: [
      {
        name: "found",
        verdict: "killed",
        oracle: "sums-add-up",
        expected: true,
        scenario: "picked",
        seeds: 5,
        firstSeed: 14,
        cpuSeconds: 2.5,
        message: "answer is 41",
      },
    ],
  });
  expect(readFileSync(join(root, "core/product.ts"), "utf8")).toBe(product);
  expect(readdirSync(temporary)).toEqual([]);
});

test("a seed that fails without the bug does not count", async () => {
  const scenario = "flawed";
  const { stdout } = await mutants([mutant("behind", "= 42", "= 41", { scenario })], "--json");
  expect(JSON.parse(stdout)).toMatchObject({
    results: [{ verdict: "killed", oracle: "sums-add-up", firstSeed: 17, seeds: 8 }],
  });
  const { code, stderr } = await mutants([mutant("nowhere", '"sound"', '"other"', { scenario })]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/nowhere +survived, \d+ seeds, 5\.0 CPU s: not found/);
});

test("a bug may take two changes", async () => {
  const also = { file: "core/product.ts", find: "= 42", replace: "= 40" };
  const { stdout } = await mutants([mutant("double", '"sound"', '"other"', { also })], "--json");
  expect(JSON.parse(stdout)).toMatchObject({ results: [{ verdict: "killed", message: "answer is 40" }] });
  const stale = { ...also, find: "no such text" };
  const { code, stderr } = await mutants([mutant("half", '"sound"', '"other"', { also: stale })]);
  expect(code).toBe(1);
  expect(stderr).toContain("nokv: mutant half: its text occurs 0 times in core/product.ts, must be 1");
});

test("a bug that survives fails the run and is named", async () => {
  const { code, stdout, stderr } = await mutants([found, missed], "--jobs", "2");
  expect(code).toBe(1);
  expect(stdout).toContain("1 of 2 planted bugs found");
  expect(stdout).toContain("not found: missed");
  expect(stderr).toMatch(/found +killed by sums-add-up, 5 seeds, 2\.5 CPU s\n/);
  expect(stderr).toMatch(/missed +survived, 100 seeds, 2\.5 CPU s: not found in 100 seeds\n/);
});

test("an unexpected oracle is told, a scenario is passed on", async () => {
  const odd = mutant("odd", "= 42", "= 1", { oracles: ["other"], scenario: "bank" });
  const { code, stdout, stderr } = await mutants([odd], "--json");
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ results: [{ expected: false, scenario: "bank" }] });
  expect(stderr).toContain("killed by sums-add-up (not the oracle it names)");
});

test.each([
  mutant("unbootable", '"sound"', '"unbootable"'),
  mutant("dies", '42;\nexport const mode = "sound"', '1;\nexport const mode = "dies"'),
])("a tree that does not run ($name) is not a find", async (broken) => {
  const { code, stdout } = await mutants([broken], "--json");
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ killed: 0, results: [{ verdict: "broken" }] });
});

test("a patch that does not apply exactly once fails the run", async () => {
  for (const [find, count] of [
    ["no such text", 0],
    ["export", 2],
  ] as const) {
    const { code, stderr } = await mutants([mutant("stale", find, "x")]);
    expect(code).toBe(1);
    expect(stderr).toContain(
      `nokv: mutant stale: its text occurs ${count} times in core/product.ts, must be 1 (the code moved on`,
    );
  }
});

test("the table for the documents", async () => {
  const { stdout } = await mutants([found, missed], "--markdown");
  expect(stdout.split("\n").slice(2)).toEqual([
    "| found | core/product.ts | sums are wrong | sums-add-up | 5 | 2.5 |",
    "| missed | core/product.ts | sums are wrong | **survived** | 100 | 2.5 |",
    "",
  ]);
});

test("--only and --list", async () => {
  expect((await mutants([found, missed], "--list")).stdout).toContain("missed");
  const { code, stdout } = await mutants([found, missed], "--only", "found", "--json");
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ mutants: 1 });
  const wrong = await mutants([found, missed], "--only", "fuond");
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain('--only: no mutant "fuond" (did you mean found?)');
  expect(existsSync(join(root, "core/product.ts"))).toBe(true);
});
