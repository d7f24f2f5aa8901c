import type { Disk } from "../env/disk.ts";
import { BlockCache } from "./block-cache.ts";
import { runsOf } from "./compaction-picker.ts";
import { LevelCursor } from "./level-cursor.ts";
import { MergingCursor } from "./merging-cursor.ts";
import type { RangeFragment } from "./range-tombstones.ts";
import type { TableMeta } from "./table-meta.ts";
import { TableReader } from "./table-reader.ts";

/** What one sorted run is read ahead, and what the cache needs for it: what is walked, and what is behind. */
const runAheadBytes = 128 * 1024;
const runCacheBytes = 4 * runAheadBytes;

/** The input tables of one job, opened for it alone; every block is read once, so the cache is a short one. */
export class JobTables {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #cache: BlockCache;
  readonly #readers = new Map<number, TableReader>();
  readonly #cursors: LevelCursor[] = [];

  constructor(disk: Disk, directory: string, inputs: readonly TableMeta[], blockBytes: number) {
    this.#disk = disk;
    this.#directory = directory;
    this.#cache = new BlockCache(runsOf(inputs).length * runCacheBytes, blockBytes);
  }

  /** The range tombstones of `inputs`. Tables without any are not opened for it. */
  ranges(inputs: readonly TableMeta[]): readonly RangeFragment[] {
    const withRanges = inputs.filter((table) => table.rangeTombstoneCount > 0);
    return withRanges.flatMap((table) => this.#open(table).ranges);
  }

  /** Over all records of `inputs`. Called once. */
  cursor(inputs: readonly TableMeta[]): MergingCursor {
    return new MergingCursor(runsOf(inputs).map((run) => this.runCursor(run)));
  }

  /** Over the records of one sorted run. */
  runCursor(run: readonly TableMeta[]): LevelCursor {
    const cursor = new LevelCursor(run.map((table) => this.#open(table)));
    cursor.expect({ bytes: runAheadBytes, backward: false });
    this.#cursors.push(cursor);
    return cursor;
  }

  close(): void {
    for (const cursor of this.#cursors.splice(0)) cursor.release();
    for (const reader of this.#readers.values()) reader.close();
    this.#readers.clear();
  }

  #open(table: TableMeta): TableReader {
    const known = this.#readers.get(table.number);
    if (known !== undefined) return known;
    const reader = TableReader.openAs(this.#disk, this.#directory, table, this.#cache);
    this.#readers.set(table.number, reader);
    return reader;
  }
}
