import { randomInt } from "node:crypto";
import { availableParallelism } from "node:os";
import type { Scenario } from "../../sim/scenario.ts";
import type { Simulator } from "../../sim/simulate.ts";
import { runInMacrotask } from "../../host/settle.ts";
import { batchReport, cleanSeed, failedSeed, replayCommand } from "../batch/report.ts";
import { type BatchPlan, runBatch } from "../batch/run-batch.ts";
import { pickScenario } from "../batch/pick-scenario.ts";
import { type SeedVerdict, runSeed } from "../batch/run-seed.ts";
import type { BatchVerdict } from "../batch/tally.ts";
import type { Command, Context } from "../command.ts";
import { type ExitCode, UsageError, exitCode } from "../exit-code.ts";
import { type OptionTable, type Options, didYouMean, parseOptions } from "../options.ts";

const usage = `usage: nokv sim [--seed N | --seeds N [--from M]] [--scenario NAME] [options]

Runs the database in a seeded, single-threaded world that crashes, corrupts and partitions it, and judges what
it does. The same seed replays the same run. Without --seed and --seeds, one seed is drawn.

  --seed N             run this seed
  --seeds N            run a batch of N seeds
  --from M             the first seed of the batch (default 1)
  --scenario NAME      run this scenario; without it, each seed picks one
  --list               name the scenarios and what each one promises
  --time DURATION      end the batch after this long, e.g. 60s; without --seeds, only then
  --jobs N             child processes of a batch (default: one per core)
  --twice-every N      run every Nth seed twice and compare (default 10; 0: none)
  --failures-max N     end the batch after so many failing seeds (default 10)
  --seed-time DURATION a seed of a batch that takes longer in real time has failed (default 120s)
  --until N            end a single seed after N events
  --trace              print what happens in a single seed; with --json, to stderr
  --calls A-B          with --trace, also the environment calls number A to B and their results
  --json               print one JSON object: the seed, or the summary of the batch

Exit codes: 0 clean, 1 a violation, a fault that 1,000 seeds and more never injected, or what a scenario is for and
50 seeds and more of it never reached, 2 usage, 3 the same seed ran differently twice, 130 interrupted.

  nokv sim --seed 42
  nokv sim --seeds 2000 --time 5m --json
`;

const options: OptionTable = {
  seed: "value",
  seeds: "value",
  from: "value",
  scenario: "value",
  list: "flag",
  time: "value",
  jobs: "value",
  "twice-every": "value",
  "failures-max": "value",
  "seed-time": "value",
  until: "value",
  trace: "flag",
  calls: "value",
  json: "flag",
};

const seedMax = Number.MAX_SAFE_INTEGER;
const seedsMax = 1_000_000_000;
const jobsMax = 256;
const twiceEveryDefault = 10;
const failuresMaxDefault = 10;
const seedWallMsMaxDefault = 120_000;
/** A process costs a fifth of a second to start: fewer seeds than this are not worth another one. */
const seedsPerJobMin = 20;
const drawnSeedsMax = 1_000_000_000;

/** What the command runs; tests give it scenarios that fail in known ways. */
export interface SimParts {
  readonly scenarios: readonly Scenario[];
  readonly simulator: Simulator;
  /** The module of a batch's child processes. It knows the same scenarios. */
  readonly worker: URL;
}

export function simCommand(parts: SimParts): Command {
  return {
    usage,
    run: (argv, context) => sim(parts, parseOptions(argv, options), context),
  };
}

async function sim(parts: SimParts, given: Options, context: Context): Promise<ExitCode> {
  const scenario = chosenScenario(given, parts.scenarios);
  if (given.has("list")) return list(parts.scenarios, given.has("json"), context);
  const isBatch = given.has("seeds") || given.has("time");
  refuseTogether(given, isBatch);
  return isBatch ? batch(parts, scenario, given, context) : single(parts, scenario, given, context);
}

function chosenScenario(given: Options, scenarios: readonly Scenario[]): Scenario | null {
  const name = given.text("scenario");
  if (name === null) return null;
  const scenario = scenarios.find((candidate) => candidate.name === name);
  if (scenario !== undefined) return scenario;
  const names = scenarios.map((candidate) => candidate.name);
  throw new UsageError(
    `--scenario: no scenario "${name}"`,
    didYouMean(name, names) || `nokv sim --list names them: ${names.join(", ")}`,
  );
}

function refuseTogether(given: Options, isBatch: boolean): void {
  const onlyBatch = ["seeds", "from", "time", "jobs", "failures-max", "seed-time"];
  const onlySingle = ["seed", "until", "trace", "calls"];
  const wrong = (isBatch ? onlySingle : onlyBatch).find((name) => given.has(name));
  if (wrong === undefined) return;
  throw isBatch
    ? new UsageError(`--${wrong} is for a single seed`, "leave out --seeds and --time")
    : new UsageError(`--${wrong} is for a batch`, "add --seeds N or --time DURATION");
}

