import { runAgain } from "../../sim/divergence.ts";
import type { Scenario } from "../../sim/scenario.ts";
import type { SimResult, SimulateOptions, Simulator } from "../../sim/simulate.ts";

export type SeedVerdict = "clean" | "violation" | "nondeterminism";

/** What one seed came to. Plain JSON: it travels between processes, and other tools read these names. */
export interface SeedReport {
  readonly seed: number;
  readonly scenario: string;
  readonly verdict: SeedVerdict;
  readonly oracle: string | null;
  readonly message: string | null;
  readonly story: readonly string[];
  readonly why: string;
  readonly traceHash: string;
  readonly events: number;
  readonly calls: number;
  readonly simulatedMs: number;
  /** Real time of the first run. */
  readonly wallMs: number;
  /** Injections by fault kind. */
  readonly faults: Readonly<Record<string, number>>;
  /** How often each of what the scenario `reaches` was, 0 included. */
  readonly reached: Readonly<Record<string, number>>;
  /** The seed was run again and compared. */
  readonly twice: boolean;
}

export interface SeedOrder {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly twice: boolean;
  readonly options: SimulateOptions;
}

/**
 * Runs a seed, and runs it again when `twice` asks so or when it failed: a violation that does not replay is
 * reported as what it is, a defect of the simulator.
 */
export function runSeed(simulator: Simulator, order: SeedOrder, nowMs: () => number): SeedReport {
  const { scenario, seed, options } = order;
  const startMs = nowMs();
  const first = simulator(scenario, seed, options);
  const wallMs = nowMs() - startMs;
  const twice = order.twice || first.verdict === "violation";
  const report = reportOf(first, wallMs, twice);
  if (!twice) return report;
  const difference = runAgain(simulator, { scenario, seed, options, first });
  if (difference === null) return report;
  return { ...report, verdict: "nondeterminism", oracle: "run-twice", message: difference };
}

function reportOf(result: SimResult, wallMs: number, twice: boolean): SeedReport {
  const { seed, scenario, verdict, oracle, message, story, why } = result;
  const { traceHash, events, calls, simulatedMs, faults, reached } = result;
  return {
    seed,
    scenario,
    verdict,
    oracle,
    message,
    story,
    why,
    traceHash,
    events,
    calls,
    simulatedMs,
    wallMs: Math.round(wallMs * 1000) / 1000,
    faults,
    reached,
    twice,
  };
}
