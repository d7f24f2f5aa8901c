import { compareKeys } from "../../core/bytes/record.ts";
import { describeRegion, type RegionMeta } from "../../raft/region.ts";
import type { RegionReport } from "./region-history.ts";

/**
 * Somebody's map of the regions, judged by what was acknowledged to be in it. It has its own notion of which
 * descriptor is newer: that of the map under test may be wrong.
 */
export class RegionViewChecker {
  #acknowledged: RegionMeta[] = [];
  /** What may have got into the map, although nobody was told. */
  readonly #attempted: RegionMeta[] = [];

  attempt(regions: readonly RegionMeta[]): void {
    for (const region of regions) {
      const known = this.#attempted.some(({ id, epoch }) => id === region.id && sameEpoch(epoch, region.epoch));
      if (!known) this.#attempted.push(region);
    }
  }

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
    if (region === null) return this.#judgeNothing(key);
    if (!holds(region, key)) return `${describeRegion(region)} is the answer for a key outside it`;
    return this.#judgeOne(region);
  }

  /** A gap has a reason: something newer that reaches over what was there, and not as far as the key. */
  #judgeNothing(key: Uint8Array): string | null {
    const lost = this.#acknowledged.find(
      (known) => holds(known, key) && !this.#attempted.some((other) => replaces(other, known)),
    );
    return lost === undefined ? null : `no region is told although ${describeRegion(lost)} was acknowledged`;
  }

  #judgeOne(region: RegionMeta): string | null {
    const known = this.#acknowledged.find((other) => replaces(other, region));
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

function replaces(a: RegionMeta, b: RegionMeta): boolean {
  return isNewer(a, b) && (a.id === b.id || overlaps(a, b));
}

function sameEpoch(a: RegionMeta["epoch"], b: RegionMeta["epoch"]): boolean {
  return a.version === b.version && a.confVer === b.confVer;
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
