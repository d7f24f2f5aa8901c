import { faultKinds } from "../../sim/faults.ts";
import type { SeedReport } from "./run-seed.ts";

/** A batch of so many seeds over all scenarios must have injected every kind of fault. */
export const seedsToSeeEveryFault = 1_000;
/** So many seeds of a scenario must have reached everything that it `reaches`. */
export const seedsToReachAll = 50;
/** A batch's JSON names every seed up to so many. */
const resultsMax = 10_000;

export type BatchVerdict = "clean" | "violation" | "nondeterminism" | "fault-missing" | "unreached";

export interface ScenarioTally {
  seeds: number;
  violations: number;
  events: number;
  simulatedMs: number;
  wallMs: number;
  /** By what the scenario `reaches`: how many seeds did. */
  reached: Record<string, number>;
}

/** What a batch came to: the one object that `sim --seeds N --json` prints. */
export interface BatchSummary {
  /** Seeds that were run. */
  readonly seeds: number;
  readonly from: number;
  /** Null: each seed picked one. */
  readonly scenario: string | null;
  readonly verdict: BatchVerdict;
  /** Seeds that are not clean, ascending. */
  readonly violations: readonly SeedReport[];
  /** Injections by fault kind, over all seeds. */
  readonly faults: Readonly<Record<string, number>>;
  /** Fault kinds that were not injected once. */
  readonly never: readonly string[];
  /** What a scenario with enough seeds `reaches`, and none of them did: "scenario: what". */
  readonly unreached: readonly string[];
  readonly perScenario: Readonly<Record<string, Readonly<ScenarioTally>>>;
  /** Seeds that were run a second time and compared. */
  readonly twice: number;
  readonly events: number;
  readonly simulatedMs: number;
  readonly wallMs: number;
  /** Processor time of the child processes, user and system. */
  readonly cpuMs: number;
  readonly seedsPerSecond: number;
  /** The scenario hash and counts of each seed, ascending; left out of batches above 10,000 seeds. */
  readonly results?: readonly SeedLine[];
}

/** What is kept of a seed that is clean. */
export type SeedLine = Pick<
  SeedReport,
  "seed" | "scenario" | "verdict" | "traceHash" | "events" | "simulatedMs" | "wallMs" | "faults"
>;

/** Adds up the reports of a batch as they come in, in whatever order. */
export class Tally {
  readonly #from: number;
  readonly #scenario: string | null;
  readonly #failed: SeedReport[] = [];
  readonly #results: SeedLine[] = [];
  readonly #faults = new Map<string, number>();
  readonly #scenarios = new Map<string, ScenarioTally>();
  #seeds = 0;
  #twice = 0;

  /** `scenario` null: over all of them, so that every fault kind is expected sooner or later. */
  constructor(from: number, scenario: string | null) {
    this.#from = from;
    this.#scenario = scenario;
  }

  get seeds(): number {
    return this.#seeds;
  }

  get failedCount(): number {
    return this.#failed.length;
  }

  get faultCount(): number {
    let count = 0;
    for (const each of this.#faults.values()) count += each;
    return count;
  }

  add(report: SeedReport): void {
    this.#seeds++;
    if (report.twice) this.#twice++;
    if (report.verdict !== "clean") this.#failed.push(report);
    for (const [kind, count] of Object.entries(report.faults)) {
      this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + count);
    }
    const scenario = this.#scenarios.get(report.scenario) ?? emptyTally();
    this.#scenarios.set(report.scenario, scenario);
    scenario.seeds++;
    scenario.violations += report.verdict === "clean" ? 0 : 1;
    scenario.events += report.events;
    scenario.simulatedMs += report.simulatedMs;
    scenario.wallMs += report.wallMs;
    for (const [what, times] of Object.entries(report.reached)) {
      scenario.reached[what] = (scenario.reached[what] ?? 0) + (times > 0 ? 1 : 0);
    }
    const { seed, verdict, traceHash, events, simulatedMs, wallMs, faults } = report;
    if (this.#results.length > resultsMax) return;
    this.#results.push({
      seed,
      scenario: report.scenario,
      verdict,
      traceHash,
      events,
      simulatedMs,
      wallMs,
      faults,
    });
  }

  summary({ wallMs, cpuMs }: { wallMs: number; cpuMs: number }): BatchSummary {
    const violations = this.#failed.toSorted((a, b) => a.seed - b.seed);
    const never = faultKinds.filter((kind) => !this.#faults.has(kind));
    const byName = [...this.#scenarios].toSorted(([a], [b]) => (a < b ? -1 : 1));
    const perScenario = Object.fromEntries(byName.map(([name, tally]) => [name, rounded(tally)]));
    const tallies = Object.values(perScenario);
    const unreached = Object.entries(perScenario).flatMap(([name, tally]) => unreachedBy(name, tally));
    const results =
      this.#seeds <= resultsMax ? { results: this.#results.toSorted((a, b) => a.seed - b.seed) } : {};
    return {
      seeds: this.#seeds,
      from: this.#from,
      scenario: this.#scenario,
      verdict: this.#verdict(never.length > 0, unreached.length > 0),
      violations,
      faults: this.#sortedFaults(),
      never,
      unreached,
      perScenario,
      twice: this.#twice,
      events: tallies.reduce((sum, { events }) => sum + events, 0),
      simulatedMs: Math.round(tallies.reduce((sum, { simulatedMs }) => sum + simulatedMs, 0)),
      wallMs: Math.round(wallMs),
      cpuMs,
      seedsPerSecond: Math.round((this.#seeds / Math.max(wallMs, 1)) * 1_000_000) / 1_000,
      ...results,
    };
  }

  #verdict(someNever: boolean, someUnreached: boolean): BatchVerdict {
    if (this.#failed.some(({ verdict }) => verdict === "nondeterminism")) return "nondeterminism";
    if (this.#failed.length > 0) return "violation";
    const expected = this.#scenario === null && this.#seeds >= seedsToSeeEveryFault;
    if (expected && someNever) return "fault-missing";
    return someUnreached ? "unreached" : "clean";
  }

  #sortedFaults(): Record<string, number> {
    const known = faultKinds.filter((kind) => this.#faults.has(kind));
    return Object.fromEntries(known.map((kind) => [kind, this.#faults.get(kind) ?? 0]));
  }
}

function emptyTally(): ScenarioTally {
  return { seeds: 0, violations: 0, events: 0, simulatedMs: 0, wallMs: 0, reached: {} };
}

function unreachedBy(name: string, { seeds, reached }: Readonly<ScenarioTally>): string[] {
  if (seeds < seedsToReachAll) return [];
  return Object.entries(reached).filter(([, count]) => count === 0).map(([what]) => `${name}: ${what}`);
}

function rounded(tally: ScenarioTally): ScenarioTally {
  return { ...tally, simulatedMs: Math.round(tally.simulatedMs), wallMs: Math.round(tally.wallMs) };
}
