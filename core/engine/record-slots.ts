// HOT: every record that enters the cache gets its slot here.
import { assert } from "../assert.ts";

/** Slots begin and end at multiples of it. */
export const unitShift = 5;
const unitBytes = 1 << unitShift;

const pageBytesMin = 1024;
const pageBytesMax = 256 * 1024;
/** A cache has at least about so many pages, so that one page more or less is of no account. */
const pagesWanted = 64;
const slotBytesMin = 64;
const slotBytesMax = 64 * 1024;
/** Classes per doubling: 16 waste 3 % of a slot on average. */
const stepsShift = 4;

/** A power of two. */
export function pageBytesFor(budgetBytes: number): number {
  let pageBytes = pageBytesMin;
  while (pageBytes < pageBytesMax && pageBytes * 2 * pagesWanted <= budgetBytes) pageBytes *= 2;
  return pageBytes;
}

/** By slot size, ascending: the smallest that fits is the right one. */
export function sizeClasses(pageBytes: number): SizeClass[] {
  const classes: SizeClass[] = [];
  const largest = Math.min(slotBytesMax, pageBytes >>> 1);
  for (let slotBytes = slotBytesMin; slotBytes <= largest;) {
    classes.push(new SizeClass(slotBytes, Math.floor(pageBytes / slotBytes)));
    const power = 31 - Math.clz32(slotBytes);
    slotBytes += Math.max(unitBytes, 1 << (power - stepsShift));
  }
  return classes;
}

/**
 * The slots of one size: places are numbered in units over all pages, `page << pageShift | unit`. A slot is on
 * the free list, or not handed out yet, or in use.
 */
export class SizeClass {
  readonly slotBytes: number;
  readonly slotsPerPage: number;
  readonly pages: number[] = [];
  readonly free: number[] = [];
  /** Lately. */
  evictions = 0;
  /** Slots of the newest page from this one on were never handed out. */
  #fresh = 0;
  #handPage = 0;
  #handSlot = 0;

  constructor(slotBytes: number, slotsPerPage: number) {
    this.slotBytes = slotBytes;
    this.slotsPerPage = slotsPerPage;
  }

  /** A free slot; -1 if there is none. */
  take(pageShift: number): number {
    const freed = this.free.pop();
    if (freed !== undefined) return freed;
    if (this.pages.length === 0 || this.#fresh === this.slotsPerPage) return -1;
    const page = this.pages[this.pages.length - 1] as number;
    return (page << pageShift) + this.#fresh++ * (this.slotBytes >>> unitShift);
  }

  /** The slot under the hand of the clock, which moves on. */
  advance(pageShift: number): number {
    if (this.#handSlot === this.slotsPerPage) {
      this.#handSlot = 0;
      this.#handPage++;
    }
    if (this.#handPage >= this.pages.length) this.#handPage = 0;
    const page = this.pages[this.#handPage] as number;
    return (page << pageShift) + this.#handSlot++ * (this.slotBytes >>> unitShift);
  }

  addPage(page: number): void {
    assert(this.pages.length === 0 || this.#fresh === this.slotsPerPage, "a page is used up before the next");
    this.pages.push(page);
    this.#fresh = 0;
  }

  /** The oldest page leaves with its free slots. */
  removePage(pageShift: number): number {
    const page = this.pages.shift();
    assert(page !== undefined, "a class that gives a page has one");
    let kept = 0;
    for (let i = 0; i < this.free.length; i++) {
      const place = this.free[i] as number;
      if (place >>> pageShift !== page) this.free[kept++] = place;
    }
    this.free.length = kept;
    this.#handPage = 0;
    this.#handSlot = 0;
    return page;
  }

  clear(): void {
    this.pages.length = 0;
    this.free.length = 0;
    this.evictions = 0;
    this.#fresh = 0;
    this.#handPage = 0;
    this.#handSlot = 0;
  }
}
