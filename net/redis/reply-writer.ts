// HOT: every byte of every reply is written here, straight into the output of its connection.
import { assert } from "../../core/assert.ts";

export type Protocol = 2 | 3;

const startBytes = 512;
/** Shorter ranges are copied by a loop: the call into the runtime costs more. */
const loopBytesMax = 24;

const cr = 0x0d;
const lf = 0x0a;
const zero = 0x30;
const space = 0x20;

const encoder = new TextEncoder();

/**
 * Replies of one vocabulary in the encoding of either protocol. RESP2 has no maps, sets, pushes, doubles,
 * booleans, big numbers or verbatim texts: they become arrays, bulks and integers as Redis does it.
 *
 * Aggregates write only their header; the caller writes as many items as it announced. Texts are bytes, one
 * code unit each (what is beyond 0xff becomes a question mark), and simple texts lose line breaks: what a
 * client sent must not be able to end a reply.
 */
export class ReplyWriter {
  protocol: Protocol = 2;
  length = 0;
  /** Errors written since it was last read and set to 0. */
  errors = 0;
  #bytes: Uint8Array;

  constructor(capacity = startBytes) {
    this.#bytes = new Uint8Array(capacity);
  }

  get capacity(): number {
    return this.#bytes.length;
  }

  /** Valid until the next write. */
  view(): Uint8Array {
    return new Uint8Array(this.#bytes.buffer, 0, this.length);
  }

  clear(): void {
    this.length = 0;
  }

  /** Appends everything that `other` holds, and takes over its count of errors. */
  append(other: ReplyWriter): void {
    this.#reserve(other.length);
    this.#copy(other.view());
    this.errors += other.errors;
    other.errors = 0;
  }

  ok(): void {
    this.#reserve(5);
    const bytes = this.#bytes;
    const at = this.length;
    bytes[at] = 0x2b;
    bytes[at + 1] = 0x4f;
    bytes[at + 2] = 0x4b;
    bytes[at + 3] = cr;
    bytes[at + 4] = lf;
    this.length = at + 5;
  }

  simple(text: string): void {
    this.#line(0x2b, text);
  }

  /** `text` begins with the code, "ERR" or another; Redis's clients look at it. */
  error(text: string): void {
    this.errors++;
    this.#line(0x2d, text);
  }

  /** A safe integer. */
  integer(value: number): void {
    if (value >= 0 && value <= 9) {
      this.#reserve(4);
      const bytes = this.#bytes;
      bytes[this.length] = 0x3a;
      bytes[this.length + 1] = zero + value;
      bytes[this.length + 2] = cr;
      bytes[this.length + 3] = lf;
      this.length += 4;
      return;
    }
    assert(Number.isSafeInteger(value), "an integer reply is exact");
    this.#header(0x3a, value);
  }

  /** A 64-bit signed integer. */
  long(value: bigint): void {
    this.#line(0x3a, value.toString());
  }

  /** An integer of any size; RESP2 has a text for it. */
  bigNumber(value: bigint): void {
    if (this.protocol === 3) this.#line(0x28, value.toString());
    else this.text(value.toString());
  }

  bulk(value: Uint8Array): void {
    this.#header(0x24, value.length);
    this.#reserve(value.length + 2);
    this.#copy(value);
    this.#bytes[this.length] = cr;
    this.#bytes[this.length + 1] = lf;
    this.length += 2;
  }

  bulkOrNull(value: Uint8Array | null): void {
    if (value === null) this.null();
    else this.bulk(value);
  }

  /** A bulk of a text, one byte per code unit. */
  text(value: string): void {
    this.#header(0x24, value.length);
    this.#reserve(value.length + 2);
    this.#ascii(value, false);
    this.#bytes[this.length] = cr;
    this.#bytes[this.length + 1] = lf;
    this.length += 2;
  }

  /** A long text for people; RESP3 says so. */
  verbatim(value: string): void {
    if (this.protocol === 2) {
      this.bulk(encoder.encode(value));
      return;
    }
    const bytes = encoder.encode(value);
    this.#header(0x3d, bytes.length + 4);
    this.#reserve(bytes.length + 6);
    this.#ascii("txt:", false);
    this.#copy(bytes);
    this.#bytes[this.length] = cr;
    this.#bytes[this.length + 1] = lf;
    this.length += 2;
  }

  null(): void {
    if (this.protocol === 3) this.#line(0x5f, "");
    else this.#header(0x24, -1);
  }

  /** RESP2 tells the absent array from the absent bulk. */
  nullArray(): void {
    if (this.protocol === 3) this.#line(0x5f, "");
    else this.#header(0x2a, -1);
  }

  array(items: number): void {
    this.#header(0x2a, items);
  }

  /** `pairs` times a key and a value follow. */
  map(pairs: number): void {
    if (this.protocol === 3) this.#header(0x25, pairs);
    else this.#header(0x2a, pairs * 2);
  }

  set(items: number): void {
    this.#header(this.protocol === 3 ? 0x7e : 0x2a, items);
  }

  /** Not a reply: something that the client did not ask for. */
  push(items: number): void {
    this.#header(this.protocol === 3 ? 0x3e : 0x2a, items);
  }

  double(value: number): void {
    const text = Number.isFinite(value) ? String(value) : specialDouble(value);
    if (this.protocol === 3) this.#line(0x2c, text);
    else this.text(text);
  }

  boolean(value: boolean): void {
    if (this.protocol === 3) this.#line(0x23, value ? "t" : "f");
    else this.integer(value ? 1 : 0);
  }

  #line(type: number, text: string): void {
    this.#reserve(text.length + 3);
    this.#bytes[this.length++] = type;
    this.#ascii(text, true);
    this.#bytes[this.length++] = cr;
    this.#bytes[this.length++] = lf;
  }

  #header(type: number, value: number): void {
    this.#reserve(24);
    const bytes = this.#bytes;
    let at = this.length;
    bytes[at++] = type;
    let rest = value;
    if (rest < 0) {
      bytes[at++] = 0x2d;
      rest = -rest;
    }
    let digits = 1;
    for (let bound = 10; rest >= bound; bound *= 10) digits++;
    for (let i = at + digits - 1; i >= at; i--) {
      const quotient = Math.floor(rest / 10);
      bytes[i] = zero + (rest - quotient * 10);
      rest = quotient;
    }
    at += digits;
    bytes[at] = cr;
    bytes[at + 1] = lf;
    this.length = at + 2;
  }

  /** Room was reserved. */
  #ascii(text: string, oneLine: boolean): void {
    const bytes = this.#bytes;
    let at = this.length;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (oneLine && (code === cr || code === lf)) bytes[at++] = space;
      else bytes[at++] = code > 0xff ? 0x3f : code;
    }
    this.length = at;
  }

  /** Room was reserved. */
  #copy(source: Uint8Array): void {
    const bytes = this.#bytes;
    const at = this.length;
    if (source.length > loopBytesMax) {
      bytes.set(source, at);
    } else {
      for (let i = 0; i < source.length; i++) bytes[at + i] = source[i] as number;
    }
    this.length = at + source.length;
  }

  #reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.view());
    this.#bytes = grown;
  }
}

function specialDouble(value: number): string {
  if (Number.isNaN(value)) return "nan";
  return value > 0 ? "inf" : "-inf";
}
