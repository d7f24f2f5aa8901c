import type { ValueRef } from "../vlog/value-file.ts";
import { compareRanges, compareKeys } from "../bytes/record.ts";

/** What a table's own file says of it. Plain data: it crosses threads and goes into the manifest. */
export interface TableProperties {
  readonly number: number;
  readonly sizeBytes: number;
  readonly recordCount: number;
  /** First and last (family, key), as `bound` encodes them, range tombstones included. */
  readonly smallest: Uint8Array;
  readonly largest: Uint8Array;
  /** `largest` is the end of a range tombstone: everything in the table lies below it. */
  readonly largestExcluded: boolean;
  /** Range tombstones included. */
  readonly minVersion: number;
  readonly maxVersion: number;
  readonly tombstoneCount: number;
  /** Values with an expiry. */
  readonly expiringCount: number;
  /** How blocks may be compressed: a `codecId`. */
  readonly codec: number;
  /** Length of all blocks before compression. */
  readonly rawBytes: number;
  /** What its pointers point to, ascending by file. */
  readonly valueRefs: readonly ValueRef[];
  /** A range tombstone that was cut into fragments counts once per fragment. */
  readonly rangeTombstoneCount: number;
  /** Newest version of a record, range tombstones left out; 0: there are only range tombstones. */
  readonly pointMaxVersion: number;
  /** The instant, in Unix milliseconds, from which on a quarter of the records has expired; 0: never. */
  readonly staleAtMs: number;
}

/** And where it stands: a table changes level without being rewritten. */
export interface TableMeta extends TableProperties {
  readonly level: number;
}

/** Digits of a file number in a name; larger numbers take more. */
const numberDigits = 6;

export function tableFileName(number: number): string {
  return `table-${String(number).padStart(numberDigits, "0")}.sst`;
}

export function tablePath(directory: string, number: number): string {
  return `${directory}/${tableFileName(number)}`;
}

/**
 * A (family, key) as one string of bytes: family byte, then key. Its bytewise order is the order of
 * records.
 */
export function bound(family: number, key: Uint8Array): Uint8Array {
  const encoded = new Uint8Array(1 + key.length);
  encoded[0] = family;
  encoded.set(key, 1);
  return encoded;
}

/** Order of an encoded bound against a (family, key). */
export function compareBound(encoded: Uint8Array, family: number, key: Uint8Array): number {
  const byFamily = (encoded[0] as number) - family;
  if (byFamily !== 0) return byFamily;
  return compareRanges(encoded, 1, encoded.length - 1, key, 0, key.length);
}

/** From where to where something reaches, in bounds. */
export type KeySpan = Pick<TableProperties, "smallest" | "largest" | "largestExcluded">;

/** Whether all of `range` lies below `encoded`. */
export function endsBefore(range: KeySpan, encoded: Uint8Array): boolean {
  const order = compareKeys(range.largest, encoded);
  return order < 0 || (order === 0 && range.largestExcluded);
}

/** Whether two ranges have a (family, key) in common. */
export function rangesOverlap(a: KeySpan, b: KeySpan): boolean {
  return !endsBefore(a, b.smallest) && !endsBefore(b, a.smallest);
}

/** Order of where two ranges end. */
export function compareEnds(a: KeySpan, b: KeySpan): number {
  return compareKeys(a.largest, b.largest) || Number(b.largestExcluded) - Number(a.largestExcluded);
}
