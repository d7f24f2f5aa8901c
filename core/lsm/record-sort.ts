// HOT: every memtable is sorted once for its flush, and its new records once per scan.
import { readKeyLength, recordHeaderBytes } from "../bytes/record.ts";
import { compareRecords } from "./record-order.ts";

/** Runs of this length are sorted by insertion before they are merged. */
const insertionRunMax = 8;
/** Bytes of key in a prefix; with five bits of family before them, as much as a double holds exactly. */
const prefixKeyBytes = 6;
const prefixFamilyMax = 31;

/**
 * Sorts offsets of record images into record order, in place. No two may have equal (family, key, version).
 *
 * A bottom-up merge sort by a real comparator. Each record's first bytes after the common prefix of all
 * keys are kept as one number, which decides most comparisons without touching the records; only ties read
 * them, so long common prefixes (zero-padded counters) cost a comparison more, never a worse order of
 * growth. Runs that are in order already are not merged: sorted input takes linear time.
 */
export function sortRecords(bytes: Uint8Array, view: DataView, offsets: Uint32Array): void {
  if (offsets.length < 2) return;
  new RecordSort(bytes, view, offsets).run();
}

/** Merges two sorted lists of offsets into a new one; cheap when one of them is short. */
export function mergeSorted(
  bytes: Uint8Array,
  view: DataView,
  a: Uint32Array,
  b: Uint32Array,
): Uint32Array {
  const long = a.length >= b.length ? a : b;
  const short = a.length >= b.length ? b : a;
  const merged = new Uint32Array(long.length + short.length);
  let from = 0;
  for (let i = 0; i < short.length; i++) {
    const offset = short[i] as number;
    const to = lowerBound(bytes, view, long, from, offset);
    merged.set(long.subarray(from, to), from + i);
    merged[to + i] = offset;
    from = to;
  }
  merged.set(long.subarray(from), from + short.length);
  return merged;
}

/** First index at or after `from` whose record is not below the record at `offset`. */
// oxlint-disable-next-line max-params
function lowerBound(
  bytes: Uint8Array,
  view: DataView,
  sorted: Uint32Array,
  from: number,
  offset: number,
): number {
  let low = from;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = compareRecords(bytes, view, sorted[middle] as number, bytes, view, offset);
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

class RecordSort {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #offsets: Uint32Array;
  readonly #prefixes: Float64Array;
  /** Indexes into `#offsets` and `#prefixes`. */
  #from: Uint32Array;
  #to: Uint32Array;

  constructor(bytes: Uint8Array, view: DataView, offsets: Uint32Array) {
    this.#bytes = bytes;
    this.#view = view;
    this.#offsets = offsets.slice();
    this.#prefixes = new Float64Array(offsets.length);
    this.#from = offsets;
    this.#to = new Uint32Array(offsets.length);
    const skip = this.#commonPrefixLength();
    for (let i = 0; i < offsets.length; i++) this.#prefixes[i] = this.#prefixAt(offsets[i] as number, skip);
  }

  run(): void {
    const target = this.#from;
    const count = target.length;
    for (let i = 0; i < count; i++) target[i] = i;
    for (let i = 0; i < count; i += insertionRunMax) this.#insertion(i, Math.min(i + insertionRunMax, count));
    for (let width = insertionRunMax; width < count; width *= 2) this.#mergeRuns(width);
    const sorted = this.#from;
    for (let i = 0; i < count; i++) this.#to[i] = this.#offsets[sorted[i] as number] as number;
    target.set(this.#to);
  }

  #mergeRuns(width: number): void {
    const count = this.#from.length;
    for (let start = 0; start < count; start += 2 * width) {
      const middle = Math.min(start + width, count);
      this.#merge(start, middle, Math.min(middle + width, count));
    }
    const merged = this.#to;
    this.#to = this.#from;
    this.#from = merged;
  }

  #merge(start: number, middle: number, end: number): void {
    const from = this.#from;
    const to = this.#to;
    if (middle >= end || this.#compare(from[middle - 1] as number, from[middle] as number) < 0) {
      to.set(from.subarray(start, end), start);
      return;
    }
    let left = start;
    let right = middle;
    for (let i = start; i < end; i++) {
      const takeLeft =
        right >= end ||
        (left < middle && this.#compare(from[left] as number, from[right] as number) < 0);
      to[i] = from[takeLeft ? left++ : right++] as number;
    }
  }

  #insertion(start: number, end: number): void {
    const run = this.#from;
    for (let i = start + 1; i < end; i++) {
      const moving = run[i] as number;
      let at = i;
      while (at > start && this.#compare(run[at - 1] as number, moving) > 0) {
        run[at] = run[at - 1] as number;
        at--;
      }
      run[at] = moving;
    }
  }

  #compare(a: number, b: number): number {
    const byPrefix = (this.#prefixes[a] as number) - (this.#prefixes[b] as number);
    if (byPrefix !== 0) return byPrefix;
    const aOffset = this.#offsets[a] as number;
    return compareRecords(
      this.#bytes, this.#view, aOffset,
      this.#bytes, this.#view, this.#offsets[b] as number,
    );
  }

  /** How many key bytes all records begin with, whatever their families: a prefix has the family first. */
  #commonPrefixLength(): number {
    const bytes = this.#bytes;
    const first = this.#offsets[0] as number;
    let length = readKeyLength(this.#view, first);
    for (let i = 1; i < this.#offsets.length; i++) {
      const offset = this.#offsets[i] as number;
      length = Math.min(length, readKeyLength(this.#view, offset));
      let at = recordHeaderBytes;
      while (at < recordHeaderBytes + length && bytes[offset + at] === bytes[first + at]) at++;
      length = at - recordHeaderBytes;
    }
    return length;
  }

  /**
   * Family and six key bytes after the common prefix as a number, short keys padded with zeros. Monotone:
   * a smaller number is an earlier record; equal ones are told apart by the records themselves.
   */
  #prefixAt(offset: number, skip: number): number {
    const bytes = this.#bytes;
    const end = offset + recordHeaderBytes + readKeyLength(this.#view, offset);
    const start = offset + recordHeaderBytes + skip;
    let prefix = Math.min(bytes[offset + 7] as number, prefixFamilyMax);
    for (let at = start; at < start + prefixKeyBytes; at++) {
      prefix = prefix * 256 + (at < end ? (bytes[at] as number) : 0);
    }
    return prefix;
  }
}
