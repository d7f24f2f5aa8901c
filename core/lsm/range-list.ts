import { RangeTombstones, type RangeTombstone } from "./range-tombstones.ts";

/**
 * The range tombstones of one memtable, as they come. Sets of growing sizes, like the digits of a counter:
 * a new one is merged with those that are not larger. So n of them cost n log n merges however reads and
 * writes alternate, and a read looks into log n sets.
 */
export class RangeList {
  /** Arrived since somebody last looked. */
  #fresh: RangeTombstone[] = [];
  #sets: readonly RangeTombstones[] = [];
  count = 0;

  add(tombstone: RangeTombstone): void {
    this.#fresh.push(tombstone);
    this.count++;
  }

  /** All of them. What is returned never changes: later ones make a new array. */
  sets(): readonly RangeTombstones[] {
    if (this.#fresh.length === 0) return this.#sets;
    const sets = [...this.#sets];
    let merged = this.#fresh;
    this.#fresh = [];
    for (let last = sets.at(-1); last !== undefined && last.count <= merged.length; last = sets.at(-1)) {
      merged = [...last.tombstones, ...merged];
      sets.pop();
    }
    sets.push(RangeTombstones.of(merged));
    this.#sets = sets;
    return sets;
  }

  /** The highest version up to `atVersion` of one that covers (family, key); 0 if there is none. */
  cover(family: number, key: Uint8Array, atVersion: number): number {
    const sets = this.sets();
    let highest = 0;
    for (let i = 0; i < sets.length; i++) {
      const version = (sets[i] as RangeTombstones).cover(family, key, atVersion);
      if (version > highest) highest = version;
    }
    return highest;
  }
}
