// HOT: every point read looks here first.
import { assert } from "../assert.ts";
import { recordHasKey } from "../lsm/record-order.ts";
import type { ImageBuffer } from "../lsm/image-buffer.ts";
import { ScratchImage } from "../lsm/image-buffer.ts";
import { pageBytesFor, type SizeClass, sizeClasses, unitShift } from "./record-slots.ts";
import { SlotTable } from "./slot-table.ts";

/** Before the image, in every slot: the key's hash u32, and the slot's state u32. */
const slotHeaderBytes = 8;
const stateFree = 0;
const stateUsed = 1;
/** Used, and read again since it came or the hand of the clock last passed. */
const stateReferenced = 2;
const emptyBytes = new Uint8Array(0);
const emptyView = new DataView(emptyBytes.buffer);

/**
 * The newest records in tables, by key, within a budget of bytes: what point reads found there lately.
 *
 * Invariant: a key that is cached is in no memtable, neither in one that takes writes, nor in one that waits for
 * its flush, nor in a retained one. So what is cached is the newest record there is, flushes and compactions change
 * nothing about it, and a read may look here before anywhere else. Two rules keep it: a commit that brings a key
 * into a memtable drops it here, and only a read that found its key in no memtable at any version, and saw all of
 * the tables, brings it in.
 *
 * Memory comes in pages of one size, made when needed; each is cut into slots of one size class. A class out of
 * slots evicts its own by CLOCK, and now and then takes a page from the class that evicts least. A record is read
 * straight into its slot (`reserve`), and found from `publish` on.
 */
export class RecordCache implements ImageBuffer {
  readonly budgetBytes: number;
  /** The image that the last `find` found, or the room that the last `reserve` made. */
  bytes: Uint8Array = emptyBytes;
  view: DataView = emptyView;
  offset = 0;
  hits = 0;
  misses = 0;
  evictions = 0;
  readonly #pageBytes: number;
  readonly #pageShift: number;
  readonly #classes: readonly SizeClass[];
  /** By number; a page that was given back is empty. */
  readonly #pages: Uint8Array[] = [];
  readonly #views: DataView[] = [];
  readonly #classOf: (SizeClass | null)[] = [];
  readonly #pagesGone: number[] = [];
  readonly #scratch = new ScratchImage();
  readonly #table = new SlotTable();
  #pageCount = 0;
  /** Place of the slot that was reserved and is not published yet; -1: none, or the scratch image. */
  #reserved = -1;

  constructor(budgetBytes: number) {
    this.budgetBytes = budgetBytes;
    this.#pageBytes = pageBytesFor(budgetBytes);
    this.#pageShift = 31 - Math.clz32(this.#pageBytes >>> unitShift);
    this.#classes = sizeClasses(this.#pageBytes);
  }

  /** Records that can be found. */
  get count(): number {
    return this.#table.count;
  }

  get usedBytes(): number {
    return this.#pageCount * this.#pageBytes + this.#table.sizeBytes;
  }

  /** Whether the key is cached; then its image is at `offset`. `hash` is `hashKey(family, key)`. */
  find(family: number, key: Uint8Array, hash: number): boolean {
    const { entries, mask } = this.#table;
    let at = hash & mask;
    for (;;) {
      const entry = entries[(at << 1) + 1] as number;
      if (entry === 0) break;
      if (entries[at << 1] === hash && this.#holds(entry - 1, family, key)) {
        this.hits++;
        return true;
      }
      at = (at + 1) & mask;
    }
    this.misses++;
    return false;
  }

  /** The key comes into a memtable. Others with its hash are dropped too. */
  invalidate(hash: number): void {
    const { entries, mask } = this.#table;
    let at = hash & mask;
    for (;;) {
      const entry = entries[(at << 1) + 1] as number;
      if (entry === 0) return;
      if (entries[at << 1] === hash) {
        this.#setState(entry - 1, stateFree);
        this.#classAt(entry - 1).free.push(entry - 1);
        this.#table.removeAt(at);
      } else {
        at = (at + 1) & mask;
      }
    }
  }

