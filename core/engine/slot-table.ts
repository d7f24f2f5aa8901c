// HOT: every point read probes it.
import { assert } from "../assert.ts";

const slotsMin = 16;

/**
 * From a hash to the places of the slots whose keys have it: open addressing, linear probing, at most 3/4 full.
 * `entries` holds pairs [hash, 1 + place], the second is 0 where nothing is; a probe begins at pair `hash & mask`
 * and ends at the first empty one. Whoever probes reads `entries` itself.
 */
export class SlotTable {
  entries: Int32Array = new Int32Array(2);
  mask = 0;
  count = 0;

  /** 0 until the first entry. */
  get sizeBytes(): number {
    return this.mask === 0 ? 0 : this.entries.length * 4;
  }

  /** What it will take to hold one more; `sizeBytes` as long as there is room. */
  get sizeBytesForOneMore(): number {
    if (this.mask === 0) return slotsMin * 8;
    const slots = this.mask + 1;
    return (this.count + 1) * 4 <= slots * 3 ? slots * 8 : slots * 16;
  }

  /** To `sizeBytesForOneMore`. */
  grow(): void {
    const sizeBytes = this.sizeBytesForOneMore;
    if (sizeBytes === this.sizeBytes) return;
    const old = this.entries;
    this.entries = new Int32Array(sizeBytes / 4);
    this.mask = sizeBytes / 8 - 1;
    this.count = 0;
    for (let at = 0; at < old.length; at += 2) {
      const entry = old[at + 1] as number;
      if (entry !== 0) this.insert(old[at] as number, entry - 1);
    }
  }

  insert(hash: number, place: number): void {
    const { entries, mask } = this;
    assert(this.count < mask, "a probe ends at an empty pair");
    let at = hash & mask;
    while (entries[(at << 1) + 1] !== 0) at = (at + 1) & mask;
    entries[at << 1] = hash;
    entries[(at << 1) + 1] = place + 1;
    this.count++;
  }

  remove(hash: number, place: number): void {
    const { entries, mask } = this;
    let at = hash & mask;
    while (entries[(at << 1) + 1] !== place + 1) {
      assert(entries[(at << 1) + 1] !== 0, "what is removed is there");
      at = (at + 1) & mask;
    }
    this.removeAt(at);
  }

  /** Empties pair `removed` and closes the gap: every entry stays reachable from where its hash begins. */
  removeAt(removed: number): void {
    const { entries, mask } = this;
    let hole = removed;
    let at = removed;
    for (;;) {
      at = (at + 1) & mask;
      const entry = entries[(at << 1) + 1] as number;
      if (entry === 0) break;
      const hash = entries[at << 1] as number;
      if (((at - hash) & mask) < ((at - hole) & mask)) continue;
      entries[hole << 1] = hash;
      entries[(hole << 1) + 1] = entry;
      hole = at;
    }
    entries[(hole << 1) + 1] = 0;
    this.count--;
  }

  clear(): void {
    this.entries = new Int32Array(2);
    this.mask = 0;
    this.count = 0;
  }
}
