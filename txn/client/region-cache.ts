import { compareKeys } from "../../core/bytes/record.ts";
import type { KeyRange } from "../percolator/command.ts";
import { KeyMap } from "../percolator/key-map.ts";
import { contains } from "../percolator/read.ts";

/** What a client knows of a region. */
export interface Region {
  readonly id: number;
  readonly range: KeyRange;
  /** Grows with every split and merge. */
  readonly version: number;
}

/** Regions by their range. What is cached may be old, never mixed up: no two of them overlap. */
export class RegionCache {
  readonly #regions = new KeyMap<Region>();

  find(key: Uint8Array): Region | null {
    const found = this.#regions.floor(key);
    return found !== null && contains(found[1].range, key) ? found[1] : null;
  }

  /** False: something newer is known of a part of it. */
  insert(region: Region): boolean {
    const overlapping = this.#overlapping(region.range);
    if (overlapping.some(({ version }) => version > region.version)) return false;
    for (const { range } of overlapping) this.#regions.set(range.start, null);
    this.#regions.set(region.range.start, region);
    return true;
  }

  /** Forgets `region`, unless something newer has taken its place. */
  invalidate(region: Region): void {
    const found = this.#regions.get(region.range.start);
    if (found !== null && found.id === region.id && found.version === region.version) {
      this.#regions.set(region.range.start, null);
    }
  }

  #overlapping(range: KeyRange): Region[] {
    const inside = this.#regions.slice(range, Infinity).map(([, region]) => region);
    const before = this.#regions.floor(range.start)?.[1];
    if (before === undefined || inside.includes(before)) return inside;
    const { end } = before.range;
    return end === null || compareKeys(end, range.start) > 0 ? [before, ...inside] : inside;
  }
}
