// HOT: every byte that a client sends passes here once.
import { assert } from "../../core/assert.ts";
import { Arguments } from "./arguments.ts";
import { splitInline } from "./inline-request.ts";

/** What may be announced before anything is stored. */
export interface RequestLimits {
  /** The longest argument. */
  readonly bulkBytesMax: number;
  /** The longest line without framing. */
  readonly inlineBytesMax: number;
  /** The most arguments of one request. */
  readonly argumentsMax: number;
  /** The most bytes of one request, framing included, and of everything that waits to be parsed. */
  readonly requestBytesMax: number;
}

/** What `next` found: bytes are missing, a request is in `args`, or the stream cannot be understood. */
export type ParserState = "more" | "request" | "failed";

/** What somebody who has not said the password may send. */
const strangerArgumentsMax = 10;
const strangerBulkBytesMax = 16_384;

/** Parsed memory beyond this is given back when the stream pauses between requests. */
const keptBytes = 64 * 1024;
const ownBytesMin = 1024;

const carriageReturn = 0x0d;
const lineFeed = 0x0a;
const dollar = 0x24;
const asterisk = 0x2a;
const minus = 0x2d;
const zero = 0x30;
/** Integers in headers are shorter than this, minus included. */
const headerDigitsMax = 11;

const headerMore = -2_000_000_001;
const headerWrong = -2_000_000_002;

/**
 * Cuts the stream of a connection into requests: arrays of bulk strings, or lines. Incremental: bytes may
 * arrive in any pieces and the requests, and the error if there is one, are the same. Every limit is checked
 * on the announcement, and memory grows with bytes that arrived, never with bytes that were promised.
 *
 * `feed` a piece, call `next` until it says "more" or "failed", then `retain` before the piece becomes
 * invalid; in between, arguments may point into the piece itself. Stricter than Redis in that framing must be
 * exact: headers are digits and CR LF, a bulk is followed by CR LF, and a line holds no NUL.
 */
export class RequestParser {
  readonly args = new Arguments();
  /** The reason after "failed", as Redis words it. */
  failure = "";
  /** The password was not said yet. */
  restricted: boolean;
  readonly #limits: RequestLimits;
  /** What arrived: the piece itself, or `#own`. */
  #bytes: Uint8Array;
  #own: Uint8Array = new Uint8Array(0);
  /** The request under way starts here; everything before is done with. */
  #start = 0;
  #position = 0;
  #end = 0;
  /** Arguments still to come of an array; 0: between requests. */
  #argumentsLeft = 0;
  /** Length of the argument whose bytes are awaited; -1: its header is. */
  #bulkBytes = -1;
  /** A line end was searched for up to here. */
  #searched = 0;
  /** Decoded tokens of a line. */
  #decoded: Uint8Array = new Uint8Array(0);

  constructor(limits: RequestLimits, restricted: boolean) {
    this.#limits = limits;
    this.restricted = restricted;
    this.#bytes = this.#own;
  }

  /** Bytes that belong to requests not yet returned. */
  get bufferedBytes(): number {
    return this.#end - this.#start;
  }

  /** A request was begun and its end has not arrived. Meaningful after "more". */
  get incomplete(): boolean {
    return this.#end > this.#start;
  }

