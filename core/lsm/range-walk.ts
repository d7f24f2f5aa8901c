// HOT: every record of a scan, once range tombstones exist.
import { compareKeys } from "../bytes/record.ts";
import type { RangeTombstones } from "./range-tombstones.ts";
import { compareRecordToBound } from "./range-tombstones.ts";

/**
 * What hides the records of a scan at one version. It remembers the stretch of keys around the last one
 * asked for over which the answer stays the same, so that most records cost two comparisons.
 */
export class RangeWalk {
  readonly #sets: readonly RangeTombstones[];
  readonly #atVersion: number;
  readonly #intervals: number[];
  /** [from, until) is the stretch; null: no bound on that side. */
  #from: Uint8Array | null = null;
  #until: Uint8Array | null = null;
  #known = false;
  #cover = 0;

  constructor(sets: readonly RangeTombstones[], atVersion: number) {
    this.#sets = sets;
    this.#atVersion = atVersion;
    this.#intervals = sets.map(() => -1);
  }

  /** The version that hides what is older at the record's key; 0: none. */
  coverOf(bytes: Uint8Array, view: DataView, offset: number): number {
    if (!this.#known || !this.#holds(bytes, view, offset)) this.#move(bytes, view, offset);
    return this.#cover;
  }

  /** The last answer. */
  get cover(): number {
    return this.#cover;
  }

  /** Ends of the stretch that the last answer holds for; both are there where something hides. */
  get from(): Uint8Array | null {
    return this.#from;
  }

  get until(): Uint8Array | null {
    return this.#until;
  }

  #holds(bytes: Uint8Array, view: DataView, offset: number): boolean {
    if (this.#until !== null && compareRecordToBound(bytes, view, offset, this.#until) >= 0) return false;
    return this.#from === null || compareRecordToBound(bytes, view, offset, this.#from) >= 0;
  }

  #move(bytes: Uint8Array, view: DataView, offset: number): void {
    this.#known = true;
    this.#from = null;
    this.#until = null;
    this.#cover = 0;
    for (let i = 0; i < this.#sets.length; i++) {
      const set = this.#sets[i] as RangeTombstones;
      const interval = set.intervalOf(bytes, view, offset, this.#intervals[i] as number);
      this.#intervals[i] = interval;
      const from = set.edges[interval] ?? null;
      const until = set.edges[interval + 1] ?? null;
      if (from !== null && (this.#from === null || compareKeys(from, this.#from) > 0)) this.#from = from;
      if (until !== null && (this.#until === null || compareKeys(until, this.#until) < 0)) this.#until = until;
      const version = set.coverOfInterval(interval, this.#atVersion);
      if (version > this.#cover) this.#cover = version;
    }
  }
}
