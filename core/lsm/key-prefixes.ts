// HOT: the first look of every search in a table's index and in a block in use.
import { readKeyLength, recordHeaderBytes } from "../bytes/record.ts";

/** Key bytes kept per record: as many as a double holds exactly. */
const prefixBytes = 6;

/**
 * The keys of sorted records in short: of each the first bytes after the prefix common to all, as one
 * number. A search narrows the records down to those with the same number, and nearly always to one,
 * without touching any record.
 */
export class KeyPrefixes {
  readonly #prefixes: Float64Array;
  readonly #bytes: Uint8Array;
  /** Of the first record, which stands for the common prefix. */
  readonly #keyStart: number;
  readonly #family: number;
  readonly #commonLength: number;
  /**
   * The last search: the records before `low` are before the key sought, those from `high` on are after it.
   */
  low = 0;
  high = 0;

  /** `offsets` of at least one record, in record order. */
  constructor(bytes: Uint8Array, view: DataView, offsets: Uint32Array) {
    const first = offsets[0] as number;
    const last = offsets[offsets.length - 1] as number;
    this.#bytes = bytes;
    this.#keyStart = first + recordHeaderBytes;
    // Families differ: a family that no record has makes every search fall back to the records.
    this.#family = bytes[first + 7] === bytes[last + 7] ? (bytes[first + 7] as number) : -1;
    this.#commonLength = commonKeyLength(bytes, view, first, last);
    this.#prefixes = new Float64Array(offsets.length);
    for (let i = 0; i < offsets.length; i++) {
      const offset = offsets[i] as number;
      const start = offset + recordHeaderBytes;
      const end = start + readKeyLength(view, offset);
      this.#prefixes[i] = prefixOf(bytes, start + this.#commonLength, end);
    }
  }

  /** Sets `low` and `high`: what is left to look at for (family, key). */
  narrow(family: number, key: Uint8Array): void {
    const count = this.#prefixes.length;
    this.low = 0;
    this.high = count;
    if (family !== this.#family) return;
    const common = this.#commonLength;
    for (let i = 0; i < common; i++) {
      const wanted = i < key.length ? (key[i] as number) : -1;
      const difference = wanted - (this.#bytes[this.#keyStart + i] as number);
      if (difference === 0) continue;
      if (difference < 0) this.high = 0;
      else this.low = count;
      return;
    }
    const wanted = prefixOf(key, common, key.length);
    this.low = this.#firstAtLeast(wanted, 0);
    this.high = this.#prefixes[this.low] === wanted ? this.#firstAtLeast(wanted + 1, this.low + 1) : this.low;
  }

  #firstAtLeast(wanted: number, from: number): number {
    const prefixes = this.#prefixes;
    let low = from;
    let high = prefixes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((prefixes[middle] as number) < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * `bytes[start, end)` cut or padded with zeros to six bytes, as a number: its order is theirs, ties aside.
 */
function prefixOf(bytes: Uint8Array, start: number, end: number): number {
  let prefix = 0;
  for (let at = start; at < start + prefixBytes; at++) {
    prefix = prefix * 256 + (at < end ? (bytes[at] as number) : 0);
  }
  return prefix;
}

/** Of two records in order and of one family: all records between them share at least this much. */
function commonKeyLength(bytes: Uint8Array, view: DataView, first: number, last: number): number {
  const most = Math.min(readKeyLength(view, first), readKeyLength(view, last));
  let length = 0;
  while (
    length < most &&
    bytes[first + recordHeaderBytes + length] === bytes[last + recordHeaderBytes + length]
  ) {
    length++;
  }
  return length;
}
