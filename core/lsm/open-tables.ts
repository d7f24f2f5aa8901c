// HOT: every point read that leaves memory walks the levels here.
import { assert } from "../assert.ts";
import type { ValueFiles } from "../vlog/value-files.ts";
import type { ImageBuffer } from "./image-buffer.ts";
import { firstReaching, LevelCursor } from "./level-cursor.ts";
import { RangeTombstones } from "./range-tombstones.ts";
import type { RecordCursor } from "./record-cursor.ts";
import type { TableMeta } from "./table-meta.ts";
import type { Found, TableReader } from "./table-reader.ts";
import type { Version } from "./version.ts";

/** Hands out the reader of each table, and takes it back when no version in use names it any more. */
export class TablePool {
  readonly #open: (meta: TableMeta) => TableReader;
  readonly #readers = new Map<number, PooledTable>();
  /** What the tables point into. */
  readonly values: ValueFiles;

  /** `open` is called for a table that is not open yet. */
  constructor(open: (meta: TableMeta) => TableReader, values: ValueFiles) {
    this.#open = open;
    this.values = values;
  }

  get openCount(): number {
    return this.#readers.size;
  }

  /** Opens what is not open yet; when that throws, everything is as before. */
  retain(version: Version): OpenTables {
    const levels: TableReader[][] = [];
    const retained: number[] = [];
    try {
      for (const tables of version.levels) {
        const readers: TableReader[] = [];
        levels.push(readers);
        for (const table of tables) {
          readers.push(this.#acquire(table));
          retained.push(table.number);
        }
      }
    } catch (error) {
      for (const number of retained) this.release(number);
      throw error;
    }
    this.values.retain(version.valueFiles());
    return new OpenTables(version, levels, this);
  }

  release(number: number): void {
    const pooled = this.#readers.get(number);
    assert(pooled !== undefined, "a table that is released was retained");
    pooled.holders--;
    if (pooled.holders > 0) return;
    this.#readers.delete(number);
    pooled.reader.close();
  }

  #acquire(table: TableMeta): TableReader {
    const pooled = this.#readers.get(table.number) ?? { reader: this.#open(table), holders: 0 };
    pooled.holders++;
    this.#readers.set(table.number, pooled);
    return pooled.reader;
  }
}

interface PooledTable {
  readonly reader: TableReader;
  holders: number;
}

/**
 * A version with its readers. Counted: it begins with one holder, and the last `release` gives the readers
 * back. Cursors and what `find` returns are valid while somebody holds it.
 */
export class OpenTables {
  readonly version: Version;
  /** Whether any table has range tombstones. */
  readonly hasRanges: boolean;
  #ranges: RangeTombstones | null = null;
  readonly #levels: readonly (readonly TableReader[])[];
  readonly #pool: TablePool;
  readonly #runs: readonly Run[];
  readonly #recordCount: number;
  /** What a merge of level 0 would rewrite. */
  readonly #mergedBytes: number;
  #walkCount = 0;
  #holders = 1;

  constructor(version: Version, levels: readonly (readonly TableReader[])[], pool: TablePool) {
    this.version = version;
    this.#levels = levels;
    this.#pool = pool;
    this.#runs = runsOf(levels);
    this.#mergedBytes = version.levelBytes(0) + version.levelBytes(1);
    this.#recordCount = Math.max(1, version.tables().reduce((sum, table) => sum + table.recordCount, 0));
    this.hasRanges = levels.some((tables) => tables.some((table) => table.ranges.length > 0));
  }

  /** The range tombstones of all tables. Put together when somebody asks, once. */
  get ranges(): RangeTombstones {
    this.#ranges ??= RangeTombstones.ofFragments(
      this.#levels.flatMap((tables) => tables.flatMap((table) => table.ranges)),
    );
    return this.#ranges;
  }

  retain(): this {
    assert(this.#holders > 0, "tables are retained while somebody holds them");
    this.#holders++;
    return this;
  }

  release(): void {
    assert(this.#holders > 0, "tables are released as often as they are retained");
    this.#holders--;
    if (this.#holders > 0) return;
    for (const table of this.version.tables()) this.#pool.release(table.number);
    this.#pool.values.release(this.version.valueFiles());
  }

  /**
   * The newest record of (family, key) with a version up to `version`, or null; `hash` is `hashKey(family,
   * key)`. A level is newer than those below it, so the first hit is the newest. It may be read into `image`.
   */
  // oxlint-disable-next-line max-params
  find(
    family: number,
    key: Uint8Array,
    version: number,
    hash: number,
    image: ImageBuffer,
  ): Found | null {
    const levels = this.#levels;
    const overlapping = levels[0] as readonly TableReader[];
    for (let i = 0; i < overlapping.length; i++) {
      const found = (overlapping[i] as TableReader).find(family, key, version, hash, image);
      if (found !== null) return found;
    }
    for (let level = 1; level < levels.length; level++) {
      const tables = levels[level] as readonly TableReader[];
      const table = tables[firstReaching(tables, family, key)];
      const found = table === undefined ? null : table.find(family, key, version, hash, image);
      if (found !== null) return found;
    }
    return null;
  }

  /** Walks since this version began. */
  get walkCount(): number {
    return this.#walkCount;
  }

  /**
   * How many walks make merging level 0 worth its while, when one walk over one of its tables is worth
   * `worthBytes` of merging; infinity: nothing would be gained.
   */
  walksWorthMerging(worthBytes: number): number {
    const count = (this.#levels[0] as readonly TableReader[]).length;
    if (count === 0 || worthBytes === 0 || this.#runs.length < 2) return Infinity;
    return Math.ceil(this.#mergedBytes / (worthBytes * count));
  }

  /** The reader of table `number`; null: it is none of these. */
  readerOf(number: number): TableReader | null {
    for (const tables of this.#levels) {
      for (const table of tables) if (table.properties.number === number) return table;
    }
    return null;
  }

  /** All readers, level by level. */
  readers(): readonly TableReader[] {
    return this.#levels.flat();
  }

  /**
   * One cursor per sorted run, newest first: what a merging cursor takes. `entries`: how many the walk is
   * expected to see; 0: nobody knows.
   */
  cursors(entries: number, backward: boolean): RecordCursor[] {
    this.#walkCount++;
    const cursors: RecordCursor[] = [];
    for (const run of this.#runs) {
      const bytes = Math.floor((entries * run.sizeBytes) / this.#recordCount);
      const [table] = run.tables;
      const alone = table !== undefined && run.tables.length === 1;
      const cursor = alone ? table.cursor() : new LevelCursor(run.tables);
      cursor.expect({ bytes, backward });
      cursors.push(cursor);
    }
    return cursors;
  }
}

/** Tables whose records, one table after the other, are in order. */
interface Run {
  readonly tables: readonly TableReader[];
  readonly sizeBytes: number;
}

/** Newest first. */
function runsOf(levels: readonly (readonly TableReader[])[]): readonly Run[] {
  const [overlapping = [], ...sorted] = levels;
  const runs = [...overlapping.map((table) => [table]), ...sorted.filter((tables) => tables.length > 0)];
  return runs.map((tables) => ({
    tables,
    sizeBytes: tables.reduce((sum, table) => sum + table.properties.sizeBytes, 0),
  }));
}
