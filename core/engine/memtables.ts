// HOT: every read looks here first.
import { assert } from "../assert.ts";
import { Memtable } from "../lsm/memtable.ts";
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

export function memorySegment(segment: WalSegment): MemorySegment {
  const entries = Math.min(entriesGuessMax, Math.ceil(segment.arena.length / recordBytesGuess));
  return { memtable: new Memtable(segment.arena, entries), segment };
}

/**
 * The records that are in memory: one memtable that takes writes, and those that wait for their flush.
 * Versions go up from the oldest to the newest, so the first hit from the newest is the newest record.
 */
export class Memtables {
  #active: MemorySegment;
  /** Newest first. */
  readonly #immutables: MemorySegment[] = [];
  /** Where the last `find` found something. */
  foundIn: Memtable;

  constructor(active: MemorySegment) {
    this.#active = active;
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

  rotate(next: MemorySegment): void {
    assert(next.segment.number > this.#active.segment.number, "segment numbers go up");
    this.#immutables.unshift(this.#active);
    this.#active = next;
  }

  /** The oldest one is in a table now, and reads find it there. */
  dropOldest(flushed: MemorySegment): void {
    const oldest = this.#immutables.pop();
    assert(oldest === flushed, "memtables are flushed from the oldest");
  }

  /** Offset in `foundIn.arena` of the newest record up to `version`; -1 if there is none in memory. */
  find(family: number, key: Uint8Array, version: number, hash: number): number {
    const active = this.#active.memtable;
    const offset = active.findHashed(family, key, version, hash);
    if (offset >= 0) {
      this.foundIn = active;
      return offset;
    }
    for (let i = 0; i < this.#immutables.length; i++) {
      const memtable = (this.#immutables[i] as MemorySegment).memtable;
      const older = memtable.findHashed(family, key, version, hash);
      if (older < 0) continue;
      this.foundIn = memtable;
      return older;
    }
    return -1;
  }

  /** Newest first, as a merging cursor wants them. */
  cursors(): RecordCursor[] {
    const cursors = [this.#active.memtable.cursor()];
    for (const waiting of this.#immutables) cursors.push(waiting.memtable.cursor());
    return cursors;
  }
}
