// HOT: the header of every group commit is written here, and every byte of a log is checked here at open.
import { assert } from "../assert.ts";
import { crc32, salt } from "../bytes/crc32.ts";
import { fileHeaderBytes } from "./file-header.ts";

/**
 * A log file is its header and then frames, each at a multiple of 4. All integers are little-endian.
 *
 *     0   headerCrc     u32  of bytes [4, 32)
 *     4   payloadCrc    u32  of the payload
 *     8   payloadBytes  u32  a multiple of 4
 *     12  type          u8   frameType
 *     13  flags         u8   bit 0: every earlier segment of this log was durable when this was written; bit 1: the
 *                        records bear versions that were given to them, in any order
 *     14  batchCount    u16  batches in the payload; none is ever split over frames
 *     16  durableBytes  u32  every byte of this file below it was durable when this frame was written
 *     20  zero          12 bytes
 *     32  payload       payloadBytes bytes
 *
 * Both checksums start from `salt(fileNumber, offset) ^ epoch`, so a frame of another place, another file or
 * another opening never validates. The header has a checksum of its own because `durableBytes` is a witness:
 * it is believed even where the payload is torn.
 */
export const frameHeaderBytes = 32;
export const frameType = { records: 1, witness: 2, seal: 3, edit: 4 } as const;
export type FrameType = (typeof frameType)[keyof typeof frameType];
export const frameBatchesMax = 0xffff;
/** What no writer exceeds: a longer frame with a good checksum was crafted. */
export const framePayloadBytesMax = 0x4000_0000;

const flagEarlierDurable = 1;
const flagVersionsGiven = 2;
const headerCrcStart = 4;