function list(scenarios: readonly Scenario[], json: boolean, { terminal }: Context): ExitCode {
  const rows = scenarios.map(({ name, why, weight }) => ({ name, weight, why }));
  const lines = rows.map(({ name, weight, why }) => `${name.padEnd(28)} weight ${weight}  ${why}\n`);
  terminal.out(json ? `${JSON.stringify({ scenarios: rows })}\n` : lines.join(""));
  return exitCode.ok;
}

async function single(
  parts: SimParts,
  chosen: Scenario | null,
  given: Options,
  context: Context,
): Promise<ExitCode> {
  const { terminal } = context;
  const build = context.build();
  const json = given.has("json");
  const seed = given.integer("seed", 0, seedMax) ?? randomInt(drawnSeedsMax);
  const scenario = chosen ?? pickScenario(seed, parts.scenarios);
  const twice = (given.integer("twice-every", 0, seedsMax) ?? twiceEveryDefault) > 0;
  const until = given.integer("until", 1, seedMax);
  const traceCalls = callRange(given);
  const trace = (line: string): void => (json ? terminal.err(`${line}\n`) : terminal.out(`${line}\n`));
  // First the line, then the work: a run that hangs or is killed has named its seed.
  if (!given.has("seed")) terminal.err(`drawn: ${replayCommand({ seed, scenario: scenario.name })}\n`);
  const runOptions = {
    ...(given.has("trace") ? { trace } : {}),
    ...(traceCalls === null ? {} : { traceCalls }),
    ...(until === null ? {} : { until }),
  };
  const order = { scenario, seed, twice, options: runOptions };
  const report = await runInMacrotask(() => runSeed(parts.simulator, order, () => performance.now()));
  const extra = { node: build.node, commit: build.commit, replay: replayCommand(report) };
  if (json) terminal.out(`${JSON.stringify({ ...report, ...extra })}\n`);
  else if (report.verdict === "clean") terminal.out(cleanSeed(report));
  else terminal.out(failedSeed(report, build, terminal.colors));
  return exitCodeOfVerdict(report.verdict);
}

function callRange(given: Options): { from: number; to: number } | null {
  const text = given.text("calls");
  if (text === null) return null;
  if (!given.has("trace")) throw new UsageError("--calls needs --trace");
  const [, from, to] = /^([0-9]{1,12})-([0-9]{1,12})$/.exec(text) ?? [];
  const range = { from: Number(from), to: Number(to) };
  if (range.from <= range.to) return range;
  throw new UsageError(`--calls: "${text}" is not a range`, "such as 1200-1300");
}

async function batch(
  parts: SimParts,
  scenario: Scenario | null,
  given: Options,
  context: Context,
): Promise<ExitCode> {
  const { terminal } = context;
  const build = context.build();
  const plan = batchPlan(parts, scenario, given);
  const { summary, interrupted, gaveUp } = await runBatch(plan, context);
  const [first] = summary.violations;
  const replay = first === undefined ? {} : { replay: replayCommand(first) };
  const extra = { interrupted, gaveUp, node: build.node, commit: build.commit, ...replay };
  if (given.has("json")) terminal.out(`${JSON.stringify({ ...summary, ...extra })}\n`);
  else {
    if (gaveUp) terminal.out(`stopped early: ${plan.failuresMax} seeds or more failed (--failures-max)\n`);
    terminal.out(batchReport(summary, build, terminal.colors));
  }
  const code = exitCodeOfVerdict(summary.verdict);
  return code === exitCode.ok && interrupted ? exitCode.interrupted : code;
}

function batchPlan(parts: SimParts, scenario: Scenario | null, given: Options): BatchPlan {
  const seeds = given.integer("seeds", 1, seedsMax);
  const usefulJobs = seeds === null ? jobsMax : Math.ceil(seeds / seedsPerJobMin);
  return {
    worker: parts.worker,
    scenario: scenario?.name ?? null,
    from: given.integer("from", 0, seedMax - seedsMax) ?? 1,
    seeds,
    limitMs: given.durationMs("time"),
    jobs: given.integer("jobs", 1, jobsMax) ?? Math.min(availableParallelism(), usefulJobs),
    twiceEvery: given.integer("twice-every", 0, seedsMax) ?? twiceEveryDefault,
    failuresMax: given.integer("failures-max", 1, seedsMax) ?? failuresMaxDefault,
    seedWallMsMax: given.durationMs("seed-time") ?? seedWallMsMaxDefault,
  };
}

function exitCodeOfVerdict(verdict: SeedVerdict | BatchVerdict): ExitCode {
  switch (verdict) {
    case "clean":
      return exitCode.ok;
    case "violation":
    case "fault-missing":
    case "unreached":
      return exitCode.violation;
    case "nondeterminism":
      return exitCode.nondeterminism;
  }
}
