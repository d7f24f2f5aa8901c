// HOT: every key that is flushed or merged passes here.
import { assert } from "../assert.ts";
import {
  pointBucketOf, pointBuckets, pointEntryBytes, pointLengthMax, pointPageOf, pointPages, pointStartsBytes,
  pointTrailerBytes,
} from "./point-page.ts";
import { viewOf } from "./table-format.ts";

const twoTo32 = 0x1_0000_0000;
const pointsMin = 1024;

/** Collects the points of a table while it is written. */
export class PointCollector {
  readonly #wanted: boolean;
  #hashes: Int32Array = new Int32Array(pointsMin);
  #places: Uint32Array;
  #lengths: Uint16Array;
  #count = 0;

  /** `wanted` false: it only collects the hashes. */
  constructor(wanted: boolean) {
    this.#wanted = wanted;
    this.#places = new Uint32Array(wanted ? 2 * pointsMin : 0);
    this.#lengths = new Uint16Array(wanted ? pointsMin : 0);
  }

  get count(): number {
    return this.#count;
  }

  hashAt(i: number): number {
    return this.#hashes[i] as number;
  }

  addHash(hash: number): void {
    if (this.#count === this.#hashes.length) this.#grow();
    this.#hashes[this.#count++] = hash;
  }

  /** Of the key whose hash was added last. */
  setPlace(offset: number, length: number, checksum: number): void {
    assert(offset % 4 === 0 && length % 4 === 0, "records stand at words");
    const i = this.#count - 1;
    const isFar = offset / 4 >= twoTo32;
    this.#places[2 * i] = isFar ? 0 : offset / 4;
    this.#places[2 * i + 1] = checksum;
    this.#lengths[i] = isFar ? pointLengthMax : Math.min(pointLengthMax, length / 4);
  }

  /**
   * The section's pages, without checksums: `bytes[ends[p - 1], ends[p])` is page p, from 0. Null when there is
   * nothing to say, or when so many keys share a page that it is no use.
   */
  encode(recordCount: number): { readonly bytes: Uint8Array; readonly ends: Uint32Array } | null {
    if (!this.#wanted || this.#count === 0) return null;
    const pages = pointPages(recordCount);
    const order = this.#order(pages);
    if (order === null) return null;
    const { next, starts } = order;
    const pageFixedBytes = pointStartsBytes + pointTrailerBytes;
    const bytes = new Uint8Array(pages * pageFixedBytes + this.#count * pointEntryBytes);
    const view = viewOf(bytes);
    const ends = new Uint32Array(pages);
    for (let page = 0; page < pages; page++) {
      const first = starts[page * pointBuckets] as number;
      const last = starts[(page + 1) * pointBuckets] as number;
      const at = page * pageFixedBytes + first * pointEntryBytes;
      for (let b = 0; b < pointBuckets; b++) {
        view.setUint16(at + 2 * b, (starts[page * pointBuckets + b] as number) - first, true);
      }
      for (let i = first; i < last; i++) {
        this.#encodeEntry(view, at + pointStartsBytes + (i - first) * pointEntryBytes, next[i] as number);
      }
      const end = (page + 1) * pageFixedBytes + last * pointEntryBytes;
      view.setUint32(end - pointTrailerBytes, last - first, true);
      ends[page] = end;
    }
    return { bytes, ends };
  }

  #encodeEntry(view: DataView, at: number, point: number): void {
    view.setUint16(at, this.hashAt(point) & 0xffff, true);
    view.setUint16(at + 2, this.#lengths[point] as number, true);
    view.setUint32(at + 4, this.#places[2 * point] as number, true);
    view.setUint32(at + 8, this.#places[2 * point + 1] as number, true);
  }

  /** Counting sort by page and bucket: which point comes next, and where every bucket starts. */
  #order(pages: number): { readonly next: Uint32Array; readonly starts: Uint32Array } | null {
    const starts = new Uint32Array(pages * pointBuckets + 1);
    const cellOf = (i: number): number => {
      const hash = this.hashAt(i);
      return pointPageOf(hash, pages) * pointBuckets + pointBucketOf(hash, pages);
    };
    for (let i = 0; i < this.#count; i++) {
      const cell = cellOf(i) + 1;
      starts[cell] = (starts[cell] as number) + 1;
    }
    for (let cell = 1; cell < starts.length; cell++) {
      starts[cell] = (starts[cell] as number) + (starts[cell - 1] as number);
    }
    for (let page = 0; page < pages; page++) {
      const first = starts[page * pointBuckets] as number;
      if ((starts[(page + 1) * pointBuckets] as number) - first > 0xffff) return null;
    }
    const free = starts.slice();
    const next = new Uint32Array(this.#count);
    for (let i = 0; i < this.#count; i++) {
      const cell = cellOf(i);
      const at = free[cell] as number;
      next[at] = i;
      free[cell] = at + 1;
    }
    return { next, starts };
  }

  #grow(): void {
    const hashes = new Int32Array(this.#count * 2);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
    if (!this.#wanted) return;
    const places = new Uint32Array(this.#count * 4);
    places.set(this.#places);
    this.#places = places;
    const lengths = new Uint16Array(this.#count * 2);
    lengths.set(this.#lengths);
    this.#lengths = lengths;
  }
}
