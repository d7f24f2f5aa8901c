// HOT: one lookup per table and point read.
import { viewOf } from "./table-format.ts";

/*
 * The section `points` of a table says where the newest record of each distinct key is, so that a point read takes
 * exactly those bytes. Keys are known by their hash. Little-endian, every checksum salted as in every part:
 *
 *     directory   where each page ends, u32 from the start of the section | crc u32
 *     pages       bucket starts u16 * 128 | entries | count u32 | crc u32
 *     entry       low 16 bits of the hash u16 | length of the record in words of 4 bytes u16, 0xffff: longer
 *                 | offset of the record in the file in words u32 | crc u32 of the record, salted with its offset
 *
 * The number of pages follows from the number of records. Scaled to the number of pages, the hash as a fraction
 * of 2^32 names the page, and its next seven bits the bucket. Entries stand in the order of their buckets.
 */
export const pointBuckets = 128;
export const pointEntryBytes = 12;
export const pointTrailerBytes = 8;
export const pointStartsBytes = 2 * pointBuckets;
/** In place of a length: the record is found through its block. */
export const pointLengthMax = 0xffff;
const recordsPerPage = 1024;
const bucketShift = 25;
const twoTo32 = 0x1_0000_0000;
/** What a page in memory costs beyond its entries. */
const pageOverheadBytes = 512;

export function pointPages(recordCount: number): number {
  return Math.ceil(recordCount / recordsPerPage);
}

/** Exact: both factors together have at most 53 bits. */
export function pointPageOf(hash: number, pages: number): number {
  return Math.floor(((hash >>> 0) * pages) / twoTo32);
}

export function pointBucketOf(hash: number, pages: number): number {
  return Math.imul(hash, pages) >>> bucketShift;
}

/** One page, in memory. */
export class PointPage {
  readonly count: number;
  /** Entries of bucket b: `[starts[b], starts[b + 1])`. */
  readonly starts: Uint16Array = new Uint16Array(pointBuckets + 1);
  readonly tags: Uint16Array;
  readonly lengths: Uint16Array;
  /** Per entry: offset in words, checksum. */
  readonly places: Uint32Array;
  /** Its place in the table. */
  readonly index: number;
  /** Looked at since it came or the hand of the clock last passed. */
  referenced = false;
  /** Its place in the ring of its budget; -1 outside. */
  ringAt = -1;

  /** `bytes` passed their checksum and `pointPageFault`. */
  constructor(bytes: Uint8Array, index: number) {
    const view = viewOf(bytes);
    this.index = index;
    this.count = view.getUint32(bytes.length - pointTrailerBytes, true);
    this.tags = new Uint16Array(this.count);
    this.lengths = new Uint16Array(this.count);
    this.places = new Uint32Array(2 * this.count);
    for (let b = 0; b < pointBuckets; b++) this.starts[b] = view.getUint16(2 * b, true);
    this.starts[pointBuckets] = this.count;
    for (let i = 0; i < this.count; i++) {
      const at = pointStartsBytes + i * pointEntryBytes;
      this.tags[i] = view.getUint16(at, true);
      this.lengths[i] = view.getUint16(at + 2, true);
      this.places[2 * i] = view.getUint32(at + 4, true);
      this.places[2 * i + 1] = view.getUint32(at + 8, true);
    }
  }

  get chargeBytes(): number {
    return pointPageCharge(this.count);
  }
}

function pointPageCharge(count: number): number {
  return count * pointEntryBytes + pointStartsBytes + pageOverheadBytes;
}

/** What is wrong with a page whose checksum holds; null when a lookup stays inside it. */
export function pointPageFault(bytes: Uint8Array): string | null {
  const entriesBytes = bytes.length - pointStartsBytes - pointTrailerBytes;
  const view = viewOf(bytes);
  const count = entriesBytes < 0 ? -1 : view.getUint32(bytes.length - pointTrailerBytes, true);
  if (count * pointEntryBytes !== entriesBytes) return "a page of points of odd length";
  let previous = 0;
  for (let b = 0; b < pointBuckets; b++) {
    const start = view.getUint16(2 * b, true);
    if (start < previous || start > count) return "buckets of points out of order";
    previous = start;
  }
  return null;
}
