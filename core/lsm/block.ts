// HOT: every read from a table ends in a block.
import { recordHeaderBytes, recordKind } from "../bytes/record.ts";
import { pointedLengthMax, readPointedLength, valuePointerBytes } from "../vlog/value-pointer.ts";
import { KeyPrefixes } from "./key-prefixes.ts";
import { compareRecordToKey, recordHasKey } from "./record-order.ts";
import { blockTrailerBytes, viewOf } from "./table-format.ts";

/** Versions have 53 bits: 21 in the high word. */
const versionHighMax = 0x1f_ffff;
/** What a cached block costs beyond its bytes: two views, the object, its place in the cache. */
const blockOverheadBytes = 256;
/** And per record, once its keys are extracted. */
const prefixCostBytes = 8;
/** Searches of a block before its keys are extracted. */
const plainSearchesMax = 2;

/** A verified block in memory. Its records never change. */
export class Block {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly count: number;
  readonly #offsetsAt: number;
  #prefixes: KeyPrefixes | null = null;
  #plainSearches = 0;
  /** Its place in the table. */
  readonly index: number;
  /** Cache: read again since it came or the clock hand last passed. One scan marks nothing. */
  referenced = false;
  /** Cache: its place in the ring; -1 outside. */
  ringAt = -1;

  /** `bytes` passed their checksum and `blockFault`. */
  constructor(bytes: Uint8Array, index: number) {
    this.bytes = bytes;
    this.view = viewOf(bytes);
    this.count = this.view.getUint32(bytes.length - blockTrailerBytes, true);
    this.#offsetsAt = bytes.length - blockTrailerBytes - 4 * this.count;
    this.index = index;
  }

  get chargeBytes(): number {
    return this.bytes.length + this.count * prefixCostBytes + blockOverheadBytes;
  }

  /** Where record `i` begins. */
  offsetAt(i: number): number {
    return this.view.getUint32(this.#offsetsAt + 4 * i, true);
  }

  /**
   * Index of the first record at or after (family, key, version) in record order; `count` if there is none.
   */
  search(family: number, key: Uint8Array, version: number): number {
    let low = 0;
    let high = this.count;
    const prefixes = this.#prefixes ?? this.#learnPrefixes();
    if (prefixes !== null) {
      prefixes.narrow(family, key);
      low = prefixes.low;
      high = prefixes.high;
    }
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#isBefore(this.offsetAt(middle), family, key, version)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  hasKeyAt(offset: number, family: number, key: Uint8Array): boolean {
    return recordHasKey(this.bytes, this.view, offset, family, key);
  }

  /**
   * A block that is searched again and again is worth an extract of its keys; one that a scan passes is
   * not.
   */
  #learnPrefixes(): KeyPrefixes | null {
    this.#plainSearches++;
    if (this.#plainSearches <= plainSearchesMax) return null;
    const offsets = new Uint32Array(this.count);
    for (let i = 0; i < offsets.length; i++) offsets[i] = this.offsetAt(i);
    this.#prefixes = new KeyPrefixes(this.bytes, this.view, offsets);
    return this.#prefixes;
  }

  #isBefore(offset: number, family: number, key: Uint8Array, version: number): boolean {
    const byKey = compareRecordToKey(this.bytes, this.view, offset, family, key);
    if (byKey !== 0) return byKey < 0;
    const high = this.view.getUint32(offset + 12, true);
    return high * 0x1_0000_0000 + this.view.getUint32(offset + 8, true) > version;
  }
}

/**
 * What is wrong with the structure of a block whose checksum holds; null when every offset and length stays
 * inside it. After this, reading records of the block needs no more checks.
 */
export function blockFault(bytes: Uint8Array): string | null {
  if (bytes.length < blockTrailerBytes + 4) return "the block is too short";
  const view = viewOf(bytes);
  const count = view.getUint32(bytes.length - blockTrailerBytes, true);
  if (count === 0 || count > (bytes.length - blockTrailerBytes) / 4) return "the block's count is impossible";
  const offsetsAt = bytes.length - blockTrailerBytes - 4 * count;
  let expected = 0;
  for (let i = 0; i < count; i++) {
    const offset = view.getUint32(offsetsAt + 4 * i, true);
    if (offset !== expected || offset + recordHeaderBytes > offsetsAt) return "a record is out of place";
    // Not `recordBytesAt`: an unchecked length may not fit its 32-bit arithmetic.
    const keyLength = view.getUint16(offset + 4, true);
    const valueLength = view.getUint32(offset, true);
    const end = Math.ceil((offset + recordHeaderBytes + keyLength + valueLength) / 4) * 4;
    const kind = view.getUint8(offset + 6);
    if (kind > recordKind.value && kind !== recordKind.pointer) return "a record is of an unknown kind";
    if (view.getUint32(offset + 12, true) > versionHighMax) return "a version is out of range";
    if (view.getUint32(offset + 20, true) > versionHighMax) return "an expiry is out of range";
    expected = end;
    if (kind !== recordKind.pointer || expected > offsetsAt) continue;
    const pointer = offset + recordHeaderBytes + keyLength;
    if (valueLength !== valuePointerBytes) return "a value pointer is of another length";
    if (readPointedLength(view, pointer) > pointedLengthMax) return "a value pointer's length is out of range";
    if (view.getUint32(pointer + 8, true) > versionHighMax) return "a value pointer's offset is out of range";
  }
  return expected === offsetsAt ? null : "the records do not fill the block";
}
