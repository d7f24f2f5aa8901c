import { columnFamily } from "../core/bytes/record.ts";
import type { Engine } from "../core/engine/engine.ts";
import type { RegionMeta } from "../raft/region.ts";
import { regionRanges } from "./region-ranges.ts";

/** The part of an engine that knows how much lies where. */
export type SizedEngine = Pick<Engine, "sizeOf" | "sampleKeys">;

/** What a region's records take, superseded ones included, values in files of their own not. An estimate. */
export function regionBytes(engine: SizedEngine, region: RegionMeta): number {
  return regionRanges(region).reduce((sum, range) => {
    const { tableBytes, memtableBytes } = engine.sizeOf(range);
    return sum + tableBytes + memtableBytes;
  }, 0);
}

/** At most `count` keys that divide it into parts of about equal size. */
export function middleKeys(engine: SizedEngine, { start, end }: RegionMeta, count: number): Uint8Array[] {
  return engine.sampleKeys({ family: columnFamily.data, start, end: end.length === 0 ? null : end }, count);
}
