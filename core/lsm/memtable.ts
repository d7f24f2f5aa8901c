// HOT: every write is added here and every read looks here first.
import { hashKey } from "../bytes/hash.ts";
import {
  readFamily, readKeyLength, readKind, readVersion, recordHeaderBytes, recordKind,
} from "../bytes/record.ts";
import { assert } from "../assert.ts";
import { MemtableCursor } from "./memtable-cursor.ts";
import { RangeList } from "./range-list.ts";
import { rangeTombstoneAt } from "./range-tombstones.ts";
import type { RecordCursor } from "./record-cursor.ts";
import { compareRecordKeys, recordHasKey } from "./record-order.ts";
import { mergeSorted, sortRecords } from "./record-sort.ts";

/** What `find` returns when it finds nothing that may be seen. */
export const absent = -1;
export const tooNew = -2;

const slotsMin = 64;
const entriesMin = 16;
/** A tail longer than this and than 1/64 of the base is merged into it. */
const tailMin = 256;
const tailShift = 6;

/**
 * The records of one log segment, looked up by hash and walked in order. It owns no bytes: the arena is the
 * image of the segment, and the table holds offsets into it.
 *
 *     slots     open addressing, linear probing: [hash, entry + 1] per key, 0: empty; at most half full
 *     entries   per record, in order of arrival: its offset, and entry + 1 of the key's next older version
 *     order     built when somebody walks: a sorted base, a short sorted tail, entries not yet in either
 *
 * Base and tail are never written again once a cursor may hold them, so a cursor costs no copy and later
 * adds do not disturb it. Range tombstones are no records of a key: they stand beside, in `ranges`.
 */
export class Memtable {
  readonly arena: Uint8Array;
  readonly view: DataView;
  /** After an `add` that brought a new key. */
  addedHash = 0;
  #count = 0;
  #minVersion = 0;
  #maxVersion = 0;
  #pointMaxVersion = 0;
  readonly ranges = new RangeList();
  #rangeOffsets: number[] = [];
  #offsets: Uint32Array;
  #older: Uint32Array;
  #slots: Int32Array;
  #slotMask: number;
  #keyCount = 0;
  #base: Uint32Array = new Uint32Array(0);
  #tail: Uint32Array = new Uint32Array(0);
  /** Entries below this are in base or tail. */
  #orderedCount = 0;

  /** `predecessor`: a memtable that nobody reads any more, of which the memory is taken over. */
  constructor(arena: Uint8Array, entriesExpected: number, predecessor: Memtable | null = null) {
    this.arena = arena;
    this.view = new DataView(arena.buffer, arena.byteOffset, arena.byteLength);
    if (predecessor !== null) {
      // Entries need no clearing: only what a slot or the count leads to is ever read.
      this.#offsets = predecessor.#offsets;
      this.#older = predecessor.#older;
      this.#slots = predecessor.#slots.fill(0);
      this.#slotMask = predecessor.#slotMask;
      return;
    }
    const entries = Math.max(entriesMin, entriesExpected);
    const slots = Math.max(slotsMin, powerOfTwoAtLeast(entries * 2));
    this.#offsets = new Uint32Array(entries);
    this.#older = new Uint32Array(entries);
    this.#slots = new Int32Array(slots * 2);
    this.#slotMask = slots - 1;
  }

  /** Records that can be found; a record overwritten within its own version counts once. */
  get count(): number {
    return this.#count;
  }

  /** Nothing was added, no range tombstone either. */
  get isEmpty(): boolean {
    return this.#count === 0 && this.ranges.count === 0;
  }

  /** Of all that was added; 0 while empty. */
  get minVersion(): number {
    return this.#minVersion;
  }

  get maxVersion(): number {
    return this.#maxVersion;
  }