/** Writes frame headers into the image of one file, or of a part of it. */
export class FrameWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #fileNumber: number;
  readonly #epoch: number;
  /** Where in the file the image begins. */
  base = 0;
  /** The witness that the frames written from now on carry. */
  durableBytes = 0;
  earlierDurable = false;
  /** Of the records in the frames written from now on. */
  versionsGiven = false;

  constructor(bytes: Uint8Array, view: DataView, fileNumber: number, epoch: number) {
    this.#bytes = bytes;
    this.#view = view;
    this.#fileNumber = fileNumber;
    this.#epoch = epoch;
  }

  /** Heads the payload that already stands at `offset + frameHeaderBytes` of the image. */
  write(offset: number, payloadBytes: number, type: FrameType, batchCount: number): void {
    assert((this.base + offset) % 4 === 0, "a frame begins at a multiple of 4");
    assert(payloadBytes % 4 === 0, "a payload is padded to a multiple of 4");
    assert(payloadBytes <= framePayloadBytesMax, "a payload is within its bound");
    assert(batchCount <= frameBatchesMax, "a frame counts its batches in 16 bits");
    assert(this.durableBytes <= this.base + offset, "a frame vouches only for bytes before it");
    const view = this.#view;
    const seed = salt(this.#fileNumber, this.base + offset) ^ this.#epoch;
    const payload = offset + frameHeaderBytes;
    view.setUint32(offset + 4, crc32(this.#bytes, payload, payload + payloadBytes, seed), true);
    view.setUint32(offset + 8, payloadBytes, true);
    view.setUint8(offset + 12, type);
    const given = this.versionsGiven && type === frameType.records ? flagVersionsGiven : 0;
    view.setUint8(offset + 13, (this.earlierDurable ? flagEarlierDurable : 0) | given);
    view.setUint16(offset + 14, batchCount, true);
    view.setUint32(offset + 16, this.durableBytes, true);
    view.setUint32(offset + 20, 0, true);
    view.setUint32(offset + 24, 0, true);
    view.setUint32(offset + 28, 0, true);
    view.setUint32(offset, crc32(this.#bytes, offset + headerCrcStart, payload, seed), true);
  }
}

/** "bad": what stands here is no frame; `problem` says why. */
export type FrameStep = "frame" | "end" | "bad";

/**
 * Walks the frames of one file image. Every length is checked against the end of the image before it is used;
 * nothing is allocated per frame. The fields describe the frame that the last `next` found.
 */
export class FrameReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  readonly #fileNumber: number;
  readonly #epoch: number;
  /** Where in the file the image begins. Every other place is one of the image. */
  base = 0;
  /** Where the next frame begins; after "bad", where the bad bytes begin. */
  position = fileHeaderBytes;
  offset = 0;
  payloadStart = 0;
  payloadEnd = 0;
  type = 0;
  batchCount = 0;
  durableBytes = 0;
  earlierDurable = false;
  versionsGiven = false;
  problem = "";
  /** The problem can not come from a crash: an intact checksum over impossible content. */
  impossible = false;
  /** The header of the bad frame is intact, and the image ends before `payloadEnd`. */
  cutOff = false;

  /** `bytes[0, end)` is the file from its first byte, or from `base` on. */
  constructor(bytes: Uint8Array, end: number, fileNumber: number, epoch: number) {
    assert(end <= bytes.length, "the image is as long as it says");
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = end;
    this.#fileNumber = fileNumber;
    this.#epoch = epoch;
  }

  next(): FrameStep {
    const offset = this.position;
    if (offset >= this.#end) return "end";
    this.offset = offset;
    if (this.#end - offset < frameHeaderBytes) {
      return this.#bad("a frame header is cut off by the end of the file");
    }
    if (!this.#headerIsIntact(offset)) return this.#bad("a frame header does not match its checksum");
    this.#decode(offset);
    if (!this.#isPossible(offset)) {
      this.impossible = true;
      return this.#bad("a frame header with a good checksum says something impossible");
    }
    // Before any use of the length: a crafted or torn one must not lead outside the image.
    if (this.payloadEnd > this.#end) {
      this.cutOff = true;
      return this.#bad("a frame is cut off by the end of the file");
    }
    const seed = salt(this.#fileNumber, this.base + offset) ^ this.#epoch;
    const stored = this.#view.getUint32(offset + 4, true);
    if (stored !== crc32(this.#bytes, this.payloadStart, this.payloadEnd, seed)) {
      return this.#bad("a frame's payload does not match its checksum");
    }
    this.position = this.payloadEnd;
    return "frame";
  }

  /**
   * What the intact frame headers at and after the bad frame vouch for: the highest `durableBytes`, and
   * whether any says that earlier segments were durable. Payloads are skipped only behind an intact header,
   * so user data is never mistaken for a frame of its own while its frame still stands; a payload that would end
   * beyond the file skips nothing, or a crafted length would hide every witness behind it.
   */
  witnesses(): { readonly durableBytes: number; readonly earlierDurable: boolean } {
    let durableBytes = 0;
    let earlierDurable = false;
    const last = this.#end - frameHeaderBytes;
    let offset = this.position;
    while (offset <= last) {
      if (!this.#looksLikeHeader(offset) || !this.#headerIsIntact(offset)) {
        offset += 4;
        continue;
      }
      this.#decode(offset);
      if (this.durableBytes > durableBytes) durableBytes = this.durableBytes;
      if (this.earlierDurable) earlierDurable = true;
      const whole = this.#isPossible(offset) && this.payloadEnd <= this.#end;
      offset = whole ? this.payloadEnd : offset + 4;
    }
    return { durableBytes, earlierDurable };
  }

  #headerIsIntact(offset: number): boolean {
    const seed = salt(this.#fileNumber, this.base + offset) ^ this.#epoch;
    const crc = crc32(this.#bytes, offset + headerCrcStart, offset + frameHeaderBytes, seed);
    return this.#view.getUint32(offset, true) === crc;
  }

  /** A cheap filter before the checksum when every 4th byte is tried. */
  #looksLikeHeader(offset: number): boolean {
    const view = this.#view;
    if (view.getUint32(offset + 20, true) !== 0 || view.getUint32(offset + 28, true) !== 0) return false;
    const type = view.getUint8(offset + 12);
    return type >= frameType.records && type <= frameType.edit;
  }

  #decode(offset: number): void {
    const view = this.#view;
    this.payloadStart = offset + frameHeaderBytes;
    this.payloadEnd = this.payloadStart + view.getUint32(offset + 8, true);
    this.type = view.getUint8(offset + 12);
    const flags = view.getUint8(offset + 13);
    this.earlierDurable = (flags & flagEarlierDurable) !== 0;
    this.versionsGiven = (flags & flagVersionsGiven) !== 0;
    this.batchCount = view.getUint16(offset + 14, true);
    this.durableBytes = view.getUint32(offset + 16, true);
  }

  #isPossible(offset: number): boolean {
    const payloadBytes = this.payloadEnd - this.payloadStart;
    if (payloadBytes % 4 !== 0 || payloadBytes > framePayloadBytesMax) return false;
    if (this.type < frameType.records || this.type > frameType.edit) return false;
    return this.durableBytes <= this.base + offset;
  }

  #bad(problem: string): FrameStep {
    this.problem = problem;
    return "bad";
  }
}