  /** Makes room for an image of `length` bytes; evicts for it. What is not worth a slot gets scratch memory. */
  reserve(length: number): void {
    this.#release();
    const place = this.#takePlace(length + slotHeaderBytes);
    this.#reserved = place;
    if (place < 0) {
      this.#scratch.reserve(length);
      this.bytes = this.#scratch.bytes;
      this.view = this.#scratch.view;
      this.offset = 0;
      return;
    }
    this.#show(place);
  }

  /**
   * The reserved slot now holds the verified image of a key that is not cached. Never before: a slot that can be
   * found is never written again.
   */
  publish(hash: number): void {
    const place = this.#reserved;
    if (place < 0) return;
    this.#reserved = -1;
    this.view.setInt32(this.offset - slotHeaderBytes, hash, true);
    this.#setState(place, stateUsed);
    this.#table.insert(hash, place);
  }

  /** `reserve`, a copy of the image in `bytes[offset, offset + length)`, `publish`. */
  // oxlint-disable-next-line max-params
  add(hash: number, bytes: Uint8Array, offset: number, length: number): void {
    this.#release();
    const place = this.#takePlace(length + slotHeaderBytes);
    if (place < 0) return;
    this.#reserved = place;
    this.#show(place);
    this.bytes.set(bytes.subarray(offset, offset + length), this.offset);
    this.publish(hash);
  }

