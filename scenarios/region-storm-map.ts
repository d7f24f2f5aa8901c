import { compareKeys } from "../core/bytes/record.ts";
import { epochCovers } from "../raft/epoch.ts";
import {
  type RegionMeta,
  compareRangeEnds,
  describeRegion,
  rangeContains,
  rangesOverlap,
  sameRange,
} from "../raft/region.ts";
import type { World } from "../sim/world.ts";
import type { RegionSeat } from "./region-seat.ts";

const encoder = new TextEncoder();

/**
 * Every descriptor that any store ever showed, and what follows from all of them: of two regions that both held a key
 * one has a higher version; on one store they never hold it both; and those that nothing higher reaches into hold
 * every key, once.
 */
export class StormMap {
  readonly #world: Pick<World, "fail">;
  readonly #seats: readonly RegionSeat[];
  readonly #seen = new Map<string, RegionMeta>();
  readonly #newest = new Map<number, RegionMeta>();

  constructor(world: Pick<World, "fail">, seats: readonly RegionSeat[], first: readonly RegionMeta[]) {
    this.#world = world;
    this.#seats = seats;
    for (const region of first) this.see("the topology", region);
  }

  look(): void {
    for (const { node, machine } of this.#seats) {
      if (node === null || !machine.up) continue;
      const regions = node.store.regions().map(({ region }) => region);
      for (const region of regions) this.see(machine.name, region);
      const sorted = regions.toSorted((a, b) => compareKeys(a.start, b.start));
      for (const [at, region] of sorted.entries()) {
        const next = sorted[at + 1];
        if (next === undefined || !rangesOverlap(region, next)) continue;
        this.#fail(`${machine.name} has ${describeRegion(region)} and ${describeRegion(next)}`);
      }
    }
  }

  /** Nothing that is known is newer than they are, by start key. */
  current(): readonly RegionMeta[] {
    const all = [...this.#newest.values()];
    const isOver = ({ epoch, ...range }: RegionMeta): boolean =>
      all.some((other) => other.epoch.version > epoch.version && rangesOverlap(other, range));
    return all
      .filter((region) => !isOver(region))
      .toSorted((a, b) => compareKeys(a.start, b.start));
  }

  ids(): readonly number[] {
    return this.current().map(({ id }) => id);
  }

  /** Where a key lies, as far as anybody knows. */
  regionOf(key: string): number {
    const bytes = encoder.encode(key);
    return this.current().find((region) => rangeContains(region, bytes))?.id ?? 1;
  }

  /** The regions that there are hold every key: what is missing; null: nothing. */
  gap(): string | null {
    let end: Uint8Array | null = new Uint8Array(0);
    for (const region of this.current()) {
      if (end === null || compareKeys(end, region.start) !== 0) return `${describeRegion(region)} does not follow`;
      end = region.end.length === 0 ? null : region.end;
    }
    return end === null ? null : "nobody holds the last keys";
  }

  /** The newest descriptor of it that anybody had; null: there was none. */
  newestOf(id: number): RegionMeta | null {
    return this.#newest.get(id) ?? null;
  }

  /** Somebody has it, a store or the Coordinator. */
  see(name: string, region: RegionMeta): void {
    const { id, epoch } = region;
    const key = `${id}/${epoch.version}/${epoch.confVer}`;
    if (this.#seen.has(key)) return;
    for (const other of this.#seen.values()) {
      if (other.id === id ? !contradicts(other, region) : !rangesOverlap(other, region)) continue;
      if (other.epoch.version !== epoch.version) continue;
      this.#fail(`${name} has ${describeRegion(region)}, and ${describeRegion(other)} was there`);
    }
    this.#seen.set(key, region);
    const newest = this.#newest.get(id);
    if (newest === undefined || epochCovers(epoch, newest.epoch)) this.#newest.set(id, region);
  }

  #fail(message: string): never {
    return this.#world.fail("region-map", message);
  }
}

/** One version of a region is one range. */
function contradicts(a: RegionMeta, b: RegionMeta): boolean {
  return !sameRange(a, b) || compareRangeEnds(a.end, b.end) !== 0;
}
