import { checkOptions } from "../core/engine/arguments.ts";
import { NokvError } from "../core/errors.ts";
import { runAgain } from "../sim/divergence.ts";
import { bendTo, checkFaultPlan, type FaultPlan } from "../sim/program/fault-plan.ts";
import { Process } from "../sim/program/process.ts";
import { SimWorld } from "../sim/program/program-world.ts";
import { remedyFor } from "../sim/program/remedies.ts";
import type { Scenario } from "../sim/scenario.ts";
import {
  type SimHost,
  type SimResult,
  simulate as simulateScenario,
  type SimulateOptions,
  type Simulator,
} from "../sim/simulate.ts";
import { openHostEnv } from "./env.ts";
import { ownerText } from "./owner-text.ts";
import { setRealWorldTraps } from "./real-world.ts";
import { runInMacrotask, simHost } from "./settle.ts";

export { NetworkError } from "../core/env/network.ts";
export { NokvError, type NokvErrorCode } from "../core/errors.ts";
export type { Data } from "../core/engine/arguments.ts";
export type { Db } from "../core/engine/db.ts";
export type { Timer } from "../core/env/clock.ts";
export type { ClusterClient } from "../node/cluster-client.ts";
export type { Dice } from "../sim/dice.ts";
export type { ClusterOptions, SimCluster } from "../sim/program/cluster.ts";
export type { CrashPlan, EpisodePlan, FaultPlan } from "../sim/program/fault-plan.ts";
export type { ProcessOutcome, SimMachine } from "../sim/program/machine.ts";
export type { ListenedPort, Process, ProcessOpenOptions } from "../sim/program/process.ts";
export type { SimWorld } from "../sim/program/program-world.ts";
export type { Stream } from "../sim/program/stream.ts";

export interface Simulation {
  /**
   * What is simulated: builds machines, runs programs on them, and judges. Returning means that nothing was found;
   * an error, and `world.fail`, end the run as a failure. Called once or twice per seed: it keeps nothing outside.
   */
  readonly program: (world: SimWorld) => Promise<void>;
  /** For reports. "program" when nothing is said. */
  readonly name?: string | undefined;
  /** How many, from `from` on, or which. Default: 100. NOKV_SIM_SEED in the environment names one instead. */
  readonly seeds?: number | readonly number[] | undefined;
  /** The first seed. Default: 1. */
  readonly from?: number | undefined;
  /** Default: none. */
  readonly faults?: FaultPlan | undefined;
  /**
   * The first seed, every so many-th and each that fails run twice, and must do the same both times. Default: 10;
   * 1: all.
   */
  readonly twiceEvery?: number | undefined;
  /**
   * Receives each step of each run as a line. Default: nobody; with NOKV_SIM_TRACE in the environment, the error
   * output.
   */
  readonly trace?: ((line: string) => void) | undefined;
}

/** What the runs came to when none failed. */
export interface SimulationSummary {
  readonly seeds: number;
  /** By seed, 16 hexadecimal digits over everything that its processes asked of their world, and were told. */
  readonly traceHashes: ReadonlyMap<number, string>;
  /** How often each kind of fault struck, over all runs. */
  readonly faults: Readonly<Record<string, number>>;
  readonly simulatedMs: number;
}

/** A seed failed. The message is a whole report, and says how to run the same again. */
export class SimulationError extends Error {
  override readonly name = "SimulationError";
  readonly seed: number;
  /**
   * What found it: "check" (`world.check`, `world.fail`), "exception" (an error that nobody handled), "ambient" (the
   * real world was touched), "run-twice" (the seed ran differently twice), "stuck" or "runaway" (it does not end).
   */
  readonly oracle: string;
  /** What was told and what was done to the machines, in order of virtual time. */
  readonly story: readonly string[];

  constructor(name: string, report: SimResult) {
    super(describe(name, report));
    this.seed = report.seed;
    this.oracle = report.oracle ?? "";
    this.story = report.story;
  }
}

const storyLinesMax = 20;
const seedsDefault = 100;
const twiceEveryDefault = 10;
const optionNames = ["program", "name", "seeds", "from", "faults", "twiceEvery", "trace"];

const host: SimHost = { ...simHost, setTraps: setRealWorldTraps };

/**
 * Runs `program` once for each seed: on simulated machines, in virtual time, under the declared faults, where every
 * decision comes from the seed. Rejects with `SimulationError` at the first seed that fails, and with
 * `NOKV_INVALID_ARGUMENT` for options that make no sense.
 */
