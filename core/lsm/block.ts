// HOT: every read from a table ends in a block.
import { recordHeaderBytes, recordKind } from "../bytes/record.ts";
import { pointedLengthMax, readPointedLength, valuePointerBytes } from "../vlog/value-pointer.ts";
import { KeyPrefixes } from "./key-prefixes.ts";
import { compareRecordToKey, recordHasKey } from "./record-order.ts";
import type { CachedBlocks } from "./block-cache.ts";
import { blockTrailerBytes, viewOf } from "./table-format.ts";

/** Versions have 53 bits: 21 in the high word. */
const versionHighMax = 0x1f_ffff;
/** What a block costs beyond its bytes: two views, the object, its place in the cache, its keys in short. */
export const blockOverheadBytes = 512;
/** Searches of a block before its keys are extracted. */
const plainSearchesMax = 2;

/**
 * A verified block in memory: a piece of memory and what it holds. While it is pinned, or nobody's but its
 * holder's, its records never change; the cache reuses the memory of others.
 */
export class Block {
  /** The block is `bytes[start, start + length)`; frames share the memory of a chunk. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly start: number;
  length = 0;
  count = 0;
  #offsetsAt = 0;
  #prefixes: KeyPrefixes | null = null;
  #plainSearches = 0;
  /** Its place in the table. */
  index = 0;
  /** Cursors that stand in it, or have just left it. */
  pins = 0;
  /** Cache: whose block it is; null outside of the cache. */
  owner: CachedBlocks | null = null;
  /** Cache: reads since it came, the first one left out, and less one each time the clock hand passes. */
  heat = 0;
  /** Cache: its place in the ring; -1 outside. */
  ringAt = -1;

  /** Cache: its memory is one of the frames. */
  readonly isFrame: boolean;

  // oxlint-disable-next-line max-params
  constructor(memory: Uint8Array, view = viewOf(memory), start = 0, isFrame = false) {
    this.bytes = memory;
    this.view = view;
    this.start = start;
    this.isFrame = isFrame;
  }

  /** `bytes[start, start + length)` passed their checksum and `blockFault`. */
  hold(length: number, index: number): this {
    const trailerAt = this.start + length - blockTrailerBytes;
    this.length = length;
    this.count = this.view.getUint32(trailerAt, true);
    this.#offsetsAt = trailerAt - 4 * this.count;
    this.index = index;
    this.#prefixes = null;
    this.#plainSearches = 0;
    return this;
  }

  /** Where in `bytes` record `i` begins. */
  offsetAt(i: number): number {
    return this.start + this.view.getUint32(this.#offsetsAt + 4 * i, true);
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
 * What is wrong with the structure of the block `bytes[start, start + length)`, whose checksum holds; null
 * when every offset and length stays inside it. After this, reading records of the block needs no more checks.
 */
export function blockFault(view: DataView, start: number, length: number): string | null {
  if (length < blockTrailerBytes + 4) return "the block is too short";
  const countAt = start + length - blockTrailerBytes;
  const count = view.getUint32(countAt, true);
  if (count === 0 || count > (length - blockTrailerBytes) / 4) return "the block's count is impossible";
  const offsetsAt = length - blockTrailerBytes - 4 * count;
  let expected = 0;
  for (let i = 0; i < count; i++) {
    const offset = view.getUint32(start + offsetsAt + 4 * i, true);
    if (offset !== expected || offset + recordHeaderBytes > offsetsAt) return "a record is out of place";
    // Not `recordBytesAt`: an unchecked length may not fit its 32-bit arithmetic.
    const at = start + offset;
    const keyLength = view.getUint16(at + 4, true);
    const valueLength = view.getUint32(at, true);
    const end = Math.ceil((offset + recordHeaderBytes + keyLength + valueLength) / 4) * 4;
    const kind = view.getUint8(at + 6);
    if (kind > recordKind.value && kind !== recordKind.pointer) return "a record is of an unknown kind";
    if (view.getUint32(at + 12, true) > versionHighMax) return "a version is out of range";
    if (view.getUint32(at + 20, true) > versionHighMax) return "an expiry is out of range";
    expected = end;
    if (kind !== recordKind.pointer || expected > offsetsAt) continue;
    const pointer = at + recordHeaderBytes + keyLength;
    if (valueLength !== valuePointerBytes) return "a value pointer is of another length";
    if (readPointedLength(view, pointer) > pointedLengthMax) return "a value pointer's length is out of range";
    if (view.getUint32(pointer + 8, true) > versionHighMax) return "a value pointer's offset is out of range";
  }
  return expected === offsetsAt ? null : "the records do not fill the block";
}
