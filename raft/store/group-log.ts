import { assert } from "../../core/assert.ts";
import type { LogEntry, LogHardState, LogStart } from "./log-change.ts";

/** Something that a segment has to answer for, and what it takes there. */
export interface Piece {
  readonly segment: number;
  readonly bytes: number;
}

/** Where a run of entries of one group stands: one change in one segment. */
export interface Extent extends Piece {
  /** Of what is still part of the log; the change may hold more on either side. */
  first: number;
  last: number;
  /** Of the change in the segment's file. */
  readonly offset: number;
  /** Index of the change's first entry. */
  readonly changeFirst: number;
  /** From which index on which term, ascending, for all of the change. */
  readonly terms: readonly LogStart[];
}

const noHard: LogHardState = { term: 0, vote: 0, commit: 0 };
const noStart: LogStart = { index: 0, term: 0 };
const noMeta = new Uint8Array(0);
const noPiece: Piece = { segment: 0, bytes: 0 };

/**
 * What the log holds of one group, without the entries' data. While a log is read back after parts of it are gone,
 * there may be gaps; `gap` says whether there are any left.
 */
export class GroupLog {
  hard: LogHardState = noHard;
  start: LogStart = noStart;
  /** What came with the snapshot that the log begins behind; empty when it begins at its origin. */
  meta: Uint8Array = noMeta;
  readonly notes = new Map<number, Uint8Array>();
  /** Ascending, disjoint. */
  readonly extents: Extent[] = [];
  /** Where hard state, start and each note were last written. */
  hardPiece: Piece = noPiece;
  startPiece: Piece = noPiece;
  readonly notePieces = new Map<number, Piece>();
  readonly #freed: (piece: Piece) => void;

  /** `freed` hears of every extent that left whole. */
  constructor(freed: (piece: Piece) => void) {
    this.#freed = freed;
  }

  /** Index of the newest entry; that of the start when there is none. */
  get last(): number {
    return this.extents.at(-1)?.last ?? this.start.index;
  }

  /** As if nothing had ever been said of it. */
  get isEmpty(): boolean {
    const { hard } = this;
    const isBlank = hard.term === 0 && hard.vote === 0 && hard.commit === 0 && this.start.index === 0;
    return isBlank && this.extents.length === 0 && this.notes.size === 0 && this.meta.length === 0;
  }

  /** The term of an entry from `start.index` on up to `last`. */
  termOf(index: number): number {
    if (index === this.start.index) return this.start.term;
    const extent = this.extents[this.extentOf(index)];
    assert(extent !== undefined && extent.first <= index, "the term of an entry that the log holds");
    const run = extent.terms.findLast((candidate) => candidate.index <= index);
    assert(run !== undefined, "an extent knows the term of its first entry");
    return run.term;
  }

  /** From which index on which term, ascending, for every entry behind the start. */
  terms(): LogStart[] {
    const runs: LogStart[] = [];
    for (const extent of this.extents) {
      for (const run of extent.terms) {
        if (run.index > extent.last) break;
        const index = Math.max(run.index, extent.first);
        const before = runs.at(-1);
        if (before !== undefined && before.index === index) runs.pop();
        if (runs.at(-1)?.term !== run.term) runs.push({ index, term: run.term });
      }
    }
    return runs;
  }

  /** Position of the first extent that ends at or behind `index`. */
  extentOf(index: number): number {
    let low = 0;
    let high = this.extents.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.extents[middle] as Extent).last < index) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Every entry from `extent.first` on goes, and these take their place. */
  append(extent: Extent): void {
    this.#cutFrom(extent.first);
    this.extents.push(extent);
    this.#cutUpTo(this.start.index);
  }

  /** These entries stand here now, whatever else of them does: the rest of the log stays as it is. */
  move(extent: Extent): void {
    const kept: Extent[] = [];
    for (const other of this.extents) {
      if (other.last < extent.first || other.first > extent.last) {
        kept.push(other);
        continue;
      }
      assert(other.last <= extent.last, "what moves goes to the end of what it was a part of");
      if (other.first < extent.first) kept.push({ ...other, last: extent.first - 1 });
      else this.#freed(other);
    }
    kept.push(extent);
    kept.sort((a, b) => a.first - b.first);
    this.extents.splice(0, this.extents.length, ...kept);
    this.#cutUpTo(this.start.index);
  }

  compact(start: LogStart): void {
    if (start.index < this.start.index) return;
    this.start = start;
    this.#cutUpTo(start.index);
  }

  /** Every entry goes. */
  restart(start: LogStart, meta: Uint8Array): void {
    this.#cutFrom(0);
    this.start = start;
    this.meta = meta;
  }

  /** The first index that is missing between the start and the newest entry; 0: none. */
  gap(): number {
    let expected = this.start.index + 1;
    for (const extent of this.extents) {
      if (extent.first !== expected) return expected;
      expected = extent.last + 1;
    }
    return 0;
  }

  #cutFrom(index: number): void {
    for (;;) {
      const newest = this.extents.at(-1);
      if (newest === undefined || newest.last < index) return;
      if (newest.first < index) {
        newest.last = index - 1;
        return;
      }
      this.extents.pop();
      this.#freed(newest);
    }
  }

  #cutUpTo(index: number): void {
    for (;;) {
      const oldest = this.extents[0];
      if (oldest === undefined || oldest.first > index) return;
      if (oldest.last > index) {
        oldest.first = index + 1;
        return;
      }
      this.extents.shift();
      this.#freed(oldest);
    }
  }
}

/** From which index on which term. */
export function termRuns(entries: readonly LogEntry[]): LogStart[] {
  const runs: LogStart[] = [];
  for (const { index, term } of entries) {
    if (runs.at(-1)?.term !== term) runs.push({ index, term });
  }
  return runs;
}