  /** Forgets everything and gives the memory back. */
  clear(): void {
    this.#reserved = -1;
    for (const sizeClass of this.#classes) sizeClass.clear();
    this.#pages.length = 0;
    this.#views.length = 0;
    this.#classOf.length = 0;
    this.#pagesGone.length = 0;
    this.#table.clear();
    this.#pageCount = 0;
    this.bytes = emptyBytes;
    this.view = emptyView;
    this.offset = 0;
  }

  #holds(place: number, family: number, key: Uint8Array): boolean {
    const page = place >>> this.#pageShift;
    const bytes = this.#pages[page] as Uint8Array;
    const view = this.#views[page] as DataView;
    const slot = (place << unitShift) & (this.#pageBytes - 1);
    const offset = slot + slotHeaderBytes;
    if (!recordHasKey(bytes, view, offset, family, key)) return false;
    if (bytes[slot + 4] !== stateReferenced) bytes[slot + 4] = stateReferenced;
    this.bytes = bytes;
    this.view = view;
    this.offset = offset;
    return true;
  }

  #show(place: number): void {
    const page = place >>> this.#pageShift;
    this.bytes = this.#pages[page] as Uint8Array;
    this.view = this.#views[page] as DataView;
    this.offset = ((place << unitShift) & (this.#pageBytes - 1)) + slotHeaderBytes;
  }

  #setState(place: number, state: number): void {
    const bytes = this.#pages[place >>> this.#pageShift] as Uint8Array;
    bytes[((place << unitShift) & (this.#pageBytes - 1)) + 4] = state;
  }

  /** Gives back what was reserved and came to nothing. */
  #release(): void {
    const place = this.#reserved;
    if (place < 0) return;
    this.#reserved = -1;
    this.#classAt(place).free.push(place);
  }

  #classAt(place: number): SizeClass {
    const sizeClass = this.#classOf[place >>> this.#pageShift] ?? null;
    assert(sizeClass !== null, "a slot in use has a page and a class");
    return sizeClass;
  }

  /** A free slot for so many bytes; -1 when there is none to be had. */
  #takePlace(slotBytes: number): number {
    const sizeClass = this.#classFor(slotBytes);
    if (sizeClass === null || !this.#growTable()) return -1;
    let place = sizeClass.take(this.#pageShift);
    if (place >= 0) return place;
    if (this.usedBytes + this.#pageBytes <= this.budgetBytes) {
      this.#addPage(sizeClass);
      return sizeClass.take(this.#pageShift);
    }
    if (sizeClass.evictions >= sizeClass.slotsPerPage || sizeClass.pages.length === 0) {
      const giver = this.#giverTo(sizeClass);
      if (giver !== null) {
        this.#dropPage(giver);
        this.#addPage(sizeClass);
      }
      place = sizeClass.take(this.#pageShift);
      if (place >= 0 || sizeClass.pages.length === 0) return place;
    }
    return this.#evict(sizeClass);
  }

  #classFor(slotBytes: number): SizeClass | null {
    const classes = this.#classes;
    let low = 0;
    let high = classes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((classes[middle] as SizeClass).slotBytes < slotBytes) low = middle + 1;
      else high = middle;
    }
    return classes[low] ?? null;
  }

  /** CLOCK: the hand goes round the slots of the class, and spares what was read since it last passed. */
  #evict(sizeClass: SizeClass): number {
    for (;;) {
      const place = sizeClass.advance(this.#pageShift);
      const bytes = this.#pages[place >>> this.#pageShift] as Uint8Array;
      const slot = (place << unitShift) & (this.#pageBytes - 1);
      const state = bytes[slot + 4];
      assert(state !== stateFree, "a class evicts when it has no free slot");
      if (state === stateReferenced) {
        bytes[slot + 4] = stateUsed;
        continue;
      }
      this.#forget(place);
      sizeClass.evictions++;
      return place;
    }
  }

  #forget(place: number): void {
    const view = this.#views[place >>> this.#pageShift] as DataView;
    const slot = (place << unitShift) & (this.#pageBytes - 1);
    this.#table.remove(view.getInt32(slot, true), place);
    this.#setState(place, stateFree);
    this.evictions++;
  }

  #addPage(sizeClass: SizeClass): void {
    const page = this.#pagesGone.pop() ?? this.#pages.length;
    const bytes = new Uint8Array(this.#pageBytes);
    this.#pages[page] = bytes;
    this.#views[page] = new DataView(bytes.buffer);
    this.#classOf[page] = sizeClass;
    this.#pageCount++;
    sizeClass.addPage(page);
  }

  /** Gives back the oldest page of the class and forgets what is in it. */
  #dropPage(sizeClass: SizeClass): void {
    const page = sizeClass.removePage(this.#pageShift);
    const bytes = this.#pages[page] as Uint8Array;
    const units = sizeClass.slotBytes >>> unitShift;
    for (let i = 0; i < sizeClass.slotsPerPage; i++) {
      const place = (page << this.#pageShift) + i * units;
      if (bytes[i * sizeClass.slotBytes + 4] !== stateFree) this.#forget(place);
    }
    this.#pages[page] = emptyBytes;
    this.#views[page] = emptyView;
    this.#classOf[page] = null;
    this.#pagesGone.push(page);
    this.#pageCount--;
  }

  /** The other class that evicts least for its size; null when none has a page, or none evicts less. */
  #giverTo(taker: SizeClass): SizeClass | null {
    let giver: SizeClass | null = null;
    for (let i = 0; i < this.#classes.length; i++) {
      const other = this.#classes[i] as SizeClass;
      if (other === taker || other.pages.length === 0) continue;
      if (giver === null || other.evictions * giver.pages.length < giver.evictions * other.pages.length) {
        giver = other;
      }
    }
    if (taker.pages.length === 0) return giver;
    const evictsLess =
      giver !== null && giver.evictions * taker.pages.length < taker.evictions * giver.pages.length;
    // Halved, so that what a class did long ago counts little.
    for (let i = 0; i < this.#classes.length; i++) {
      const sizeClass = this.#classes[i] as SizeClass;
      sizeClass.evictions >>>= 1;
    }
    return evictsLess ? giver : null;
  }

  /** Makes sure that one more record finds its place in the table. False: the budget does not allow it. */
  #growTable(): boolean {
    const table = this.#table;
    if (table.sizeBytesForOneMore === table.sizeBytes) return true;
    while (this.#pageCount * this.#pageBytes + table.sizeBytesForOneMore > this.budgetBytes) {
      const giver = this.#largestClass();
      if (giver === null) return false;
      this.#dropPage(giver);
    }
    table.grow();
    return true;
  }

  #largestClass(): SizeClass | null {
    let largest: SizeClass | null = null;
    for (let i = 0; i < this.#classes.length; i++) {
      const sizeClass = this.#classes[i] as SizeClass;
      if (sizeClass.pages.length > (largest?.pages.length ?? 0)) largest = sizeClass;
    }
    return largest;
  }
}
