import { assert } from "../assert.ts";
import { compareKeys } from "../bytes/record.ts";
import { NokvError } from "../errors.ts";
import type { Clip } from "../lsm/clipped-cursor.ts";
import type { CopyResult } from "../lsm/copy-job.ts";
import { MergingCursor } from "../lsm/merging-cursor.ts";
import { compareRecordToBound, type RangeTombstones } from "../lsm/range-tombstones.ts";
import type { TableMeta } from "../lsm/table-meta.ts";
import type { BackgroundContext } from "./background.ts";
import type { Compactor } from "./compactor.ts";
import type { KeyRange } from "./range-estimate.ts";
import { clipOf, freeLevel, ingestJob, preparedTables, runCopy } from "./table-transfer.ts";

/** What an ingestion brought. */
export interface Ingestion {
  readonly tables: number;
  readonly records: number;
  readonly bytes: number;
}

/**
 * Takes prepared tables into an empty range, with the versions that their records have: all of them by one edit
 * of the manifest, or none. They are visible at once, to snapshots as well; iterators that are open do not
 * see them.
 *
 * Why the range must be empty, of deletes as well: reads trust that what is in memory, and further up, is newer.
 * Records that come from elsewhere keep that only where nothing else is.
 */
export class Ingester {
  readonly #context: BackgroundContext;
  readonly #compactor: Compactor;
  readonly #flush: () => Promise<void>;
  readonly #merge: () => Promise<void>;
  ingestedTables = 0;

  /** `flush` brings memory into tables, `merge` all tables into one level. */
  // oxlint-disable-next-line max-params
  constructor(
    context: BackgroundContext,
    compactor: Compactor,
    flush: () => Promise<void>,
    merge: () => Promise<void>,
  ) {
    this.#context = context;
    this.#compactor = compactor;
    this.#flush = flush;
    this.#merge = merge;
  }

  async ingest(range: KeyRange, directory: string): Promise<Ingestion> {
    const clip = clipOf(range, Number.MAX_SAFE_INTEGER);
    const prepared = preparedTables(this.#context, directory, [clip]);
    if (prepared.length === 0) return { tables: 0, records: 0, bytes: 0 };
    const newest = prepared.reduce((version, table) => Math.max(version, table.maxVersion), 0);
    // Whatever is written from now on is newer than what comes in; whatever was, is in tables after the flush.
    this.#context.clock.passBy(newest);
    await this.#flush();
    if (this.#obstacle(clip) !== null) await this.#merge();
    const made = await this.#compactor.exclusively(() => this.#takeIn(directory, prepared, clip));
    this.ingestedTables += made.length;
    return {
      tables: made.length,
      records: made.reduce((sum, table) => sum + table.recordCount, 0),
      bytes: made.reduce((sum, table) => sum + table.sizeBytes, 0),
    };
  }

  async #takeIn(directory: string, prepared: TableMeta[], clip: Clip): Promise<readonly TableMeta[]> {
    const job = ingestJob(this.#context, directory, prepared, clip);
    const made = await runCopy(this.#context, job, "the ingestion failed");
    return await this.#install(made, clip);
  }

  #install(made: CopyResult, clip: Clip): Promise<readonly TableMeta[]> {
    const { tables, write } = this.#context;
    const obstacle = this.#obstacle(clip);
    if (obstacle !== null) {
      tables.removeFiles(made.tables);
      tables.removeValues(made.values);
      const remedy = "delete it first, and write nothing to it";
      throw new NokvError("NOKV_BUSY", `the range to ingest into ${obstacle}; ${remedy}`);
    }
    const level = freeLevel(tables.current.version, made.tables);
    const added = made.tables.map((table) => ({ ...table, level }));
    return new Promise((resolve, reject) => {
      tables.change({ added, valuesAdded: made.values }, (outcome) => {
        if (outcome.kind === "done") {
          // What caches remember of deletes in the range is older than what has come.
          this.#context.rangesGone();
          write.passBy(added.reduce((version, table) => Math.max(version, table.maxVersion), 0));
          return resolve(added);
        }
        if (outcome.kind === "refused") {
          tables.removeFiles(added);
          tables.removeValues(made.values);
        }
        reject(outcome.error);
      });
    });
  }

  /** What lies in the range already, at any version; null: nothing at all. */
  #obstacle(clip: Clip): string | null {
    const { write, tables } = this.#context;
    const { memtables } = write;
    assert(clip.from.length > 0, "a bound begins with a family");
    const cursor = new MergingCursor([
      ...memtables.all().map(({ memtable }) => memtable.cursor()),
      ...tables.current.cursors(1, false),
    ]);
    try {
      cursor.seek(clip.from[0] as number, clip.from.subarray(1));
      if (cursor.valid && compareRecordToBound(cursor.bytes, cursor.view, cursor.offset, clip.to) < 0) {
        return "holds records";
      }
    } finally {
      cursor.release();
    }
    const sets = [...memtables.rangeSets(), tables.current.ranges];
    return sets.some((set) => overlaps(set, clip)) ? "is still covered by a range delete" : null;
  }
}

function overlaps(set: RangeTombstones, clip: Clip): boolean {
  return set.tombstones.some(({ start, end }) => compareKeys(start, clip.to) < 0 && compareKeys(clip.from, end) < 0);
}

