// HOT: every scan steps through here.
import { assert } from "../assert.ts";
import type { ByteSlab } from "../bytes/byte-slab.ts";
import {
  columnFamily,
  compareKeys,
  readExpiresAtMs,
  readFamily,
  readKeyLength,
  readKind,
  readValueLength,
  readVersion,
  recordBytesAt,
  recordHeaderBytes,
  recordKind,
} from "../bytes/record.ts";
import { NokvError } from "../errors.ts";
import type { RangeWalk } from "../lsm/range-walk.ts";
import type { RecordCursor } from "../lsm/record-cursor.ts";
import { compareRecordKeys, compareRecordToKey } from "../lsm/record-order.ts";
import type { ValueFiles } from "../vlog/value-files.ts";
import { readPointedLength } from "../vlog/value-pointer.ts";
import { checkFamily } from "./batch.ts";
import { closed, invalidArgument } from "./failure.ts";
import type { Snapshot } from "./snapshot.ts";

/** As in `abstract-level`: `gte` and `lte` count before `gt` and `lt`. */
export interface IteratorOptions {
  readonly gt?: Uint8Array | undefined;
  readonly gte?: Uint8Array | undefined;
  readonly lt?: Uint8Array | undefined;
  readonly lte?: Uint8Array | undefined;
  readonly reverse?: boolean | undefined;
  /** At most so many entries; absent or -1: no bound. */
  readonly limit?: number | undefined;
  /** Values are not copied: `value` is empty. */
  readonly keysOnly?: boolean | undefined;
  readonly snapshot?: Snapshot | null | undefined;
  /** Sees commits that are not durable yet. Not together with `snapshot`. */
  readonly latest?: boolean | undefined;
  /** The column family; absent: data. */
  readonly family?: number | undefined;
}

/** What an iterator walks over, at which version and instant. */
export interface IteratorView {
  readonly cursor: RecordCursor;
  /** What range tombstones hide; null: there are none. */
  readonly ranges: RangeWalk | null;
  readonly version: number;
  readonly nowMs: number;
  /** Where copies of keys and values are cut from. */
  readonly slab: ByteSlab;
  /** Where values stand that are not in tables. */
  readonly values: ValueFiles;
  /** Gives back what the cursor holds. Called once. */
  release(iterator: EngineIterator): void;
}

export function checkIteratorOptions(options: IteratorOptions): void {
  const limit = options.limit ?? -1;
  if (!Number.isSafeInteger(limit) || limit < -1) {
    throw invalidArgument(`limit is ${limit}; it must be -1 or a non-negative integer`);
  }
  if (options.latest === true && (options.snapshot ?? null) !== null) {
    throw invalidArgument("an iterator shows a snapshot or the latest, not both");
  }
  if (options.family !== undefined) checkFamily(options.family);
}

const emptyBytes = new Uint8Array(0);

/**
 * The live entries within bounds, in key order, as of one version and one instant. It keeps what it sees from
 * being removed: close it. `next` may throw `NOKV_CORRUPTION` or `NOKV_IO`, and then throws the same for
 * ever.
 */
export class EngineIterator {
  readonly #view: IteratorView;
  readonly #cursor: RecordCursor;
  readonly #ranges: RangeWalk | null;
  readonly #family: number;
  readonly #reverse: boolean;
  readonly #keysOnly: boolean;
  /** Copies of the bounds; null: none. */
  readonly #from: Uint8Array | null;
  readonly #fromExcluded: boolean;
  readonly #to: Uint8Array | null;
  readonly #toExcluded: boolean;
  #left: number;
  #started = false;
  #ended = false;
  /** Where the next step begins instead of at a bound; null: at the bound. */
  #target: Uint8Array | null = null;
  #closedBy: "caller" | "engine" | null = null;
  #failure: NokvError | null = null;
  /** The current entry's record; meaningful while `#current` is true. */
  #current = false;
  #bytes: Uint8Array = emptyBytes;
  #recordView: DataView = new DataView(emptyBytes.buffer);
  #offset = 0;
  /** A copy of a record that the cursor left behind. */
  #kept: Uint8Array = emptyBytes;

