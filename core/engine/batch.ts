// HOT: every write is encoded here.
import { assert } from "../assert.ts";
import {
  columnFamily,
  keyLengthMax,
  recordBytes,
  recordHeaderBytes,
  recordKind,
  versionMax,
  writeExpiresAtMs,
} from "../bytes/record.ts";
import { NokvError } from "../errors.ts";

const capacityMin = 256;
/** Beyond this no engine accepts a batch, whatever its options. */
const batchBytesCeiling = 0x4000_0000;

/**
 * Writes that happen together or not at all. Keys and values are copied in by `set`, already as record
 * images; a commit copies them once more, into the log. May be committed again and reused after `clear`.
 */
export class Batch {
  #bytes: Uint8Array = new Uint8Array(capacityMin);
  #view: DataView = new DataView(this.#bytes.buffer);
  #length = 0;
  #count = 0;
  #largestValueBytes = 0;

  get count(): number {
    return this.#count;
  }

  /** Bytes of all record images. */
  get byteLength(): number {
    return this.#length;
  }

  /** The record images, in `[0, byteLength)`; valid until the next change. Versions are not stamped yet. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get largestValueBytes(): number {
    return this.#largestValueBytes;
  }

  /** `expiresAtMs`: Unix milliseconds from which on the value is gone; 0: never. */
  set(key: Uint8Array, value: Uint8Array, expiresAtMs = 0): this {
    if (!Number.isSafeInteger(expiresAtMs) || expiresAtMs < 0 || expiresAtMs > versionMax) {
      const message = `expiresAtMs is ${expiresAtMs}; it must be an integer from 0 to 2^53 - 1`;
      throw new NokvError("NOKV_INVALID_ARGUMENT", message);
    }
    const start = this.#append(key, value.length, recordKind.value);
    writeExpiresAtMs(this.#view, start, expiresAtMs);
    this.#bytes.set(value, start + recordHeaderBytes + key.length);
    return this;
  }

  delete(key: Uint8Array): this {
    const start = this.#append(key, 0, recordKind.tombstone);
    writeExpiresAtMs(this.#view, start, 0);
    return this;
  }

  clear(): void {
    this.#length = 0;
    this.#count = 0;
    this.#largestValueBytes = 0;
  }

  #append(key: Uint8Array, valueLength: number, kind: number): number {
    if (key.length > keyLengthMax) {
      throw new NokvError("NOKV_INVALID_ARGUMENT", `key of ${key.length} bytes; at most ${keyLengthMax}`);
    }
    const start = this.#length;
    const size = recordBytes(key.length, Math.min(valueLength, batchBytesCeiling));
    if (start + size > batchBytesCeiling) {
      throw new NokvError("NOKV_INVALID_ARGUMENT", `batch above ${batchBytesCeiling} bytes`);
    }
    this.#reserve(start + size);
    const view = this.#view;
    view.setUint32(start, valueLength, true);
    view.setUint16(start + 4, key.length, true);
    view.setUint8(start + 6, kind);
    view.setUint8(start + 7, columnFamily.data);
    view.setUint32(start + 8, 0, true);
    view.setUint32(start + 12, 0, true);
    this.#bytes.set(key, start + recordHeaderBytes);
    // The bytes of an earlier use must not reach the disk as padding.
    this.#bytes.fill(0, start + recordHeaderBytes + key.length + valueLength, start + size);
    this.#length = start + size;
    this.#count++;
    if (valueLength > this.#largestValueBytes) this.#largestValueBytes = valueLength;
    assert(this.#length % 4 === 0, "record images are padded to a multiple of 4");
    return start;
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(bytes, 2 * this.#bytes.length));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}
