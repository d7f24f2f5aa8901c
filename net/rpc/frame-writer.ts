// HOT: every frame to every peer.
/**
 * A frame. All integers are little-endian.
 *
 *     0   bodyBytes  u32
 *     4   class      u8    messageClass
 *     5   flags      u8
 *     6   type       u16   frameType
 *     8   id         u32   of the request or stream; 0: none
 *     12  headerCrc  u32   CRC-32 of bytes 0 to 11, continued from frameSeed + ordinal
 *     16  body
 *         bodyCrc    u32   CRC-32 of the body, continued from headerCrc
 *
 * The ordinal counts the frames of one direction of one connection from 0, so a frame that is lost, repeated or out
 * of place does not validate any more than one that was changed.
 */
import { crc32 } from "../../core/bytes/crc32.ts";
import { ByteWriter } from "../../core/bytes/byte-writer.ts";
import { assert } from "../../core/assert.ts";

export const frameSeed = 0x564b_4e01;
export const frameHeaderBytes = 16;
export const frameTrailerBytes = 4;

/** A buffer this long is given back after use; longer ones are rare and not kept. */
const keptBytesMax = 512 * 1024;

/** Bytes that a frame with such a body takes. */
export function frameBytes(bodyBytes: number): number {
  return frameHeaderBytes + bodyBytes + frameTrailerBytes;
}

/** Gathers the frames of one connection and turn in memory that it uses again. */
export class FrameWriter {
  #writer = new ByteWriter(4096);
  #ordinal = 0;
  #start = 0;

  get length(): number {
    return this.#writer.length;
  }

  /** Begins a frame; the body is what is written to the returned writer until `end`. */
  // oxlint-disable-next-line max-params
  begin(cls: number, type: number, id: number, flags: number): ByteWriter {
    const writer = this.#writer;
    this.#start = writer.length;
    writer.u32(0);
    writer.u8(cls);
    writer.u8(flags);
    writer.u16(type);
    writer.u32(id);
    writer.u32(0);
    return writer;
  }

  /** Ends the frame: its length and checksums are known. */
  end(): void {
    const writer = this.#writer;
    const start = this.#start;
    const bodyStart = start + frameHeaderBytes;
    assert(writer.length >= bodyStart, "a frame that ends was begun");
    writer.setU32(start, writer.length - bodyStart);
    const view = writer.view();
    const headerCrc = crc32(view, start, start + 12, (frameSeed + this.#ordinal) >>> 0);
    this.#ordinal++;
    writer.setU32(start + 12, headerCrc);
    writer.u32(crc32(view, bodyStart, view.length, headerCrc));
  }

  /** All frames since `clear`: valid until the next call of this writer. */
  view(): Uint8Array {
    return this.#writer.view();
  }

  clear(): void {
    if (this.#writer.capacity > keptBytesMax) this.#writer = new ByteWriter(4096);
    else this.#writer.clear();
  }
}
