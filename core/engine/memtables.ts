// HOT: every read looks here first.
import { assert } from "../assert.ts";
import { type Memtable, tooNew } from "../lsm/memtable.ts";
import type { RangeTombstones } from "../lsm/range-tombstones.ts";
import type { WalSegment } from "../wal/segment.ts";
import type { Arenas } from "./arenas.ts";

/** A memtable and the segment whose image is its arena. */
export class MemorySegment {
  readonly memtable: Memtable;
  readonly segment: WalSegment;
  /** Iterators that walk over it. */
  readers = 0;
  /** When it was full, by the monotonic clock. */
  fullAtUs = 0;
  /** Reads find its records in tables only. */
  dropped = false;

  constructor(memtable: Memtable, segment: WalSegment) {
    assert(memtable.arena === segment.arena, "a memtable indexes the image of its segment");
    this.memtable = memtable;
    this.segment = segment;
  }
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
  readonly #retained: MemorySegment[] = [];
  readonly #retainedBytesMax: number;
  readonly #arenas: Arenas;
  #retainedBytes = 0;
  /** Finds in retained memtables. */
  retainedHits = 0;
  /** Where the last `find` found something. */
  foundIn: Memtable;
  /** Whether there is a range tombstone in memory. */
  hasRanges = false;

  constructor(active: MemorySegment, retainedBytesMax: number, arenas: Arenas) {
    this.#active = active;
    this.#retainedBytesMax = retainedBytesMax;
    this.#arenas = arenas;
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

  /** The newest ticket in a memtable that waits for its flush; 0: there is none. */
  get newestSealed(): number {
    let newest = 0;
    for (const { segment } of this.#immutables) newest = Math.max(newest, segment.lastVersion);
    return newest;
  }

  /** The segment that the log begins with once `flushed`, the oldest, is in a table. */
  segmentAfter(flushed: MemorySegment): WalSegment {
    assert(flushed === this.oldestImmutable, "memtables are flushed from the oldest");
    const next = this.#immutables[this.#immutables.length - 2] ?? this.#active;
    return next.segment;
  }

  /** Ascending. */
  segmentNumbers(): number[] {
    return this.segments().map((segment) => segment.number);
  }

  /** From the oldest. */
  segments(): WalSegment[] {
    const waiting = this.#immutables.map(({ segment }) => segment);
    return [this.#active.segment, ...waiting].reverse();
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

  /** Of the arenas of retained memtables. */
  get retainedBytes(): number {
    return this.#retainedBytes;
  }

  rotate(next: MemorySegment, nowUs: number): void {
    assert(next.segment.number > this.#active.segment.number, "segment numbers go up");
    this.#active.fullAtUs = nowUs;
    this.#immutables.unshift(this.#active);
    this.#active = next;
  }

  /** The oldest one is in a table now, where walks find it, and point reads once it is not retained any more. */
  dropOldest(flushed: MemorySegment): void {
    const oldest = this.#immutables.pop();
    assert(oldest === flushed, "memtables are flushed from the oldest");
    const { memtable } = flushed;
    this.hasRanges = this.all().some((waiting) => waiting.memtable.ranges.count > 0);
    if (memtable.count === 0) return this.#drop(flushed);
    memtable.forgetOrder();
    this.#retained.unshift(flushed);
    this.#retainedBytes += memtable.arena.length;
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

  /** All that an iterator walks over, newest first. None is written over before it is given back to `release`. */
  hold(): readonly MemorySegment[] {
    const held = [this.#active, ...this.#immutables];
    for (const one of held) one.readers++;
    return held;
  }

  release(held: readonly MemorySegment[]): void {
    for (const one of held) {
      assert(one.readers > 0, "a memtable is given back once");
      one.readers--;
      this.#recycle(one);
    }
  }

  /** Gives the memory of retained memtables back. */
  clearRetained(): void {
    while (this.#retained.length > 0) this.#dropRetained();
  }

  #dropRetained(): void {
    const oldest = this.#retained.pop();
    assert(oldest !== undefined, "a budget is exceeded by something");
    this.#retainedBytes -= oldest.memtable.arena.length;
    this.#drop(oldest);
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
      const memtable = (this.#retained[i] as MemorySegment).memtable;
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

  #drop(memory: MemorySegment): void {
    memory.dropped = true;
    // The last read that came by may have been from it.
    if (this.foundIn === memory.memtable) this.foundIn = this.#active.memtable;
    this.#recycle(memory);
  }

  #recycle(memory: MemorySegment): void {
    // Without both conditions an iterator, or a read, would find the records of another memtable.
    if (memory.dropped && memory.readers === 0) this.#arenas.give(memory.memtable);
  }
}
