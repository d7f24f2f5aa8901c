// HOT: every read looks here first.
import { assert } from "../assert.ts";
import { Memtable, tooNew } from "../lsm/memtable.ts";
import type { RangeTombstones } from "../lsm/range-tombstones.ts";
import type { RecordCursor } from "../lsm/record-cursor.ts";
import type { WalSegment } from "../wal/segment.ts";

/** A memtable and the segment whose image is its arena. */
export interface MemorySegment {
  readonly memtable: Memtable;
  readonly segment: WalSegment;
}

/** A guess at the size of a record, for the first size of a memtable's index: it grows by itself. */
const recordBytesGuess = 256;
const entriesGuessMax = 1 << 16;

function retainedCost(memtable: Memtable): number {
  return memtable.arena.length + memtable.indexBytes;
}

export function memorySegment(segment: WalSegment): MemorySegment {
  const entries = Math.min(entriesGuessMax, Math.ceil(segment.arena.length / recordBytesGuess));
  return { memtable: new Memtable(segment.arena, entries), segment };
}

/**
 * The records that are in memory: one memtable that takes writes, those that wait for their flush, and the last
 * of those that were flushed, retained for point reads within a budget of bytes. Versions go up from the oldest to
 * the newest, so the first hit from the newest is the newest record. What is retained hides nothing of what is
 * newer, because it leaves from the oldest.
 */
export class Memtables {
  #active: MemorySegment;
  /** Newest first. */
  readonly #immutables: MemorySegment[] = [];
  /** Newest first. */
  readonly #retained: Memtable[] = [];
  readonly #retainedBytesMax: number;
  #retainedBytes = 0;
  /** Finds in retained memtables. */
  retainedHits = 0;
  /** Where the last `find` found something. */
  foundIn: Memtable;
  /** Whether there is a range tombstone in memory. */
  hasRanges = false;

  constructor(active: MemorySegment, retainedBytesMax: number) {
    this.#active = active;
    this.#retainedBytesMax = retainedBytesMax;
    this.foundIn = active.memtable;
  }

  get active(): MemorySegment {
    return this.#active;
  }

  get immutableCount(): number {
    return this.#immutables.length;
  }

  /** The next to be flushed: flushes go from the oldest, as the log is dropped from its old end. */
  get oldestImmutable(): MemorySegment | null {
    return this.#immutables[this.#immutables.length - 1] ?? null;
  }

  get newestImmutable(): MemorySegment | null {
    return this.#immutables[0] ?? null;
  }

  /** The segment that the log begins with once `flushed`, the oldest, is in a table. */
  segmentAfter(flushed: MemorySegment): WalSegment {
    assert(flushed === this.oldestImmutable, "memtables are flushed from the oldest");
    const next = this.#immutables[this.#immutables.length - 2] ?? this.#active;
    return next.segment;
  }

  /** Ascending. */
  segmentNumbers(): number[] {
    const numbers = this.#immutables.map((waiting) => waiting.segment.number);
    return [this.#active.segment.number, ...numbers].reverse();
  }

  /** Bytes that records and frames take in all arenas. */
  get usedBytes(): number {
    let bytes = this.#active.segment.endBytes;
    for (const waiting of this.#immutables) bytes += waiting.segment.endBytes;
    return bytes;
  }

  /** Newest first. */
  all(): readonly MemorySegment[] {
    return [this.#active, ...this.#immutables];
  }

  /** Of retained arenas and their indexes. */
  get retainedBytes(): number {
    return this.#retainedBytes;
  }

  rotate(next: MemorySegment): void {
    assert(next.segment.number > this.#active.segment.number, "segment numbers go up");
    this.#immutables.unshift(this.#active);
    this.#active = next;
  }

  /** The oldest one is in a table now, where walks find it, and point reads once it is not retained any more. */
  dropOldest(flushed: MemorySegment): void {
    const oldest = this.#immutables.pop();
    assert(oldest === flushed, "memtables are flushed from the oldest");
    const { memtable } = flushed;
    this.hasRanges = this.all().some((waiting) => waiting.memtable.ranges.count > 0);
    if (memtable.count === 0) return;
    memtable.forgetOrder();
    this.#retained.unshift(memtable);
    this.#retainedBytes += retainedCost(memtable);
    // One that is too large alone must go with all that are older: they would hide what it held.
    while (this.#retainedBytes > this.#retainedBytesMax) this.#dropRetained();
  }

  /** The highest version up to `version` of a range tombstone in memory over (family, key); 0: none. */
  cover(family: number, key: Uint8Array, version: number): number {
    let highest = this.#active.memtable.ranges.cover(family, key, version);
    for (const waiting of this.#immutables) {
      const older = waiting.memtable.ranges.cover(family, key, version);
      if (older > highest) highest = older;
    }
    return highest;
  }

  /** All range tombstones in memory; what is returned does not change. */
  rangeSets(): RangeTombstones[] {
    return this.all().flatMap(({ memtable }) => memtable.ranges.sets());
  }

  /** Gives the memory of retained memtables back. */
  clearRetained(): void {
    while (this.#retained.length > 0) this.#dropRetained();
  }

  #dropRetained(): void {
    const oldest = this.#retained.pop();
    assert(oldest !== undefined, "a budget is exceeded by something");
    this.#retainedBytes -= retainedCost(oldest);
  }

  /**
   * Offset in `foundIn.arena` of the newest record up to `version`; `absent` if there is no record of the key in
   * memory, `tooNew` if there is none but of later versions.
   */
  find(family: number, key: Uint8Array, version: number, hash: number): number {
    const active = this.#active.memtable;
    const offset = active.findHashed(family, key, version, hash);
    if (offset >= 0) {
      this.foundIn = active;
      return offset;
    }
    let answer = offset;
    for (let i = 0; i < this.#immutables.length; i++) {
      const memtable = (this.#immutables[i] as MemorySegment).memtable;
      const older = memtable.findHashed(family, key, version, hash);
      if (older >= 0) {
        this.foundIn = memtable;
        return older;
      }
      if (older === tooNew) answer = tooNew;
    }
    for (let i = 0; i < this.#retained.length; i++) {
      const memtable = this.#retained[i] as Memtable;
      const older = memtable.findHashed(family, key, version, hash);
      if (older >= 0) {
        this.retainedHits++;
        this.foundIn = memtable;
        return older;
      }
      if (older === tooNew) answer = tooNew;
    }
    return answer;
  }

  /** Newest first, as a merging cursor wants them. */
  cursors(): RecordCursor[] {
    const cursors = [this.#active.memtable.cursor()];
    for (const waiting of this.#immutables) cursors.push(waiting.memtable.cursor());
    return cursors;
  }
}
