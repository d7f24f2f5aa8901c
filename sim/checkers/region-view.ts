import { compareKeys } from "../../core/bytes/record.ts";
import { describeRegion, type RegionMeta } from "../../raft/region.ts";
import type { RegionReport } from "./region-history.ts";

/**
 * Somebody's map of the regions, judged by what was acknowledged to be in it. It has its own notion of which
 * descriptor is newer: that of the map under test may be wrong.
 */
export class RegionViewChecker {
  #acknowledged: RegionMeta[] = [];

  acknowledge(region: RegionMeta): void {
    this.#acknowledged = this.#acknowledged.filter((known) => known.id !== region.id || isNewer(known, region));
    this.#acknowledged.push(region);
  }

  /** Null: nothing overlaps, nobody is there twice, and nothing is older than what was acknowledged. */
  judge(map: readonly RegionMeta[]): string | null {
    for (const [i, region] of map.entries()) {
      const next = map[i + 1];
      if (next !== undefined && overlaps(region, next)) {
        return `${describeRegion(region)} and ${describeRegion(next)} share keys`;
      }
      if (next !== undefined && compareKeys(region.start, next.start) >= 0) return "the map is not in order";
      const twice = map.slice(i + 1).find(({ id }) => id === region.id);
      if (twice !== undefined) return `${describeRegion(region)} and ${describeRegion(twice)} have one id`;
      const older = this.#judgeOne(region);
      if (older !== null) return older;
    }
    return null;
  }

  /** One answer about `key`. Null: it is as new as what was acknowledged. */
  judgeRoute(key: Uint8Array, region: RegionMeta | null): string | null {
    if (region === null) return null;
    if (!holds(region, key)) return `${describeRegion(region)} is the answer for a key outside it`;
    return this.#judgeOne(region);
  }

  #judgeOne(region: RegionMeta): string | null {
    const known = this.#acknowledged.find(
      (other) => isNewer(other, region) && (other.id === region.id || overlaps(other, region)),
    );
    return known === undefined ? null : `${describeRegion(region)} although ${describeRegion(known)} was acknowledged`;
  }
}

/** Null: `map` is exactly what is true. */
export function judgeComplete(map: readonly RegionMeta[], truth: readonly RegionReport[]): string | null {
  for (let i = 0; i < Math.max(map.length, truth.length); i++) {
    const shown = map[i];
    const report = truth[i];
    const want = report === undefined ? "nothing" : describeRegion(report.region);
    const have = shown === undefined ? "nothing" : describeRegion(shown);
    if (want !== have) return `the map has ${have} where ${want} is`;
  }
  return null;
}

function isNewer(a: RegionMeta, b: RegionMeta): boolean {
  if (a.epoch.version !== b.epoch.version) return a.epoch.version > b.epoch.version;
  return a.id === b.id && a.epoch.confVer > b.epoch.confVer;
}

function overlaps(a: RegionMeta, b: RegionMeta): boolean {
  return startsBefore(a.start, b.end) && startsBefore(b.start, a.end);
}

function holds(region: RegionMeta, key: Uint8Array): boolean {
  return compareKeys(region.start, key) <= 0 && startsBefore(key, region.end);
}

function startsBefore(key: Uint8Array, end: Uint8Array): boolean {
  return end.length === 0 || compareKeys(key, end) < 0;
}