export async function simulate(simulation: Simulation): Promise<SimulationSummary> {
  checkOptions(simulation, "simulate", optionNames);
  const { program, name = "program", faults = {}, twiceEvery = twiceEveryDefault } = simulation;
  if (typeof (program as unknown) !== "function") throw invalid("program must be a function");
  if (!Number.isSafeInteger(twiceEvery) || twiceEvery < 1) throw invalid("twiceEvery must be an integer of at least 1");
  checkFaultPlan(faults);
  const bend = bendTo(faults);
  const scenario: Scenario = { name, why: name, weight: 1, bend, run: (world) => program(new SimWorld(world)) };
  const trace = simulation.trace ?? (process.env["NOKV_SIM_TRACE"] ? printLine : undefined);
  const options = trace === undefined ? {} : { trace };
  const traceHashes = new Map<number, string>();
  const counts = new Map<string, number>();
  let simulatedMs = 0;
  for (const [at, seed] of seedsOf(simulation).entries()) {
    const report = await runInMacrotask(() => runSeed(scenario, seed, options, at % twiceEvery === 0));
    if (report.verdict !== "clean") throw new SimulationError(name, report);
    traceHashes.set(seed, report.traceHash);
    simulatedMs += report.simulatedMs;
    for (const [kind, count] of Object.entries(report.faults)) counts.set(kind, (counts.get(kind) ?? 0) + count);
  }
  return { seeds: traceHashes.size, traceHashes, faults: Object.fromEntries(counts), simulatedMs };
}

/** This machine's world, for a program that is simulated in its tests: the real clock, chance, disk and network. */
export function realProcess(name = "localhost"): Process {
  return new Process(openHostEnv(), name, { owner: ownerText() });
}

const simulator: Simulator = (scenario, seed, options) => simulateScenario(scenario, seed, host, options);

/** Twice when asked, and when it failed: what does not happen again is reported as that. */
// oxlint-disable-next-line max-params
function runSeed(scenario: Scenario, seed: number, options: SimulateOptions, twice: boolean): SimResult {
  const first = simulator(scenario, seed, options);
  if (!twice && first.verdict === "clean") return first;
  const message = runAgain(simulator, { scenario, seed, options, first });
  return message === null ? first : { ...first, verdict: "violation", oracle: "run-twice", message };
}

function seedsOf({ seeds = seedsDefault, from = 1 }: Simulation): readonly number[] {
  const only = process.env["NOKV_SIM_SEED"];
  if (only !== undefined && only !== "") return [checkSeed(Number(only), "NOKV_SIM_SEED")];
  if (typeof seeds !== "number") return seeds.map((seed) => checkSeed(seed, "a seed"));
  if (!Number.isSafeInteger(seeds) || seeds < 1) {
    throw invalid(`seeds is ${seeds}; it must be an integer of at least 1`);
  }
  checkSeed(from, "from");
  return Array.from({ length: seeds }, (_, at) => from + at);
}

function checkSeed(seed: number, what: string): number {
  if (Number.isSafeInteger(seed) && seed >= 0) return seed;
  throw invalid(`${what} is ${seed}; it must be an integer of at least 0`);
}

function describe(name: string, report: SimResult): string {
  const { seed, oracle, message, story, faults, simulatedMs, traceHash } = report;
  const remedy = remedyFor(report);
  const struck = Object.entries(faults).map(([kind, count]) => `${kind} ${count}`);
  const left = story.length - storyLinesMax;
  return [
    `${name}: seed ${seed} fails after ${simulatedMs} simulated ms, trace ${traceHash}`,
    `${oracle ?? ""}: ${message ?? ""}`,
    ...(remedy === null ? [] : [remedy]),
    ...(left > 0 ? [`  ... ${left} lines before, in story`] : []),
    ...story.slice(-storyLinesMax).map((line) => `  ${line}`),
    `faults: ${struck.length === 0 ? "none" : struck.join(", ")}`,
    `the same again: seeds: [${seed}], or NOKV_SIM_SEED=${seed} in the environment; NOKV_SIM_TRACE=1 shows each step`,
  ].join("\n");
}

function printLine(line: string): void {
  process.stderr.write(`${line}\n`);
}

function invalid(message: string): NokvError {
  return new NokvError("NOKV_INVALID_ARGUMENT", message);
}