  feed(piece: Uint8Array): void {
    if (this.#start === this.#end) {
      this.#bytes = piece;
      this.#start = 0;
      this.#position = 0;
      this.#searched = 0;
      this.#end = piece.length;
      return;
    }
    assert(this.#bytes === this.#own, "what was left of the last piece was retained");
    const needed = this.#end + piece.length;
    if (needed > this.#own.length) this.#grow(needed);
    this.#own.set(piece, this.#end);
    this.#end = needed;
  }

  /** Copies what is left of the piece, so that the piece may go. */
  retain(): void {
    const left = this.#end - this.#start;
    if (left === 0) {
      if (this.#own.length > keptBytes) this.#own = new Uint8Array(0);
      this.#rebase(this.#own, 0);
      return;
    }
    if (this.#bytes === this.#own) {
      if (this.#start > 0) this.#own.copyWithin(0, this.#start, this.#end);
    } else {
      if (this.#own.length < left) this.#own = new Uint8Array(Math.max(ownBytesMin, left));
      this.#own.set(new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + this.#start, left), 0);
    }
    this.#rebase(this.#own, left);
  }

  next(): ParserState {
    if (this.#argumentsLeft > 0) return this.#array();
    for (;;) {
      this.args.clear();
      if (this.#position === this.#end) return "more";
      const state = this.#bytes[this.#position] === asterisk ? this.#arrayHeader() : this.#line();
      // Requests without a single argument are passed over in silence.
      if (state !== "request" || this.args.count > 0) return state;
    }
  }

  #arrayHeader(): ParserState {
    const count = this.#header(1);
    if (count === headerMore) return this.#more();
    if (count === headerWrong || count > this.#limits.argumentsMax) {
      return this.#fail("invalid multibulk length");
    }
    if (this.restricted && count > strangerArgumentsMax) {
      return this.#fail("unauthenticated multibulk length");
    }
    if (count <= 0) {
      this.#start = this.#position;
      return "request";
    }
    this.#argumentsLeft = count;
    this.#bulkBytes = -1;
    return this.#array();
  }

  #array(): ParserState {
    while (this.#argumentsLeft > 0) {
      if (this.#bulkBytes < 0) {
        const state = this.#bulkHeader();
        if (state !== "request") return state;
      }
      const end = this.#position + this.#bulkBytes;
      if (end < this.#end && this.#bytes[end] !== carriageReturn) {
        return this.#fail("expected CRLF after bulk");
      }
      if (end + 1 >= this.#end) return "more";
      if (this.#bytes[end + 1] !== lineFeed) return this.#fail("expected CRLF after bulk");
      this.args.add(this.#position - this.#start, this.#bulkBytes);
      this.#position = end + 2;
      this.#bulkBytes = -1;
      this.#argumentsLeft--;
    }
    this.args.attach(this.#bytes, this.#start);
    this.#start = this.#position;
    return "request";
  }

  /** "request": the header of one argument was read. */
  #bulkHeader(): ParserState {
    if (this.#position === this.#end) return "more";
    const first = this.#bytes[this.#position] as number;
    if (first !== dollar) return this.#fail(`expected '$', got '${String.fromCharCode(first)}'`);
    const length = this.#header(1);
    if (length === headerMore) return "more";
    if (length < 0 || length > this.#limits.bulkBytesMax) return this.#fail("invalid bulk length");
    if (this.restricted && length > strangerBulkBytesMax) return this.#fail("unauthenticated bulk length");
    if (this.#position - this.#start + length > this.#limits.requestBytesMax) {
      return this.#fail(`request exceeds ${this.#limits.requestBytesMax} bytes`);
    }
    this.#bulkBytes = length;
    return "request";
  }

  /**
   * The integer of a header whose type byte is `skip` bytes long; moves behind its line end only when all of
   * it is there. Canonical integers only.
   */
  #header(skip: number): number {
    const bytes = this.#bytes;
    let i = this.#position + skip;
    const negative = i < this.#end && bytes[i] === minus;
    if (negative) i++;
    const digits = i;
    let value = 0;
    for (; i < this.#end; i++) {
      const digit = (bytes[i] as number) - zero;
      if (digit < 0 || digit > 9) break;
      if (i - digits >= headerDigitsMax - 1) return headerWrong;
      value = value * 10 + digit;
    }
    if (i - digits > 1 && bytes[digits] === zero) return headerWrong;
    if (i === this.#end) return headerMore;
    if (i === digits || (negative && value === 0) || bytes[i] !== carriageReturn) return headerWrong;
    if (i + 1 === this.#end) return headerMore;
    if (bytes[i + 1] !== lineFeed || value > 0x7fff_ffff) return headerWrong;
    this.#position = i + 2;
    return negative ? -Math.min(value, 1) : value;
  }

  #line(): ParserState {
    const limit = this.#start + this.#limits.inlineBytesMax;
    let i = Math.max(this.#searched, this.#start);
    for (; i < this.#end; i++) {
      const byte = this.#bytes[i] as number;
      if (byte === lineFeed) break;
      if (byte === 0) return this.#fail("unexpected NUL in inline request");
      if (i >= limit) return this.#fail("too big inline request");
    }
    this.#searched = i;
    if (i === this.#end) return this.#more();
    this.#position = i + 1;
    let end = i;
    if (end > this.#start && this.#bytes[end - 1] === carriageReturn) end--;
    const length = end - this.#start;
    if (this.#decoded.length < length) this.#decoded = new Uint8Array(Math.max(length, 256));
    const line = new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + this.#start, length);
    if (!splitInline(line, this.#decoded, this.args)) return this.#fail("unbalanced quotes in request");
    this.args.attach(this.#decoded, 0);
    this.#start = this.#position;
    return "request";
  }

  /** Nothing of the request is understood yet: it is looked at from its start when more arrives. */
  #more(): ParserState {
    this.#position = this.#start;
    return "more";
  }

  #fail(reason: string): ParserState {
    this.failure = reason;
    return "failed";
  }

  #rebase(bytes: Uint8Array, left: number): void {
    this.#position -= this.#start;
    this.#searched = Math.max(0, this.#searched - this.#start);
    this.#start = 0;
    this.#end = left;
    this.#bytes = bytes;
  }

  #grow(needed: number): void {
    const grown = new Uint8Array(Math.max(needed, this.#own.length * 2, ownBytesMin));
    grown.set(new Uint8Array(this.#own.buffer, 0, this.#end), 0);
    this.#own = grown;
    this.#bytes = grown;
  }
}
