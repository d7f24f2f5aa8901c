// HOT: every record that is flushed or merged is copied here once.
import { assert } from "../assert.ts";
import { crc32, salt } from "../bytes/crc32.ts";
import { recordHeaderBytes, recordKind } from "../bytes/record.ts";
import { blockTrailerBytes, checksumBytes, viewOf, writeU53 } from "./table-format.ts";

/** Above this many bytes the native copy is faster than one of ours. */
const wordCopyBytesMax = 192;
/** Value of an index record: u64 offset, u32 stored length, u32 raw length of a block. */
export const indexValueBytes = 16;

/** Assembles one block after another in a buffer that it keeps. */
export class BlockBuilder {
  #bytes: Uint8Array;
  #view: DataView;
  #used = 0;
  #offsets: Uint32Array = new Uint32Array(64);
  #count = 0;

  constructor(blockBytes: number) {
    this.#bytes = new Uint8Array(roundUp(Math.max(blockBytes, 256)));
    this.#view = viewOf(this.#bytes);
  }

  get count(): number {
    return this.#count;
  }

  /** The block under construction; after `finish` the whole block. Valid until the next call. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get view(): DataView {
    return this.#view;
  }

  /** Length of the block if it were finished after one more record of `recordLength` bytes. */
  lengthWith(recordLength: number): number {
    return this.#used + recordLength + 4 * (this.#count + 1) + blockTrailerBytes;
  }

  /** Where the last record added begins. */
  get lastOffset(): number {
    assert(this.#count > 0, "a block under construction has a last record");
    return this.#offsets[this.#count - 1] as number;
  }

  /** Copies a record image of `length` bytes, padding included. */
  append(bytes: Uint8Array, view: DataView, offset: number, length: number): void {
    const at = this.#reserve(length);
    if (length > wordCopyBytesMax) {
      this.#bytes.set(bytes.subarray(offset, offset + length), at);
      return;
    }
    for (let i = 0; i < length; i += 4) this.#view.setUint32(at + i, view.getUint32(offset + i, true), true);
  }

  /** Adds an index record: (family, key, version) of the record at `offset`, and a block's place. */
  // oxlint-disable-next-line max-params
  appendIndex(
    bytes: Uint8Array,
    view: DataView,
    offset: number,
    blockOffset: number,
    storedBytes: number,
    rawBytes: number,
  ): void {
    const keyLength = view.getUint16(offset + 4, true);
    const valueAt = recordHeaderBytes + keyLength;
    const at = this.#reserve(roundUp(valueAt + indexValueBytes));
    this.#bytes.set(bytes.subarray(offset, offset + valueAt), at);
    this.#bytes.fill(0, at + valueAt + indexValueBytes, this.#used);
    this.#view.setUint32(at, indexValueBytes, true);
    this.#view.setUint8(at + 6, recordKind.value);
    writeU53(this.#view, at + 16, 0);
    writeU53(this.#view, at + valueAt, blockOffset);
    this.#view.setUint32(at + valueAt + 8, storedBytes, true);
    this.#view.setUint32(at + valueAt + 12, rawBytes, true);
  }

  /** Completes the block that will stand at `offset` of file `number`; returns its length in `bytes`. */
  finish(number: number, offset: number): number {
    assert(this.#count > 0, "a block has a record");
    const offsetsAt = this.#used;
    const end = offsetsAt + 4 * this.#count + blockTrailerBytes;
    this.#grow(end);
    for (let i = 0; i < this.#count; i++) {
      this.#view.setUint32(offsetsAt + 4 * i, this.#offsets[i] as number, true);
    }
    this.#view.setUint32(end - blockTrailerBytes, this.#count, true);
    const checksum = crc32(this.#bytes, 0, end - checksumBytes, salt(number, offset));
    this.#view.setUint32(end - checksumBytes, checksum, true);
    return end;
  }

  /** The next block. */
  clear(): void {
    this.#used = 0;
    this.#count = 0;
  }

  #reserve(length: number): number {
    assert((length & 3) === 0, "records keep blocks aligned");
    const at = this.#used;
    this.#grow(at + length);
    if (this.#count === this.#offsets.length) {
      const larger = new Uint32Array(this.#count * 2);
      larger.set(this.#offsets);
      this.#offsets = larger;
    }
    this.#offsets[this.#count] = at;
    this.#count++;
    this.#used = at + length;
    return at;
  }

  #grow(needed: number): void {
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(roundUp(Math.max(needed, this.#bytes.length * 2)));
    larger.set(this.#bytes.subarray(0, this.#used));
    this.#bytes = larger;
    this.#view = viewOf(larger);
  }
}

function roundUp(length: number): number {
  return (length + 3) & ~3;
}
