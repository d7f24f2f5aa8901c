// HOT: every byte from every peer.
import { assert } from "../../core/assert.ts";
import { MalformedError, readU32 } from "../../core/bytes/byte-reader.ts";
import { crc32 } from "../../core/bytes/crc32.ts";
import { frameHeaderBytes, frameSeed, frameTrailerBytes } from "./frame-writer.ts";
import { messageClassMax } from "./wire.ts";

const noBytes = new Uint8Array(0);
const ownBytesMin = 1024;
/** Memory of its own beyond this is given back when nothing waits in it. */
const ownBytesKept = 64 * 1024;

export type FrameState = "frame" | "more" | "failed";

/**
 * Cuts the bytes of one connection into frames. `feed` some, ask `next` until it says "more", then `retain`: what
 * belongs to a frame that is not complete is copied, so nothing here points into memory of the caller afterwards.
 * Once "failed" it stays so: after bytes that make no sense there is no telling where the next frame begins.
 */
export class FrameReader {
  /** Of the frame that `next` found. */
  cls = 0;
  flags = 0;
  type = 0;
  id = 0;
  /** A view, valid until `retain` or `feed`. */
  body: Uint8Array = noBytes;
  failure: MalformedError | null = null;
  #bodyBytesMax: number;
  #ordinal = 0;
  #bytes: Uint8Array = noBytes;
  #start = 0;
  #end = 0;
  #own = noBytes;

  constructor(bodyBytesMax: number) {
    this.#bodyBytesMax = bodyBytesMax;
  }

  /** Bytes fed and not yet part of a frame. */
  get buffered(): number {
    return this.#end - this.#start;
  }

  /** Memory that stays with this reader between two turns. */
  get heldBytes(): number {
    return this.#own.length;
  }

  /** From the next frame on. */
  allow(bodyBytesMax: number): void {
    this.#bodyBytesMax = bodyBytesMax;
  }

  feed(bytes: Uint8Array): void {
    if (this.buffered === 0) {
      this.#bytes = bytes;
      this.#start = 0;
      this.#end = bytes.length;
      return;
    }
    assert(this.#bytes === this.#own, "what waited was retained");
    this.#reserve(bytes.length);
    this.#own.set(bytes, this.#end);
    this.#bytes = this.#own;
    this.#end += bytes.length;
  }

  next(): FrameState {
    if (this.failure !== null) return "failed";
    const start = this.#start;
    if (this.buffered < frameHeaderBytes) return "more";
    const bytes = this.#bytes;
    const headerCrc = readU32(bytes, start + 12);
    if (headerCrc !== crc32(bytes, start, start + 12, (frameSeed + this.#ordinal) >>> 0)) {
      return this.#fail("frame header", headerCrc, "not the checksum of the header");
    }
    const bodyBytes = readU32(bytes, start);
    if (bodyBytes > this.#bodyBytesMax) {
      return this.#fail("frame length", bodyBytes, `more than ${this.#bodyBytesMax}`);
    }
    const cls = bytes[start + 4] as number;
    if (cls > messageClassMax) return this.#fail("frame class", cls, `more than ${messageClassMax}`);
    if (this.buffered < frameHeaderBytes + bodyBytes + frameTrailerBytes) return "more";
    const bodyStart = start + frameHeaderBytes;
    const bodyEnd = bodyStart + bodyBytes;
    const bodyCrc = readU32(bytes, bodyEnd);
    if (bodyCrc !== crc32(bytes, bodyStart, bodyEnd, headerCrc)) {
      return this.#fail("frame body", bodyCrc, "not the checksum of the body");
    }
    this.cls = cls;
    this.flags = bytes[start + 5] as number;
    this.type = (bytes[start + 6] as number) | ((bytes[start + 7] as number) << 8);
    this.id = readU32(bytes, start + 8);
    this.body = bytes.subarray(bodyStart, bodyEnd);
    this.#ordinal++;
    this.#start = bodyEnd + frameTrailerBytes;
    return "frame";
  }

  /** The fed bytes are about to change: keeps a copy of those that still count. */
  retain(): void {
    this.body = noBytes;
    if (this.buffered === 0) {
      this.#bytes = noBytes;
      this.#start = 0;
      this.#end = 0;
      if (this.#own.length > ownBytesKept) this.#own = noBytes;
      return;
    }
    if (this.#bytes === this.#own) return;
    const rest = this.#bytes.subarray(this.#start, this.#end);
    if (this.#own.length < rest.length) this.#own = new Uint8Array(Math.max(ownBytesMin, rest.length));
    this.#own.set(rest);
    this.#bytes = this.#own;
    this.#start = 0;
    this.#end = rest.length;
  }

  /** Room in our own memory for so many more bytes. It grows with what has come, not with what was announced. */
  #reserve(count: number): void {
    if (this.#end + count <= this.#own.length) return;
    const waiting = this.buffered;
    const target =
      waiting + count <= this.#own.length ? this.#own : new Uint8Array(Math.max(2 * this.#own.length, waiting + count));
    target.set(this.#own.subarray(this.#start, this.#end));
    this.#own = target;
    this.#start = 0;
    this.#end = waiting;
  }

  #fail(field: string, value: number, problem: string): FrameState {
    this.failure = new MalformedError(field, value, problem);
    return "failed";
  }
}
