import type { Clock } from "../env/clock.ts";

/** What the background is behind with; "none": with nothing that matters. */
export type PressureCause = "none" | "memtables" | "level-0" | "compaction-debt";

/** How far the background is behind. */
export interface Backlog {
  /** Memory that writes not yet in tables take, and all that they may take. */
  readonly memoryBytes: number;
  readonly memoryBytesMax: number;
  readonly level0Tables: number;
  /** Bytes that levels hold beyond their bounds. */
  readonly debtBytes: number;
}

export interface BackpressureLimits {
  readonly level0TablesMax: number;
  readonly level0TablesStop: number;
  readonly compactionDebtBytesMax: number;
  /** The pace of writes at full pressure. */
  readonly slowestBytesPerSecond: number;
}

/** Shorter waits are put off until they have added up: no timer is finer. */
const waitUsMin = 1000;
const full = 1000;

/**
 * Slows writes before they must stop. Pressure goes from 0 to 1000 over the last quarter of the memory, over the
 * upper half of the tables that level 0 may have, and over the upper half of the debt; the highest counts. A group
 * waits for as long as its bytes take at the slowest pace, times the square of the pressure.
 */
export class Backpressure {
  readonly #clock: Clock;
  readonly #limits: BackpressureLimits;
  #owedNs = 0;
  #heldSinceUs = -1;
  pressure = 0;
  cause: PressureCause = "none";
  /** Waits begun, and their time. */
  slowdowns = 0;
  slowdownUs = 0;
  longestSlowdownUs = 0;
  readonly slowdownsByCause = { memtables: 0, "level-0": 0, "compaction-debt": 0 };
  /** Stops, their time, and the longest that is over. */
  stalls = 0;
  stallUs = 0;
  longestStallUs = 0;

  constructor(clock: Clock, limits: BackpressureLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  get held(): boolean {
    return this.#heldSinceUs >= 0;
  }

  /** Tables in level 0 above which writes are slowed. */
  get level0Slow(): number {
    return (this.#limits.level0TablesMax + this.#limits.level0TablesStop) >>> 1;
  }

  /** A stop for level 0 ends at so many tables: not at the first that goes, or it would begin again at once. */
  get level0Resume(): number {
    const { level0TablesMax, level0TablesStop } = this.#limits;
    return Math.max(level0TablesMax - 1, level0TablesStop - 1 - ((level0TablesStop - level0TablesMax) >>> 2));
  }

  measure(backlog: Backlog): void {
    const { level0TablesStop, compactionDebtBytesMax } = this.#limits;
    const memory = share(backlog.memoryBytes, backlog.memoryBytesMax * 0.75, backlog.memoryBytesMax);
    const level0 = share(backlog.level0Tables, this.level0Slow, level0TablesStop);
    const debt = share(backlog.debtBytes, compactionDebtBytesMax / 2, compactionDebtBytesMax);
    this.pressure = Math.max(memory, level0, debt);
    if (this.pressure === 0) this.cause = "none";
    else if (this.pressure === level0) this.cause = "level-0";
    else this.cause = this.pressure === memory ? "memtables" : "compaction-debt";
  }

  /** Microseconds that a group of `bytes` waits at the pressure measured last; 0: it goes at once. */
  charge(bytes: number): number {
    const atSlowestNs = Math.trunc((bytes * 1_000_000_000) / this.#limits.slowestBytesPerSecond);
    this.#owedNs += Math.trunc((atSlowestNs * this.pressure * this.pressure) / (full * full));
    const owedUs = Math.trunc(this.#owedNs / 1000);
    if (owedUs < waitUsMin) return 0;
    this.#owedNs = 0;
    this.slowdowns++;
    this.slowdownUs += owedUs;
    if (owedUs > this.longestSlowdownUs) this.longestSlowdownUs = owedUs;
    if (this.cause !== "none") this.slowdownsByCause[this.cause]++;
    return owedUs;
  }

  /** Writes stop. */
  hold(): void {
    if (this.held) return;
    this.stalls++;
    this.#heldSinceUs = this.#clock.monotonicUs();
  }

  /** They go on. */
  letGo(): void {
    if (!this.held) return;
    const tookUs = this.#clock.monotonicUs() - this.#heldSinceUs;
    this.#heldSinceUs = -1;
    this.stallUs += tookUs;
    if (tookUs > this.longestStallUs) this.longestStallUs = tookUs;
  }
}

/** How far `value` has come from `from` to `to`, in thousandths; 1000 at `to` and beyond. */
function share(value: number, from: number, to: number): number {
  if (value <= from) return 0;
  if (value >= to) return full;
  return Math.trunc(((value - from) * full) / (to - from));
}
