/**
 * How long a key with a deadline must be seen and must not be seen, when the clock of the node that judges
 * it is itself at fault. The node's own readings of its clock are recorded; a deadline and every later
 * judgement lie between bounds that follow from them, and only what no reading can explain is a violation.
 */
export class ClockReadings {
  readonly #trueUs: number[] = [];
  readonly #wallMs: number[] = [];
  #highestMs = 0;

  record(trueUs: number, wallMs: number): void {
    this.#trueUs.push(trueUs);
    this.#wallMs.push(wallMs);
    if (wallMs > this.#highestMs) this.#highestMs = wallMs;
  }

  /** The highest reading so far. */
  get highestMs(): number {
    return this.#highestMs;
  }

  /** The lowest reading within [fromUs, toUs] of true time; null when the clock was not read then. */
  lowestMs(fromUs: number, toUs: number): number | null {
    let lowest: number | null = null;
    for (let i = this.#trueUs.length - 1; i >= 0; i--) {
      const at = this.#trueUs[i] as number;
      if (at < fromUs) break;
      if (at > toUs) continue;
      const wallMs = this.#wallMs[i] as number;
      if (lowest === null || wallMs < lowest) lowest = wallMs;
    }
    return lowest;
  }
}

/**
 * A logical clock never runs ahead of the highest reading by more than the carry of its counter: 4096 events
 * within one millisecond are worth one more.
 */
const carryMs = 2;

/** The deadline of a key lies within these bounds, in the node's own milliseconds. */
export interface Deadline {
  readonly earliestMs: number;
  readonly latestMs: number;
}

/** A lifetime of `ttlMs` granted while the clock read at least `lowestMs` and never more than `highestMs`. */
export function deadlineAfter(ttlMs: number, lowestMs: number, highestMs: number): Deadline {
  return { earliestMs: lowestMs + ttlMs, latestMs: highestMs + carryMs + ttlMs };
}

/**
 * Judges one read of a key that nothing but its deadline removes. `lowestMs`: the lowest reading during the
 * read, null when unknown; `highestMs`: the highest until it returned. Null: nothing wrong.
 */
export function judgeLifetime(
  deadline: Deadline,
  present: boolean,
  lowestMs: number | null,
  highestMs: number,
): string | null {
  if (present) {
    if (lowestMs === null || lowestMs < deadline.latestMs) return null;
    return `still there at ${lowestMs}ms, expired by ${deadline.latestMs}ms`;
  }
  if (highestMs + carryMs >= deadline.earliestMs) return null;
  return `gone at ${highestMs}ms, alive until ${deadline.earliestMs}ms`;
}
