// HOT: every message between nodes is written here.
import { assert } from "../assert.ts";

const twoTo32 = 0x1_0000_0000;
const capacityMin = 256;
const encoder = new TextEncoder();

/**
 * Writes integers, byte strings, lists and maps into memory that it keeps and uses again. Integers are little-endian.
 * A varint has seven bits per byte, the low ones first, the top bit set in all but the last, and no byte too many.
 */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  constructor(capacity = capacityMin) {
    this.#bytes = new Uint8Array(Math.max(capacityMin, capacity));
  }

  get length(): number {
    return this.#length;
  }

  get capacity(): number {
    return this.#bytes.length;
  }

  /** What was written since `clear`, valid until the next call of this writer. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** A copy that belongs to the caller. */
  toBytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  /** Room for `count` bytes, to be filled later. Returns where it begins. */
  skip(count: number): number {
    const at = this.#take(count);
    this.#bytes.fill(0, at, at + count);
    return at;
  }

  u8(value: number): void {
    assert(value >= 0 && value <= 0xff && Number.isInteger(value), "a u8 fits 8 bits");
    this.#put(value);
  }

  bool(value: boolean): void {
    this.#put(value ? 1 : 0);
  }

  u16(value: number): void {
    assert(value >= 0 && value <= 0xffff && Number.isInteger(value), "a u16 fits 16 bits");
    const at = this.#take(2);
    this.#bytes[at] = value & 0xff;
    this.#bytes[at + 1] = value >>> 8;
  }

  u32(value: number): void {
    assert(value >= 0 && value < twoTo32 && Number.isInteger(value), "a u32 fits 32 bits");
    this.setU32(this.#take(4), value);
  }

  /** Eight bytes: two u32, the low one first. */
  u53(value: number): void {
    assert(value >= 0 && Number.isSafeInteger(value), "a u53 is a safe integer");
    const at = this.#take(8);
    this.setU32(at, value % twoTo32);
    this.setU32(at + 4, Math.floor(value / twoTo32));
  }

  /** A non-negative safe integer in one to eight bytes. */
  varint(value: number): void {
    assert(value >= 0 && Number.isSafeInteger(value), "a varint is a safe integer");
    let rest = value;
    while (rest >= twoTo32) {
      this.#put((rest % 128) | 0x80);
      rest = Math.floor(rest / 128);
    }
    while (rest > 0x7f) {
      this.#put((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.#put(rest);
  }

  /** No length: the reader knows it, or reads to the end. */
  raw(bytes: Uint8Array): void {
    const at = this.#take(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** Its length as a varint, then `value`. */
  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.raw(value);
  }

  /** UTF-8, as `bytes`. */
  text(value: string): void {
    this.bytes(encoder.encode(value));
  }

  /** The count as a varint, then each item by `write`. */
  list<T>(items: readonly T[], write: (writer: ByteWriter, item: T) => void): void {
    this.varint(items.length);
    for (let i = 0; i < items.length; i++) write(this, items[i] as T);
  }

  /** The count as a varint, then key (varint) and value of each entry, keys ascending whatever the order of `map`. */
  map<T>(map: ReadonlyMap<number, T>, write: (writer: ByteWriter, value: T) => void): void {
    const keys = [...map.keys()].toSorted((a, b) => a - b);
    this.varint(keys.length);
    for (const key of keys) {
      this.varint(key);
      write(this, map.get(key) as T);
    }
  }

  /** Overwrites four bytes at `at`, which were written before. */
  setU32(at: number, value: number): void {
    assert(at + 4 <= this.#length, "only what was written is overwritten");
    const bytes = this.#bytes;
    bytes[at] = value & 0xff;
    bytes[at + 1] = (value >>> 8) & 0xff;
    bytes[at + 2] = (value >>> 16) & 0xff;
    bytes[at + 3] = (value >>> 24) & 0xff;
  }

  /** Not `bytes[take()]`: taking may replace the memory. */
  #put(byte: number): void {
    const at = this.#take(1);
    this.#bytes[at] = byte;
  }

  /** Where the next `count` bytes go. */
  #take(count: number): number {
    const at = this.#length;
    this.#length = at + count;
    if (this.#length > this.#bytes.length) this.#grow();
    return at;
  }

  #grow(): void {
    let capacity = this.#bytes.length * 2;
    while (capacity < this.#length) capacity *= 2;
    const grown = new Uint8Array(capacity);
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}
