// HOT: one lookup per table and point read.
import { assert } from "../assert.ts";
import { corruption } from "../errors.ts";
import { PointPage, pointPageFault, pointPageOf, pointPages } from "./point-page.ts";
import type { TableFile } from "./table-file.ts";
import { checksumBytes, viewOf } from "./table-format.ts";

/** While the budget is used up, one of so many lookups in vain brings its page in, and another one out. */
const lookupsPerExchange = 32;

/**
 * Memory for the pages of all tables' point indexes, used as reads ask for pages. When it is used up, pages are
 * exchanged by CLOCK, but seldom: a page costs as much to bring in as several reads that do without.
 */
export class PointBudget {
  readonly budgetBytes: number;
  readonly #ring: (PointPage | null)[] = [];
  readonly #owners: (PointIndex | null)[] = [];
  readonly #free: number[] = [];
  #hand = 0;
  #usedBytes = 0;
  #lookupsInVain = 0;
  loads = 0;
  evictions = 0;

  constructor(budgetBytes: number) {
    this.budgetBytes = budgetBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Whether a page that costs so much may be brought in now. Makes room for it. */
  makeRoom(chargeBytes: number): boolean {
    if (this.#usedBytes + chargeBytes <= this.budgetBytes) return true;
    if (chargeBytes > this.budgetBytes) return false;
    this.#lookupsInVain++;
    if (this.#lookupsInVain < lookupsPerExchange) return false;
    this.#lookupsInVain = 0;
    while (this.#usedBytes + chargeBytes > this.budgetBytes) this.#evictOne();
    return true;
  }

  admit(page: PointPage, owner: PointIndex): void {
    assert(this.#usedBytes + page.chargeBytes <= this.budgetBytes, "room was made for a page");
    const at = this.#free.pop() ?? this.#ring.length;
    this.#ring[at] = page;
    this.#owners[at] = owner;
    page.ringAt = at;
    this.#usedBytes += page.chargeBytes;
    this.loads++;
  }

  /** The page is not in memory any more. */
  release(page: PointPage): void {
    assert(this.#ring[page.ringAt] === page, "a page in memory knows its place");
    this.#ring[page.ringAt] = null;
    this.#owners[page.ringAt] = null;
    this.#free.push(page.ringAt);
    page.ringAt = -1;
    this.#usedBytes -= page.chargeBytes;
  }

  #evictOne(): void {
    assert(this.#usedBytes > 0, "a budget that is used up holds something");
    for (;;) {
      if (this.#hand >= this.#ring.length) this.#hand = 0;
      const page = this.#ring[this.#hand] ?? null;
      const owner = this.#owners[this.#hand] ?? null;
      this.#hand++;
      if (page === null || owner === null) continue;
      if (page.referenced) {
        page.referenced = false;
        continue;
      }
      this.evictions++;
      owner.forget(page);
      return;
    }
  }
}

/** Where the section stands in its table. */
export interface PointsPlace {
  readonly start: number;
  readonly end: number;
  readonly recordCount: number;
}

/** The point index of one table: pages are read when a lookup needs them and the budget has room. */
export class PointIndex {
  readonly pageCount: number;
  readonly #file: TableFile;
  readonly #place: PointsPlace;
  readonly #budget: PointBudget;
  /** Empty until the directory is read. */
  #pages: (PointPage | null)[] = [];
  /** Where each page ends, from the start of the section; null: not read yet. */
  #ends: Uint32Array | null = null;

  constructor(file: TableFile, place: PointsPlace, budget: PointBudget) {
    this.#file = file;
    this.#place = place;
    this.#budget = budget;
    this.pageCount = pointPages(place.recordCount);
  }

  /** The page that has the point of a key with this hash, if any page has; null: not in memory. */
  page(hash: number): PointPage | null {
    const index = pointPageOf(hash, this.pageCount);
    const page = this.#pages[index] ?? null;
    if (page === null) return this.#load(index);
    page.referenced = true;
    return page;
  }

  forget(page: PointPage): void {
    assert(this.#pages[page.index] === page, "a page in memory is that of its table");
    this.#pages[page.index] = null;
    this.#budget.release(page);
  }

  /** The table is closed. */
  drop(): void {
    for (const page of this.#pages) {
      if (page !== null) this.forget(page);
    }
  }

  /** Reads and checks all of the section, and keeps nothing. Throws `NOKV_CORRUPTION`. */
  verify(): void {
    for (let i = 0; i < this.pageCount; i++) this.#read(i);
  }

  #load(index: number): PointPage | null {
    const ends = this.#ends ?? this.#readDirectory();
    const length = (ends[index] as number) - this.#startOf(ends, index);
    // Never less than the page will cost.
    if (!this.#budget.makeRoom(length + chargeMargin)) return null;
    const page = this.#read(index);
    this.#budget.admit(page, this);
    this.#pages[index] = page;
    return page;
  }

  #read(index: number): PointPage {
    const ends = this.#ends ?? this.#readDirectory();
    const start = this.#startOf(ends, index);
    const offset = this.#place.start + start;
    const bytes = this.#file.read(offset, (ends[index] as number) - start, "a page of the point index");
    const fault = pointPageFault(bytes);
    if (fault !== null) throw corruption(this.#file.path, offset, fault);
    return new PointPage(bytes, index);
  }

  #startOf(ends: Uint32Array, index: number): number {
    return index === 0 ? this.#directoryBytes : (ends[index - 1] as number);
  }

  get #directoryBytes(): number {
    return 4 * this.pageCount + checksumBytes;
  }

  #readDirectory(): Uint32Array {
    const { start, end } = this.#place;
    const { path } = this.#file;
    const length = this.#directoryBytes;
    if (start + length > end) throw corruption(path, start, "the point index is too short");
    const view = viewOf(this.#file.read(start, length, "the directory of the point index"));
    const ends = new Uint32Array(this.pageCount);
    let previous = length;
    for (let i = 0; i < ends.length; i++) {
      const pageEnd = view.getUint32(4 * i, true);
      if (pageEnd <= previous) throw corruption(path, start, "pages of the point index out of order");
      ends[i] = pageEnd;
      previous = pageEnd;
    }
    if (start + previous !== end) throw corruption(path, start, "the point index ends elsewhere");
    this.#ends = ends;
    this.#pages = Array.from({ length: this.pageCount }, () => null);
    return ends;
  }
}

/** A page's cost in memory beyond its bytes in the file. */
const chargeMargin = 512;
