// HOT: every scan walks at least one of these.
import { assert } from "../assert.ts";
import type { RecordCursor } from "./record-cursor.ts";
import { compareRecords, compareRecordToKey } from "./record-order.ts";

/**
 * A walk over two sorted lists of offsets, `base` and `tail`, as one. The position is one index into each:
 * all that stands before them is before the current record, which is the smaller of the two they point at.
 * So a step in either direction needs no memory of the last one.
 */
export class MemtableCursor implements RecordCursor {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly #base: Uint32Array;
  readonly #tail: Uint32Array;
  #baseAt: number;
  #tailAt: number;
  readonly #maxVersion: number;
  valid = false;
  offset = 0;

  /** `maxVersion`: no record has a higher version. */
  // oxlint-disable-next-line max-params
  constructor(
    bytes: Uint8Array,
    view: DataView,
    base: Uint32Array,
    tail: Uint32Array,
    maxVersion: number,
  ) {
    this.bytes = bytes;
    this.view = view;
    this.#base = base;
    this.#tail = tail;
    this.#maxVersion = maxVersion;
    this.#baseAt = 0;
    this.#tailAt = 0;
  }

  seekFirst(): void {
    this.#baseAt = 0;
    this.#tailAt = 0;
    this.#settle();
  }

  seekLast(): void {
    this.#baseAt = this.#base.length;
    this.#tailAt = this.#tail.length;
    this.#back();
  }

  seek(family: number, key: Uint8Array): void {
    this.#baseAt = this.#lowerBound(this.#base, family, key);
    this.#tailAt = this.#lowerBound(this.#tail, family, key);
    this.#settle();
  }

  next(): void {
    assert(this.valid, "a cursor moves only while it is valid");
    if (this.#tailAt < this.#tail.length && this.#tail[this.#tailAt] === this.offset) this.#tailAt++;
    else this.#baseAt++;
    this.#settle();
  }

  prev(): void {
    assert(this.valid, "a cursor moves only while it is valid");
    this.#back();
  }

  passForward(edge: Uint8Array, version: number): void {
    assert(this.valid, "a cursor moves only while it is valid");
    if (this.#maxVersion < version) this.seek(edge[0] as number, edge.subarray(1));
    else this.next();
  }

  passBackward(edge: Uint8Array, version: number): void {
    assert(this.valid, "a cursor moves only while it is valid");
    if (this.#maxVersion < version) this.seek(edge[0] as number, edge.subarray(1));
    this.#back();
  }

  /** An arena is never reused while anybody refers to it. */
  release(): void {
    this.valid = false;
  }

  /** The current record is the smaller of the two. */
  #settle(): void {
    const inBase = this.#baseAt < this.#base.length;
    const inTail = this.#tailAt < this.#tail.length;
    this.valid = inBase || inTail;
    if (!this.valid) return;
    const base = inBase ? (this.#base[this.#baseAt] as number) : 0;
    const tail = inTail ? (this.#tail[this.#tailAt] as number) : 0;
    if (inBase && inTail) this.offset = this.#compare(base, tail) < 0 ? base : tail;
    else this.offset = inBase ? base : tail;
  }

  /** The greater of the two before the position becomes the current record. */
  #back(): void {
    const inBase = this.#baseAt > 0;
    const inTail = this.#tailAt > 0;
    this.valid = inBase || inTail;
    if (!this.valid) return;
    const base = inBase ? (this.#base[this.#baseAt - 1] as number) : 0;
    const tail = inTail ? (this.#tail[this.#tailAt - 1] as number) : 0;
    if (inBase && (!inTail || this.#compare(base, tail) > 0)) {
      this.#baseAt--;
      this.offset = base;
    } else {
      this.#tailAt--;
      this.offset = tail;
    }
  }

  #compare(a: number, b: number): number {
    return compareRecords(this.bytes, this.view, a, this.bytes, this.view, b);
  }

  #lowerBound(sorted: Uint32Array, family: number, key: Uint8Array): number {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const offset = sorted[middle] as number;
      if (compareRecordToKey(this.bytes, this.view, offset, family, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
