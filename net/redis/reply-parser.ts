// HOT: every byte of every reply that a simulated client gets passes here.
import { assert } from "../../core/assert.ts";
import { parseDecimal } from "../../core/bytes/decimal.ts";
import { parseBigNumber } from "./big-number.ts";
import { type Reply, textOf } from "./reply.ts";

/** A server that announces more than this is not understood. */
export interface ReplyLimits {
  readonly bulkBytesMax: number;
  readonly lineBytesMax: number;
  readonly itemsMax: number;
  readonly depthMax: number;
}

const replyLimitsDefault: ReplyLimits = {
  bulkBytesMax: 512 * 1024 * 1024,
  lineBytesMax: 64 * 1024,
  itemsMax: 16 * 1024 * 1024,
  depthMax: 32,
};

const ownBytesMin = 1024;
const carriageReturn = 0x0d;
const lineFeed = 0x0a;

const missing: unique symbol = Symbol("bytes are missing");
const opened: unique symbol = Symbol("an aggregate was opened");

type AggregateKind = "array" | "set" | "push" | "map" | "attribute";

/** An aggregate whose items are being read. */
interface Frame {
  readonly kind: AggregateKind;
  /** Replies to come; a pair counts as two. */
  left: number;
  readonly items: Reply[];
}

/** The stream cannot be understood; it must not be read on. */
export class ReplyError extends Error {
  override readonly name = "ReplyError";
}

/**
 * Cuts what a server sends into replies of either protocol. Incremental: the replies do not depend on how the
 * bytes are cut. Attributes are read and dropped. Replies own their bytes.
 */
export class ReplyParser {
  readonly #limits: ReplyLimits;
  #bytes: Uint8Array = new Uint8Array(ownBytesMin);
  #position = 0;
  #end = 0;
  /** A line end was searched for up to here. */
  #searched = 0;
  readonly #frames: Frame[] = [];

  constructor(limits: ReplyLimits = replyLimitsDefault) {
    this.#limits = limits;
  }

  /** Bytes that belong to a reply not yet complete. */
  get bufferedBytes(): number {
    return this.#end - this.#position;
  }

  /** Copies `piece`. */
  feed(piece: Uint8Array): void {
    if (this.#position === this.#end) {
      this.#position = 0;
      this.#end = 0;
      this.#searched = 0;
    }
    if (this.#end + piece.length > this.#bytes.length) this.#makeRoom(piece.length);
    this.#bytes.set(piece, this.#end);
    this.#end += piece.length;
  }

  /** The next reply; null when bytes are missing. Throws `ReplyError`. */
  next(): Reply | null {
    for (;;) {
      const element = this.#element();
      if (element === missing) return null;
      const reply = element === opened ? this.#closeEmpty() : this.#place(element);
      if (reply !== null) return reply;
    }
  }

  /** Puts `reply` into the innermost open aggregate; a reply that is complete on the outside is returned. */
  #place(reply: Reply): Reply | null {
    let complete = reply;
    for (;;) {
      const frame = this.#frames.at(-1);
      if (frame === undefined) return complete;
      frame.items.push(complete);
      frame.left--;
      if (frame.left > 0) return null;
      this.#frames.pop();
      if (frame.kind === "attribute") return null;
      complete = closed(frame.kind, frame.items);
    }
  }

