// HOT: every write is encoded here.
import { assert } from "../assert.ts";
import {
  columnFamily,
  compareKeys,
  keyLengthMax,
  recordBytes,
  compareRanges,
  familyMax,
  readKind,
  readFamily,
  readKeyLength,
  readValueLength,
  recordBytesAt,
  recordHeaderBytes,
  recordKind,
  versionMax,
  writeExpiresAtMs,
  writeVersion,
} from "../bytes/record.ts";
import { NokvError } from "../errors.ts";

const capacityMin = 256;
/** Beyond this no engine accepts a batch, whatever its options. */
const batchBytesCeiling = 0x4000_0000;

/**
 * Writes that happen together or not at all. Keys and values are copied in by `set`, already as record
 * images; a commit copies them once more, into the log. May be committed again and reused after `clear`.
 *
 * The order within a batch counts: of two writes of a key the later one, and a range delete takes away what was
 * written before it, not what comes after.
 */
export class Batch {
  #bytes: Uint8Array = new Uint8Array(capacityMin);
  #view: DataView = new DataView(this.#bytes.buffer);
  #length = 0;
  #count = 0;
  #largestValueBytes = 0;
  #rangeCount = 0;
  /** Where the record written last begins. */
  #last = 0;

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
  // oxlint-disable-next-line max-params
  set(key: Uint8Array, value: Uint8Array, expiresAtMs = 0, family: number = columnFamily.data): this {
    if (!Number.isSafeInteger(expiresAtMs) || expiresAtMs < 0 || expiresAtMs > versionMax) {
      const message = `expiresAtMs is ${expiresAtMs}; it must be an integer from 0 to 2^53 - 1`;
      throw new NokvError("NOKV_INVALID_ARGUMENT", message);
    }
    const start = this.#append(key, value.length, recordKind.value, family);
    writeExpiresAtMs(this.#view, start, expiresAtMs);
    this.#bytes.set(value, start + recordHeaderBytes + key.length);
    return this;
  }

  delete(key: Uint8Array, family: number = columnFamily.data): this {
    const start = this.#append(key, 0, recordKind.tombstone, family);
    writeExpiresAtMs(this.#view, start, 0);
    return this;
  }

  /** Removes every key from `start` on and below `end`; null: to the end of the family. */
  deleteRange(start: Uint8Array, end: Uint8Array | null, family: number = columnFamily.data): this {
    if (end !== null && compareKeys(start, end) >= 0) {
      throw new NokvError("NOKV_INVALID_ARGUMENT", "the range to delete is empty: it ends where it starts or before");
    }
    if (end !== null && end.length > keyLengthMax) {
      throw new NokvError("NOKV_INVALID_ARGUMENT", `end of ${end.length} bytes; at most ${keyLengthMax}`);
    }
    checkFamily(family);
    this.#withdraw(start, end, family);
    // No key is below the empty one: an empty end is free to mean that there is none.
    const at = this.#append(start, end?.length ?? 0, recordKind.rangeTombstone, family);
    writeExpiresAtMs(this.#view, at, 0);
    if (end !== null) this.#bytes.set(end, at + recordHeaderBytes + start.length);
    return this;
  }

  /** Gives the record written last its version, where the engine does not. */
  stamp(version: number): void {
    assert(this.#count > 0, "a record is stamped when it is written");
    writeVersion(this.#view, this.#last, version);
  }

  clear(): void {
    this.#length = 0;
    this.#count = 0;
    this.#largestValueBytes = 0;
    this.#rangeCount = 0;
  }

  /**
   * Takes out the records written before that a range covers: with its own version they would survive it.
   */
  #withdraw(start: Uint8Array, end: Uint8Array | null, family: number): void {
    if (this.#count === this.#rangeCount) return;
    const view = this.#view;
    let from = 0;
    let to = 0;
    let largestValueBytes = 0;
    while (from < this.#length) {
      const size = recordBytesAt(view, from);
      if (this.#isCovered(from, start, end, family)) {
        this.#count--;
      } else {
        if (from !== to) this.#bytes.copyWithin(to, from, from + size);
        if (readKind(view, to) === recordKind.value) {
          largestValueBytes = Math.max(largestValueBytes, readValueLength(view, to));
        }
        to += size;
      }
      from += size;
    }
    this.#length = to;
    this.#largestValueBytes = largestValueBytes;
  }

  // oxlint-disable-next-line max-params
  #isCovered(at: number, start: Uint8Array, end: Uint8Array | null, family: number): boolean {
    const view = this.#view;
    if (readKind(view, at) === recordKind.rangeTombstone || readFamily(view, at) !== family) return false;
    const keyAt = at + recordHeaderBytes;
    const keyLength = readKeyLength(view, at);
    if (compareRanges(this.#bytes, keyAt, keyLength, start, 0, start.length) < 0) return false;
    return end === null || compareRanges(this.#bytes, keyAt, keyLength, end, 0, end.length) < 0;
  }

  // oxlint-disable-next-line max-params
  #append(key: Uint8Array, valueLength: number, kind: number, family: number): number {
    if (family !== columnFamily.data) checkFamily(family);
    if (key.length > keyLengthMax) {
      throw new NokvError("NOKV_INVALID_ARGUMENT", `key of ${key.length} bytes; at most ${keyLengthMax}`);
    }
    const start = this.#length;
    const size = recordBytes(key.length, Math.min(valueLength, batchBytesCeiling));
    if (start + size > batchBytesCeiling) {
      throw new NokvError("NOKV_INVALID_ARGUMENT", tooMuch(start, valueLength));
    }
    this.#reserve(start + size);
    const view = this.#view;
    view.setUint32(start, valueLength, true);
    view.setUint16(start + 4, key.length, true);
    view.setUint8(start + 6, kind);
    view.setUint8(start + 7, family);
    view.setUint32(start + 8, 0, true);
    view.setUint32(start + 12, 0, true);
    this.#bytes.set(key, start + recordHeaderBytes);
    // The bytes of an earlier use must not reach the disk as padding.
    this.#bytes.fill(0, start + recordHeaderBytes + key.length + valueLength, start + size);
    this.#last = start;
    this.#length = start + size;
    this.#count++;
    if (kind === recordKind.rangeTombstone) this.#rangeCount++;
    else if (valueLength > this.#largestValueBytes) this.#largestValueBytes = valueLength;
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

/** Throws `NOKV_INVALID_ARGUMENT` for a number that is no column family. */
export function checkFamily(family: number): void {
  if (Number.isInteger(family) && family >= 0 && family <= familyMax) return;
  throw new NokvError("NOKV_INVALID_ARGUMENT", `family is ${family}; it must be an integer from 0 to ${familyMax}`);
}

function tooMuch(batchBytes: number, valueLength: number): string {
  const what = batchBytes === 0 ? "value" : `batch of ${batchBytes} bytes before, and a value`;
  return `${what} of ${valueLength} bytes; a batch takes at most ${batchBytesCeiling} with its keys`;
}