  constructor(view: IteratorView, options: IteratorOptions) {
    this.#view = view;
    this.#cursor = view.cursor;
    this.#ranges = view.ranges;
    this.#family = options.family ?? columnFamily.data;
    this.#reverse = options.reverse === true;
    this.#keysOnly = options.keysOnly === true;
    this.#from = (options.gte ?? options.gt)?.slice() ?? null;
    this.#fromExcluded = options.gte === undefined;
    this.#to = (options.lte ?? options.lt)?.slice() ?? null;
    this.#toExcluded = options.lte === undefined;
    const limit = options.limit ?? -1;
    this.#left = limit < 0 ? Number.MAX_SAFE_INTEGER : limit;
  }

  /** To the first or the next entry; false when there is none. */
  next(): boolean {
    if (this.#closedBy !== null) throw closed(this.#closedBy === "engine" ? "database" : "iterator");
    if (this.#failure !== null) throw this.#failure;
    if (this.#left === 0 || this.#ended) return this.#stop();
    try {
      this.#current = this.#reverse ? this.#stepBack() : this.#stepForward();
    } catch (error) {
      // A walk that goes on after an unreadable block would leave entries out without a word.
      if (error instanceof NokvError) this.#failure = error;
      this.#current = false;
      throw error;
    }
    if (!this.#current) return this.#stop();
    this.#left--;
    return true;
  }

  /**
   * The next step goes to the entry at `target`, or to the nearest behind it in the direction of the walk. A
   * target outside the bounds is the end. What was used up of `limit` stays used up.
   */
  seek(target: Uint8Array): void {
    if (this.#closedBy !== null) throw closed(this.#closedBy === "engine" ? "database" : "iterator");
    this.#current = false;
    this.#started = false;
    this.#target = target.slice();
    this.#ended = !this.#isWithin(target);
  }

  /** A copy of the current key. */
  get key(): Uint8Array {
    this.#checkCurrent();
    const start = this.#offset + recordHeaderBytes;
    return this.#view.slab.copy(this.#bytes, start, start + readKeyLength(this.#recordView, this.#offset));
  }

  /** A copy of the current value. May throw `NOKV_CORRUPTION` or `NOKV_IO` when it stands outside its table. */
  get value(): Uint8Array {
    this.#checkCurrent();
    if (this.#keysOnly) return emptyBytes;
    // Only now: whoever looks at keys alone never reads a value file.
    if (readKind(this.#recordView, this.#offset) === recordKind.pointer) {
      return this.#view.values.read(this.#bytes, this.#recordView, this.#offset);
    }
    const start = this.#offset + recordHeaderBytes + readKeyLength(this.#recordView, this.#offset);
    return this.#view.slab.copy(this.#bytes, start, start + readValueLength(this.#recordView, this.#offset));
  }

  /**
   * The current key where it lies, without a copy: valid until the next call of `next` or `close`. After that
   * its memory may hold anything. Do not write to it.
   */
  get keyView(): Uint8Array {
    this.#checkCurrent();
    const start = this.#offset + recordHeaderBytes;
    return viewInto(this.#bytes, start, readKeyLength(this.#recordView, this.#offset));
  }

  /** The current value, as `keyView`; a copy when it stands outside its table, and then as `value`. */
  get valueView(): Uint8Array {
    this.#checkCurrent();
    if (this.#keysOnly) return emptyBytes;
    if (readKind(this.#recordView, this.#offset) === recordKind.pointer) {
      return this.#view.values.read(this.#bytes, this.#recordView, this.#offset);
    }
    const start = this.#offset + recordHeaderBytes + readKeyLength(this.#recordView, this.#offset);
    return viewInto(this.#bytes, start, readValueLength(this.#recordView, this.#offset));
  }

  /** Bytes of the current value; 0 when the iterator shows keys only. */
  get valueLength(): number {
    this.#checkCurrent();
    if (this.#keysOnly) return 0;
    const view = this.#recordView;
    if (readKind(view, this.#offset) !== recordKind.pointer) return readValueLength(view, this.#offset);
    return readPointedLength(view, this.#offset + recordHeaderBytes + readKeyLength(view, this.#offset));
  }

  get expiresAtMs(): number {
    this.#checkCurrent();
    return readExpiresAtMs(this.#recordView, this.#offset);
  }

  close(): void {
    this.#close("caller");
  }

  /** The engine closes: nothing may be read any more. */
  invalidate(): void {
    this.#close("engine");
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Key and value of every entry still to come; closes the iterator at the end. */
  *[Symbol.iterator](): Generator<[Uint8Array, Uint8Array], void, void> {
    try {
      while (this.next()) yield [this.key, this.value];
    } finally {
      this.close();
    }
  }

  #close(by: "caller" | "engine"): void {
    if (this.#closedBy !== null) return;
    this.#closedBy = by;
    this.#current = false;
    this.#bytes = emptyBytes;
    this.#cursor.release();
    this.#view.release(this);
  }

  #stop(): boolean {
    this.#ended = true;
    this.#current = false;
    return false;
  }

  #checkCurrent(): void {
    if (this.#closedBy !== null) throw closed(this.#closedBy === "engine" ? "database" : "iterator");
    if (!this.#current) throw invalidArgument("the iterator stands on no entry: call next() first");
  }

  #stepForward(): boolean {
    const cursor = this.#cursor;
    if (!this.#started) this.#seekStart();
    else this.#skipKeyForward();
    while (cursor.valid && readFamily(cursor.view, cursor.offset) === this.#family) {
      if (readVersion(cursor.view, cursor.offset) > this.#view.version) {
        cursor.next();
        continue;
      }
      // The newest version that this iterator may see decides about its key.
      this.#take(cursor);
      if (this.#isBeyondEnd()) return false;
      if (this.#ranges !== null && this.#isHidden(cursor, this.#ranges)) {
        this.#passHidden(cursor, this.#ranges);
        continue;
      }
      if (this.#isLive()) return true;
      this.#skipKeyForward();
    }
    return false;
  }

  /** Backwards a key's versions come oldest first: the last one that may be seen decides. */
  #stepBack(): boolean {
    const cursor = this.#cursor;
    if (!this.#started) this.#seekEnd();
    while (cursor.valid && readFamily(cursor.view, cursor.offset) === this.#family) {
      if (this.#ranges !== null && this.#isHidden(cursor, this.#ranges)) {
        this.#take(cursor);
        if (this.#isBeforeStart()) return false;
        this.#passHiddenBack(cursor, this.#ranges);
        continue;
      }
      if (!this.#takeNewestVisible()) continue;
      if (this.#isBeforeStart()) return false;
      if (this.#isLive()) return true;
    }
    return false;
  }

  /** Passes all versions of the key where the cursor stands; false: none of them may be seen. */
  #takeNewestVisible(): boolean {
    const cursor = this.#cursor;
    let seen = false;
    for (;;) {
      const { bytes, view, offset } = cursor;
      if (readVersion(view, offset) <= this.#view.version) {
        this.#take(cursor);
        seen = true;
      } else if (seen) {
        // The cursor is one move past what was taken, and would leave it behind with the next.
        this.#keep();
      }
      cursor.prev();
      if (!cursor.valid) return seen;
      if (compareRecordKeys(bytes, view, offset, cursor.bytes, cursor.view, cursor.offset) !== 0) return seen;
    }
  }

  /** Makes the record taken last independent of the cursor. */
  #keep(): void {
    if (this.#bytes === this.#kept) return;
    const length = recordBytesAt(this.#recordView, this.#offset);
    if (this.#kept.length < length) this.#kept = new Uint8Array(length);
    this.#kept.set(this.#bytes.subarray(this.#offset, this.#offset + length));
    this.#bytes = this.#kept;
    this.#recordView = new DataView(this.#kept.buffer);
    this.#offset = 0;
  }

  #seekStart(): void {
    this.#started = true;
    if (this.#target !== null) {
      this.#cursor.seek(this.#family, this.#target);
      return;
    }
    const from = this.#from ?? emptyBytes;
    this.#cursor.seek(this.#family, this.#from !== null && this.#fromExcluded ? successor(from) : from);
  }

  #seekEnd(): void {
    this.#started = true;
    const cursor = this.#cursor;
    const to = this.#to;
    if (this.#target !== null) cursor.seek(this.#family, successor(this.#target));
    else if (to === null) cursor.seek(this.#family + 1, emptyBytes);
    else cursor.seek(this.#family, this.#toExcluded ? to : successor(to));
    // It stands on the first record behind the range, if there is one.
    if (cursor.valid) cursor.prev();
    else cursor.seekLast();
  }

  /** From the record taken last, where the cursor stands, past all versions of its key. */
  #skipKeyForward(): void {
    const cursor = this.#cursor;
    for (;;) {
      cursor.next();
      if (!cursor.valid) return;
      const order = compareRecordKeys(
        this.#bytes, this.#recordView, this.#offset, cursor.bytes, cursor.view, cursor.offset,
      );
      if (order !== 0) return;
      // Only the record before the last move is sure to be still there.
      this.#take(cursor);
    }
  }

  /** A range tombstone that may be seen hides the record, and with it every older one of its key. */
  #isHidden(cursor: RecordCursor, ranges: RangeWalk): boolean {
    const version = readVersion(cursor.view, cursor.offset);
    return ranges.coverOf(cursor.bytes, cursor.view, cursor.offset) > version;
  }

  /** Past the current record, which is hidden, and past what is hidden behind it as far as sources can jump. */
  #passHidden(cursor: RecordCursor, ranges: RangeWalk): void {
    assert(ranges.until !== null, "what hides ends somewhere");
    cursor.passForward(ranges.until, ranges.cover);
  }

  #passHiddenBack(cursor: RecordCursor, ranges: RangeWalk): void {
    assert(ranges.from !== null, "what hides begins somewhere");
    cursor.passBackward(ranges.from, ranges.cover);
  }

  #take(cursor: RecordCursor): void {
    assert(cursor.valid, "only a valid cursor shows a record");
    this.#bytes = cursor.bytes;
    this.#recordView = cursor.view;
    this.#offset = cursor.offset;
  }

  #isLive(): boolean {
    if (readKind(this.#recordView, this.#offset) === recordKind.tombstone) return false;
    const expiresAtMs = readExpiresAtMs(this.#recordView, this.#offset);
    return expiresAtMs === 0 || expiresAtMs > this.#view.nowMs;
  }

  #isWithin(key: Uint8Array): boolean {
    const low = this.#from === null ? 1 : compareKeys(key, this.#from);
    const high = this.#to === null ? -1 : compareKeys(key, this.#to);
    if (low < 0 || (low === 0 && this.#fromExcluded)) return false;
    return high < 0 || (high === 0 && !this.#toExcluded);
  }

  #isBeyondEnd(): boolean {
    if (this.#to === null) return false;
    const order = this.#compareTo(this.#to);
    return order > 0 || (order === 0 && this.#toExcluded);
  }

  #isBeforeStart(): boolean {
    if (this.#from === null) return false;
    const order = this.#compareTo(this.#from);
    return order < 0 || (order === 0 && this.#fromExcluded);
  }

  #compareTo(key: Uint8Array): number {
    return compareRecordToKey(this.#bytes, this.#recordView, this.#offset, this.#family, key);
  }
}

function viewInto(bytes: Uint8Array, start: number, length: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, length);
}

/** The least key above `key`. */
function successor(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}