  /** An aggregate was announced: without items it is complete already. */
  #closeEmpty(): Reply | null {
    const frame = this.#frames.at(-1);
    assert(frame !== undefined, "an aggregate was opened");
    if (frame.left > 0) return null;
    this.#frames.pop();
    return frame.kind === "attribute" ? null : this.#place(closed(frame.kind, frame.items));
  }

  #element(): Reply | typeof missing | typeof opened {
    const lineEnd = this.#lineEnd();
    if (lineEnd < 0) return missing;
    const start = this.#position + 1;
    const type = String.fromCharCode(this.#bytes[this.#position] as number);
    switch (type) {
      case "$":
      case "=":
      case "!":
        return this.#bulk(type, start, lineEnd);
      case "*":
        return this.#open("array", this.#count(start, lineEnd), lineEnd);
      case "~":
        return this.#open("set", this.#count(start, lineEnd), lineEnd);
      case ">":
        return this.#open("push", this.#count(start, lineEnd), lineEnd);
      case "%":
        return this.#open("map", this.#count(start, lineEnd) * 2, lineEnd);
      case "|":
        return this.#open("attribute", this.#count(start, lineEnd) * 2, lineEnd);
      default: {
        const text = textOf(this.#bytes.subarray(start, lineEnd));
        this.#skipTo(lineEnd + 2);
        return scalar(type, text);
      }
    }
  }

  #open(kind: AggregateKind, items: number, lineEnd: number): Reply | typeof opened {
    this.#skipTo(lineEnd + 2);
    if (items < 0) return { kind: "null" };
    if (items > this.#limits.itemsMax) throw new ReplyError("too many items announced");
    if (this.#frames.length === this.#limits.depthMax) throw new ReplyError("nested too deeply");
    this.#frames.push({ kind, left: items, items: [] });
    return opened;
  }

  #bulk(type: "$" | "=" | "!", start: number, lineEnd: number): Reply | typeof missing {
    const length = this.#count(start, lineEnd);
    if (length > this.#limits.bulkBytesMax) throw new ReplyError("too long a bulk announced");
    const from = lineEnd + 2;
    if (length < 0) {
      this.#skipTo(from);
      return { kind: "null" };
    }
    const to = from + length;
    if (to + 2 > this.#end) return missing;
    if (this.#bytes[to] !== carriageReturn || this.#bytes[to + 1] !== lineFeed) {
      throw new ReplyError("a bulk is not followed by CRLF");
    }
    const bytes = this.#bytes.slice(from, to);
    this.#skipTo(to + 2);
    if (type === "$") return { kind: "bulk", bytes };
    if (type === "!") return { kind: "error", text: textOf(bytes) };
    if (length < 4) throw new ReplyError("a verbatim text without a format");
    return { kind: "verbatim", format: textOf(bytes.subarray(0, 3)), bytes: bytes.slice(4) };
  }

  /** -1 means null. */
  #count(start: number, lineEnd: number): number {
    const value = parseDecimal(this.#bytes, start, lineEnd);
    if (typeof value !== "number" || value < -1) throw new ReplyError("a length is expected");
    return value;
  }

  /** Where the line at the front ends; -1 when its end has not come. */
  #lineEnd(): number {
    let i = Math.max(this.#searched, this.#position);
    for (; i + 1 < this.#end; i++) {
      if (this.#bytes[i] !== carriageReturn) continue;
      if (this.#bytes[i + 1] !== lineFeed) throw new ReplyError("a line is not ended by CRLF");
      this.#searched = i;
      return i;
    }
    if (i - this.#position > this.#limits.lineBytesMax) throw new ReplyError("too long a line");
    this.#searched = i;
    return -1;
  }

  #skipTo(position: number): void {
    this.#position = position;
    this.#searched = position;
  }

  #makeRoom(count: number): void {
    const left = this.#end - this.#position;
    const needed = left + count;
    const target =
      needed <= this.#bytes.length / 2 ? this.#bytes : new Uint8Array(Math.max(needed * 2, ownBytesMin));
    target.set(this.#bytes.subarray(this.#position, this.#end), 0);
    this.#searched = Math.max(0, this.#searched - this.#position);
    this.#bytes = target;
    this.#position = 0;
    this.#end = left;
  }
}

function closed(kind: Exclude<AggregateKind, "attribute">, items: readonly Reply[]): Reply {
  if (kind !== "map") return { kind, items };
  const entries: [Reply, Reply][] = [];
  for (let i = 0; i + 1 < items.length; i += 2) entries.push([items[i] as Reply, items[i + 1] as Reply]);
  return { kind: "map", entries };
}

function scalar(type: string, text: string): Reply {
  switch (type) {
    case "+":
      return { kind: "simple", text };
    case "-":
      return { kind: "error", text };
    case ":":
    case "(": {
      const value = parseBigNumber(text);
      if (value === null) throw new ReplyError("an integer is expected");
      return { kind: "integer", value };
    }
    case "_":
      if (text !== "") throw new ReplyError("a null has no text");
      return { kind: "null" };
    case "#":
      if (text !== "t" && text !== "f") throw new ReplyError("a boolean is t or f");
      return { kind: "boolean", value: text === "t" };
    case ",":
      return { kind: "double", value: parseDouble(text) };
    default:
      throw new ReplyError(`unknown type of reply ${JSON.stringify(type)}`);
  }
}

function parseDouble(text: string): number {
  if (text === "inf") return Infinity;
  if (text === "-inf") return -Infinity;
  if (text === "nan") return Number.NaN;
  if (!/^[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text)) throw new ReplyError("a double is expected");
  return Number(text);
}
