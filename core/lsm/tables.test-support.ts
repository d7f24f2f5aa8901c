/** Tables for tests: built from plain records on a memory disk. */
import { BlockCache } from "./block-cache.ts";
import type { MemoryDisk } from "./memory-disk.test-support.ts";
import type { RangeFragment } from "./range-tombstones.ts";
import type { PlainRecord } from "./records.test-support.ts";
import { arenaFor } from "./records.test-support.ts";
import { PointBudget } from "./point-index.ts";
import { TableBuilder } from "./table-builder.ts";
import type { TableOptions } from "./table-builder.ts";
import { tablePath } from "./table-meta.ts";
import type { TableMeta } from "./table-meta.ts";
import { TableReader } from "./table-reader.ts";

export const directory = "db";
export const smallBlocks: TableOptions = {
  blockBytes: 200, bloomBitsPerKey: 10, compression: "none", pointIndex: true,
};

/** `records` in record order, without duplicates. */
// oxlint-disable-next-line max-params
export function writeTable(
  disk: MemoryDisk,
  number: number,
  records: readonly PlainRecord[],
  options: TableOptions = smallBlocks,
  ranges: readonly RangeFragment[] = [],
): TableMeta {
  const file = disk.open(tablePath(directory, number), "create");
  const builder = new TableBuilder(file, number, options);
  const arena = arenaFor(records);
  for (const record of records) builder.add(arena.bytes, arena.view, arena.append(record));
  const properties = builder.finish(ranges);
  file.close();
  return { ...properties, level: 0 };
}

/** `pointBytes`: for the point index; 0: point reads go through blocks. */
export function openTable(
  disk: MemoryDisk,
  meta: TableMeta,
  cacheBytes = 1 << 20,
  pointBytes = cacheBytes,
): TableReader {
  const points = pointBytes === 0 ? null : new PointBudget(pointBytes);
  return TableReader.openAs(disk, directory, meta, new BlockCache(cacheBytes, 256), points);
}
