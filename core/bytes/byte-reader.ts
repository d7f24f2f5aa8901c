// HOT: every message between nodes is read here.
import { assert } from "../assert.ts";

const twoTo32 = 0x1_0000_0000;
/** A varint of so many bytes holds 56 bits: enough for every safe integer. */
const varintBytesMax = 8;

/** Bytes that do not say what they should. Names the field, what stands there, and what is wrong with it. */
export class MalformedError extends Error {
  override readonly name = "MalformedError";
  readonly field: string;
  readonly value: number | string;

  constructor(field: string, value: number | string, problem: string) {
    super(`${field} is ${value}: ${problem}`);
    this.field = field;
    this.value = value;
  }
}

/**
 * Reads what `ByteWriter` wrote, from bytes that anybody may have sent: throws `MalformedError` instead of reading past
 * the end, and allocates no more than the bytes that are there can fill.
 */
export class ByteReader {
  #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u8(field: string): number {
    const at = this.#take(field, 1);
    return this.#bytes[at] as number;
  }

  bool(field: string): boolean {
    const value = this.u8(field);
    if (value > 1) throw new MalformedError(field, value, "neither 0 nor 1");
    return value === 1;
  }

  u16(field: string): number {
    const at = this.#take(field, 2);
    return (this.#bytes[at] as number) | ((this.#bytes[at + 1] as number) << 8);
  }

  u32(field: string): number {
    return readU32(this.#bytes, this.#take(field, 4));
  }

  u53(field: string): number {
    const at = this.#take(field, 8);
    const value = readU32(this.#bytes, at + 4) * twoTo32 + readU32(this.#bytes, at);
    if (!Number.isSafeInteger(value)) throw new MalformedError(field, value, "2^53 or more");
    return value;
  }

  varint(field: string): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < varintBytesMax; i++) {
      const byte = this.#bytes[this.#take(field, 1)] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (byte === 0 && i > 0) throw new MalformedError(field, value, "not the shortest varint");
        if (!Number.isSafeInteger(value)) throw new MalformedError(field, value, "2^53 or more");
        return value;
      }
      scale *= 128;
    }
    throw new MalformedError(field, value, `a varint of more than ${varintBytesMax} bytes`);
  }

  /** A varint of at most `max`. */
  bounded(field: string, max: number): number {
    const value = this.varint(field);
    if (value > max) throw new MalformedError(field, value, `more than ${max}`);
    return value;
  }

  /** The next `length` bytes: a view into what is read. */
  raw(field: string, length: number): Uint8Array {
    const at = this.#take(field, length);
    return this.#bytes.subarray(at, at + length);
  }

  /** Whatever is left: a view into what is read. */
  rest(): Uint8Array {
    return this.raw("rest", this.left);
  }

  /** A byte string of at most `lengthMax`: a view into what is read. */
  bytes(field: string, lengthMax: number): Uint8Array {
    return this.raw(field, this.bounded(field, lengthMax));
  }

  /** As `bytes`, a copy that may be kept. */
  copy(field: string, lengthMax: number): Uint8Array {
    return this.bytes(field, lengthMax).slice();
  }

  /** UTF-8 of at most `lengthMax` bytes. */
  text(field: string, lengthMax: number): string {
    const bytes = this.bytes(field, lengthMax);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw new MalformedError(field, bytes.length, "bytes that are not UTF-8");
    }
  }

  /** At most `countMax` items, each of at least one byte. */
  list<T>(field: string, countMax: number, read: (reader: ByteReader) => T): T[] {
    const count = this.#count(field, countMax);
    const items: T[] = [];
    for (let i = 0; i < count; i++) items.push(read(this));
    return items;
  }

  /** At most `countMax` entries with ascending keys. */
  map<T>(field: string, countMax: number, read: (reader: ByteReader) => T): Map<number, T> {
    const count = this.#count(field, countMax);
    const map = new Map<number, T>();
    let previous = -1;
    for (let i = 0; i < count; i++) {
      const key = this.varint(field);
      if (key <= previous) throw new MalformedError(field, key, `a key that does not ascend after ${previous}`);
      previous = key;
      map.set(key, read(this));
    }
    return map;
  }

  /** Nothing may be left. */
  end(field: string): void {
    if (this.left > 0) throw new MalformedError(field, this.left, "bytes behind its end");
  }

  #count(field: string, countMax: number): number {
    const count = this.bounded(field, countMax);
    if (count > this.left) throw new MalformedError(field, count, `more items than the ${this.left} bytes left`);
    return count;
  }

  #take(field: string, count: number): number {
    assert(count >= 0, "a length is not negative");
    const at = this.#at;
    if (count > this.#bytes.length - at) {
      throw new MalformedError(field, count, `more bytes than the ${this.#bytes.length - at} left`);
    }
    this.#at = at + count;
    return at;
  }
}

/** The unsigned little-endian integer at `at`. */
export function readU32(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16);
  return (low | ((bytes[at + 3] as number) << 24)) >>> 0;
}
