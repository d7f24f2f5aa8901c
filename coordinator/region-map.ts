import { compareKeys } from "../core/bytes/record.ts";
import { epochCovers } from "../raft/epoch.ts";
import {
  compareRangeEnds,
  isBeforeEnd,
  type KeyRange,
  rangeContains,
  type RegionMeta,
  rangesOverlap,
} from "../raft/region.ts";
import type { CoordinatorState } from "./state.ts";

/** How many of `regions`, which are sorted by start key, begin at or below `key`. */
function countUpTo(regions: readonly RegionMeta[], key: Uint8Array): number {
  let low = 0;
  let high = regions.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const region = regions[middle];
    if (region !== undefined && compareKeys(region.start, key) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The region that holds `key`; null: no region is known there. */
export function regionAt(regions: readonly RegionMeta[], key: Uint8Array): RegionMeta | null {
  const region = regions[countUpTo(regions, key) - 1];
  return region !== undefined && rangeContains(region, key) ? region : null;
}

/** Where in `regions` those stand that share a key with `range`: from `first`, `count` of them. */
export function overlapping(
  regions: readonly RegionMeta[],
  range: KeyRange,
): { readonly first: number; readonly count: number } {
  const before = countUpTo(regions, range.start);
  const last = regions[before - 1];
  const first = last !== undefined && isBeforeEnd(range.start, last.end) ? before - 1 : before;
  let end = first;
  for (; end < regions.length; end++) {
    const region = regions[end];
    if (region === undefined || !isBeforeEnd(region.start, range.end)) break;
  }
  return { first, count: end - first };
}

/** `near`: a key where it was last known to be. There it is found at once, elsewhere by a look at all of them. */
export function regionById({ regions }: CoordinatorState, id: number, near?: Uint8Array): RegionMeta | null {
  const there = near === undefined ? undefined : regions[countUpTo(regions, near) - 1];
  if (there?.id === id) return there;
  // A look at each of ten thousand, ten thousand times over: no call for each.
  for (let i = 0; i < regions.length; i++) {
    const region = regions[i];
    if (region?.id === id) return region;
  }
  return null;
}

/** "known": this very descriptor is in the map. "stale": something there is newer, or as new and different. */
export type Dominance =
  | { readonly kind: "newer" }
  | { readonly kind: "known" }
  | { readonly kind: "stale"; readonly by: RegionMeta | null };

/**
 * Whether `region` may take its place in the map: it must be newer than everything known under its id or within its
 * range. Over its life a key is covered by descriptors of growing version, so heartbeats that arrive in any order
 * leave the newest at every key.
 *
 * - Than what stands under its own id: older in neither part of the epoch, and newer in one.
 * - Than one of another id: of a higher version. `confVer` says nothing there, it counts each region's own peers.
 *   Equal versions of two ids never share a key in truth: whoever came first stays.
 * - Than one that is over, because a part of its range is known to be another's: of a higher version too.
 */
export function dominance(state: CoordinatorState, region: RegionMeta): Dominance {
  const tombstone = state.tombstones.find(({ regionId }) => regionId === region.id);
  if (tombstone !== undefined) return { kind: "stale", by: null };
  const own = regionById(state, region.id, region.start);
  if (own !== null) {
    if (!epochCovers(region.epoch, own.epoch)) return { kind: "stale", by: own };
    // Two descriptors of one epoch are the same one: the range and the peers follow from it.
    if (epochCovers(own.epoch, region.epoch)) return { kind: "known" };
  }
  const { first, count } = overlapping(state.regions, region);
  for (let i = first; i < first + count; i++) {
    const other = state.regions[i];
    if (other === undefined || other.id === region.id) continue;
    if (other.epoch.version >= region.epoch.version) return { kind: "stale", by: other };
  }
  const { version } = region.epoch;
  if (state.vacated.some((gap) => gap.version >= version && rangesOverlap(gap, region))) {
    return { kind: "stale", by: null };
  }
  return { kind: "newer" };
}

/** What is left of `range` outside `taken`: none, one or two ranges. */
export function remainders(range: KeyRange, taken: KeyRange): KeyRange[] {
  if (!rangesOverlap(range, taken)) return [range];
  const left: KeyRange[] = [];
  if (compareKeys(range.start, taken.start) < 0) left.push({ start: range.start, end: taken.start });
  if (compareRangeEnds(taken.end, range.end) < 0) left.push({ start: taken.end, end: range.end });
  return left;
}

/** What may be kept of regions that are gone, so that not every change of the map looks at everything. */
const goneMax = 64;

/** Drops what `byId` holds of regions that are not in the map, once there is much of it. */
export function forgetGone(byId: Map<number, unknown>, regions: readonly RegionMeta[]): void {
  if (byId.size <= regions.length + goneMax) return;
  const alive = new Set(regions.map(({ id }) => id));
  for (const id of byId.keys()) if (!alive.has(id)) byId.delete(id);
}

/** Why `regions` is no map of the whole key space, or null. */
export function tilingProblem(regions: readonly RegionMeta[]): string | null {
  let covered: Uint8Array = new Uint8Array(0);
  let open = true;
  const ids = new Set<number>();
  for (const region of regions) {
    if (ids.has(region.id)) return `region ${region.id} is there twice`;
    ids.add(region.id);
    if (!open) return `region ${region.id} begins after the end of everything`;
    const order = compareKeys(region.start, covered);
    if (order < 0) return `region ${region.id} overlaps the one before it`;
    if (order > 0) return `no region holds the keys before region ${region.id}`;
    covered = region.end;
    open = region.end.length > 0;
  }
  return open ? "no region holds the last keys" : null;
}