  /**
   * Indexes the record image at `offset` of the arena, already stamped with its version. Per key, versions
   * never go down. A second record of the same key and version replaces the first: the last write of a batch
   * wins. So a batch must be added whole before anybody reads at its version. True: this is the first record of
   * its key here, and `addedHash` is the key's hash.
   */
  add(offset: number): boolean {
    const { arena, view } = this;
    if (readKind(view, offset) === recordKind.rangeTombstone) return this.#addRange(offset);
    const hash = hashKey(
      readFamily(view, offset), arena, offset + recordHeaderBytes, readKeyLength(view, offset),
    );
    const version = readVersion(view, offset);
    const slot = this.#slotOfRecord(hash, offset);
    const newest = this.#slots[slot + 1] as number;
    if (newest !== 0) {
      const newestVersion = readVersion(view, this.#offsets[newest - 1] as number);
      assert(version >= newestVersion, "the versions of a key arrive in order");
      if (version === newestVersion) return this.#replace(newest - 1, offset);
    }
    this.#noteVersion(version);
    if (version > this.#pointMaxVersion) this.#pointMaxVersion = version;
    if (this.#count === this.#offsets.length) this.#growEntries();
    this.#offsets[this.#count] = offset;
    this.#older[this.#count] = newest;
    this.#count++;
    this.#slots[slot] = hash;
    this.#slots[slot + 1] = this.#count;
    if (newest !== 0) return false;
    this.addedHash = hash;
    this.#keyCount++;
    if (this.#keyCount * 2 > this.#slotMask) this.#growSlots();
    return true;
  }

  /**
   * Offset of the newest record of (family, key) with a version up to `version`; `absent` if there is no record of
   * the key, `tooNew` if all of them have later versions.
   */
  find(family: number, key: Uint8Array, version: number): number {
    return this.findHashed(family, key, version, hashKey(family, key, 0, key.length));
  }

  /** `find` for a caller that has `hashKey(family, key)` already. */
  findHashed(family: number, key: Uint8Array, version: number, hash: number): number {
    const { arena, view } = this;
    const slots = this.#slots;
    let slot = (hash & this.#slotMask) << 1;
    for (;;) {
      const newest = slots[slot + 1] as number;
      if (newest === 0) return absent;
      if (slots[slot] === hash) {
        const offset = this.#offsets[newest - 1] as number;
        if (recordHasKey(arena, view, offset, family, key)) return this.#visible(newest, version);
      }
      slot = ((slot >>> 1) + 1 & this.#slotMask) << 1;
    }
  }

  /** Over the records added so far, in record order. */
  cursor(): RecordCursor {
    this.#order();
    return new MemtableCursor(this.arena, this.view, this.#base, this.#tail, this.#pointMaxVersion);
  }

  /** Offsets of all records in record order. The caller owns it. */
  sortedOffsets(): Uint32Array {
    this.#order();
    return mergeSorted(this.arena, this.view, this.#base, this.#tail);
  }

  /** Offsets of all records in order of arrival, for a job that sorts them elsewhere. The caller owns it. */
  arrivalOffsets(): Uint32Array {
    return this.#offsets.slice(0, this.#count);
  }

  /** Offsets of at most `most` records, spread evenly over the order of arrival. The caller owns it. */
  sampleOffsets(most: number): Uint32Array {
    const size = Math.min(most, this.#count);
    const sample = new Uint32Array(size);
    for (let i = 0; i < size; i++) sample[i] = this.#offsets[Math.floor((i * this.#count) / size)] as number;
    return sample;
  }

  /** Nobody walks any more, or all over again. */
  forgetOrder(): void {
    this.#base = new Uint32Array(0);
    this.#tail = new Uint32Array(0);
    this.#orderedCount = 0;
  }

  /** Offsets of the images of all range tombstones. The caller owns it. */
  rangeOffsets(): Uint32Array {
    return Uint32Array.from(this.#rangeOffsets);
  }

  #addRange(offset: number): false {
    this.#noteVersion(readVersion(this.view, offset));
    this.ranges.add(rangeTombstoneAt(this.arena, this.view, offset));
    this.#rangeOffsets.push(offset);
    return false;
  }

  #noteVersion(version: number): void {
    if (this.#minVersion === 0 || version < this.#minVersion) this.#minVersion = version;
    if (version > this.#maxVersion) this.#maxVersion = version;
  }

  #visible(newest: number, version: number): number {
    let entry = newest;
    while (entry !== 0) {
      const offset = this.#offsets[entry - 1] as number;
      if (readVersion(this.view, offset) <= version) return offset;
      entry = this.#older[entry - 1] as number;
    }
    return tooNew;
  }

  /** The slot that holds the record's key, or the empty one where it belongs. */
  #slotOfRecord(hash: number, offset: number): number {
    const { arena, view } = this;
    const slots = this.#slots;
    let slot = (hash & this.#slotMask) << 1;
    for (;;) {
      const newest = slots[slot + 1] as number;
      if (newest === 0) return slot;
      if (slots[slot] === hash) {
        const other = this.#offsets[newest - 1] as number;
        if (compareRecordKeys(arena, view, other, arena, view, offset) === 0) return slot;
      }
      slot = ((slot >>> 1) + 1 & this.#slotMask) << 1;
    }
  }

  /** False: not the first record of its key. */
  #replace(entry: number, offset: number): false {
    this.#offsets[entry] = offset;
    // The order may hold the old offset: build it anew at the next walk.
    if (entry < this.#orderedCount) this.forgetOrder();
    return false;
  }

  #order(): void {
    if (this.#orderedCount === this.#count) return;
    const fresh = this.#offsets.slice(this.#orderedCount, this.#count);
    sortRecords(this.arena, this.view, fresh);
    const tail = mergeSorted(this.arena, this.view, this.#tail, fresh);
    this.#orderedCount = this.#count;
    if (tail.length <= Math.max(tailMin, this.#base.length >>> tailShift)) {
      this.#tail = tail;
      return;
    }
    this.#base = mergeSorted(this.arena, this.view, this.#base, tail);
    this.#tail = new Uint32Array(0);
  }

  #growEntries(): void {
    this.#offsets = doubled(this.#offsets);
    this.#older = doubled(this.#older);
  }

  #growSlots(): void {
    const old = this.#slots;
    const slots = new Int32Array(old.length * 2);
    const mask = slots.length / 2 - 1;
    for (let from = 0; from < old.length; from += 2) {
      const newest = old[from + 1] as number;
      if (newest === 0) continue;
      const hash = old[from] as number;
      let slot = (hash & mask) << 1;
      while (slots[slot + 1] !== 0) slot = ((slot >>> 1) + 1 & mask) << 1;
      slots[slot] = hash;
      slots[slot + 1] = newest;
    }
    this.#slots = slots;
    this.#slotMask = mask;
  }
}

function doubled(array: Uint32Array): Uint32Array {
  const larger = new Uint32Array(array.length * 2);
  larger.set(array);
  return larger;
}

function powerOfTwoAtLeast(value: number): number {
  let power = 1;
  while (power < value) power *= 2;
  return power;
}
