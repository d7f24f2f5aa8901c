import type { Scenario } from "./scenario.ts";
import type { SimResult, SimulateOptions, Simulator } from "./simulate.ts";

/** Recorded env calls between two checkpoints of a run. */
const callsPerCheckpoint = 1_000;
/** Lines kept of a traced stretch; a stretch that says more is cut there. */
const traceLinesMax = 20_000;

export interface FirstRun {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly options: SimulateOptions;
  readonly first: SimResult;
}

/** Runs the seed again, untraced. Null when it did the same; otherwise where the two runs part. */
export function runAgain(simulator: Simulator, { scenario, seed, options, first }: FirstRun): string | null {
  const { trace: _, ...quiet } = options;
  const second = simulator(scenario, seed, quiet);
  if (second.traceHash === first.traceHash && second.verdict === first.verdict) return null;
  return findDivergence(simulator, { scenario, seed, first, second });
}

interface TwoRuns {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly first: SimResult;
  readonly second: SimResult;
}

/**
 * Says where two runs of one seed part: the first checkpoint that differs, then, by running twice more with
 * that stretch traced, the first line that does.
 */
function findDivergence(simulator: Simulator, runs: TwoRuns): string {
  const { first, second } = runs;
  const checkpoint = firstDifference(first.checkpoints, second.checkpoints);
  const from = checkpoint * callsPerCheckpoint + 1;
  const hashes = `trace hash ${first.traceHash} became ${second.traceHash}`;
  const where = `${hashes}: the runs part after call ${from - 1}`;
  const one = tracedLines(simulator, runs, from);
  const other = tracedLines(simulator, runs, from);
  const line = firstDifference(one, other);
  if (line === one.length && line === other.length) {
    return `${where}\ntwo traced runs of that stretch agree, so what differs is rare`;
  }
  return `${where}\nfirst difference: ${quote(one[line])} against ${quote(other[line])}`;
}

/** The length of what two lists share at their beginning. */
function firstDifference(one: readonly string[], other: readonly string[]): number {
  const length = Math.min(one.length, other.length);
  for (let index = 0; index < length; index++) {
    if (one[index] !== other[index]) return index;
  }
  return length;
}

function tracedLines(simulator: Simulator, { scenario, seed }: TwoRuns, from: number): string[] {
  const lines: string[] = [];
  const trace = (line: string): void => {
    if (lines.length < traceLinesMax) lines.push(line);
  };
  simulator(scenario, seed, { trace, traceCalls: { from, to: from + callsPerCheckpoint } });
  return lines;
}

function quote(line: string | undefined): string {
  return line === undefined ? "the end of the run" : `"${line}"`;
}
