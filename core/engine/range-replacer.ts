import { assert } from "../assert.ts";
import { readFamily, readKeyLength, recordBytesAt, recordHeaderBytes, versionMax } from "../bytes/record.ts";
import { NokvError } from "../errors.ts";
import type { Clip } from "../lsm/clipped-cursor.ts";
import { outputTablesMax } from "../lsm/compaction-picker.ts";
import type { CopyJob, CopyResult } from "../lsm/copy-job.ts";
import type { FlushJob, FlushResult } from "../lsm/flush-job.ts";
import { Memtable } from "../lsm/memtable.ts";
import { compareRecordToBound } from "../lsm/range-tombstones.ts";
import { viewOf } from "../lsm/table-format.ts";
import type { TableMeta } from "../lsm/table-meta.ts";
import type { ValueFileMeta } from "../vlog/value-file.ts";
import { noValueRules } from "../vlog/value-separator.ts";
import { type BackgroundContext, jobFailure, tableOptions } from "./background.ts";
import type { Batch } from "./batch.ts";
import type { Compactor } from "./compactor.ts";
import { closed } from "./failure.ts";
import type { Ingestion } from "./ingester.ts";
import { isWithin, type Piece, planRangeCut } from "./range-cut.ts";
import { ingestJob, keepAll, preparedTables, runCopy } from "./table-transfer.ts";

/** What takes the place of everything in some ranges. */
export interface Replacement {
  /** Ascending, with nothing in common. */
  readonly clips: readonly Clip[];
  /** Tables that `exportAt` wrote; null: the ranges become empty. */
  readonly directory: string | null;
  /** Record images, stamped. */
  readonly batch: Batch;
  /** The highest version in the batch; 0: it is empty. */
  readonly newest: number;
}

/** Tables and value files that nothing names yet. */
interface Made {
  readonly tables: TableMeta[];
  readonly values: ValueFileMeta[];
}

/**
 * Replaces everything in some ranges, and writes a batch, by one edit of the manifest: a crash leaves all of it or
 * nothing. Until it has ended nobody writes to the ranges or to keys of the batch; other writes go on.
 */
export class RangeReplacer {
  readonly #context: BackgroundContext;
  readonly #compactor: Compactor;
  readonly #flush: () => Promise<void>;

  /** `flush` brings what was applied before its call into tables. */
  constructor(context: BackgroundContext, compactor: Compactor, flush: () => Promise<void>) {
    this.#context = context;
    this.#compactor = compactor;
    this.#flush = flush;
  }

  async replace(replacement: Replacement): Promise<Ingestion> {
    const { clips, directory, newest } = replacement;
    const prepared = directory === null ? [] : preparedTables(this.#context, directory, clips);
    const version = prepared.reduce((highest, table) => Math.max(highest, table.maxVersion), newest);
    // Tickets from now on are above it, and those before are in tables after the flush.
    this.#context.clock.passBy(version);
    await this.#flush();
    return await this.#compactor.exclusively(() => this.#run(replacement, prepared, version));
  }

  async #run(replacement: Replacement, prepared: readonly TableMeta[], version: number): Promise<Ingestion> {
    const { tables } = this.#context;
    // Whatever joins these tables meanwhile holds nothing in the ranges.
    const cut = planRangeCut(tables.current.version, replacement.clips);
    const level = Math.max(1, tables.current.version.deepestLevel());
    const made: Made = { tables: [], values: [] };
    try {
      for (const piece of cut.pieces) this.#add(made, await this.#cut(piece), piece.level);
      const before = made.tables.length;
      for (const clip of replacement.clips) {
        const inputs = prepared.filter((table) => isWithin(table, clip));
        if (inputs.length > 0) this.#add(made, await this.#ingest(replacement, inputs, clip), level);
      }
      const ingested = made.tables.slice(before);
      if (replacement.newest > 0) made.tables.push(...(await this.#write(replacement.batch)));
      this.#checkUntouched(replacement);
      await this.#install(made, cut.removed, version);
      return {
        tables: ingested.length,
        records: ingested.reduce((sum, table) => sum + table.recordCount, 0),
        bytes: ingested.reduce((sum, table) => sum + table.sizeBytes, 0),
      };
    } catch (error) {
      // A poisoned store may have them in its manifest: the next opening knows.
      if (error instanceof NokvError && error.code !== "NOKV_POISONED") {
        tables.removeFiles(made.tables);
        tables.removeValues(made.values);
      }
      throw error;
    }
  }

  #add(made: Made, { tables, values }: CopyResult, level: number): void {
    made.tables.push(...tables.map((table) => ({ ...table, level })));
    made.values.push(...values);
  }

  #checkActive(): void {
    if (!this.#context.active) throw closed("database");
  }

  async #cut({ inputs, clip, level }: Piece): Promise<CopyResult> {
    this.#checkActive();
    const { directory, options, numbers, tables } = this.#context;
    const tableNumbers = outputTablesMax(inputs, options.tableBytes);
    const pointed = new Set(inputs.flatMap((table) => table.valueRefs.map((ref) => ref.file)));
    const files = tables.current.version.valueFiles().filter((file) => pointed.has(file.number));
    const job: CopyJob = {
      kind: "copy",
      from: directory,
      inputs,
      clip,
      to: directory,
      level,
      firstTableNumber: numbers.allocate(tableNumbers),
      tableNumbers,
      tableBytes: options.tableBytes,
      table: tableOptions(options),
      drop: keepAll,
      // Values stay where they are.
      values: { ...noValueRules, files },
      valueDirectory: directory,
    };
    return await runCopy(this.#context, job, "cutting a range out of a table failed");
  }

  async #ingest({ directory }: Replacement, inputs: TableMeta[], clip: Clip): Promise<CopyResult> {
    this.#checkActive();
    assert(directory !== null, "tables that were prepared are somewhere");
    const job = ingestJob(this.#context, directory, inputs, clip);
    return await runCopy(this.#context, job, "the ingestion failed");
  }

  /** The batch as a table of its own. Its number is above all there are: in level 0 it is the newest. */
  async #write(batch: Batch): Promise<readonly TableMeta[]> {
    this.#checkActive();
    const { env, directory, options, numbers } = this.#context;
    const arena = env.jobs.shared(batch.byteLength);
    arena.set(batch.bytes.subarray(0, batch.byteLength));
    const memtable = new Memtable(arena, batch.count);
    for (let at = 0; at < arena.length; at += recordBytesAt(memtable.view, at)) memtable.add(at);
    const job: FlushJob = {
      kind: "flush",
      directory,
      tableNumber: numbers.allocate(),
      arena,
      offsets: memtable.arrivalOffsets(),
      rangeOffsets: memtable.rangeOffsets(),
      table: tableOptions(options),
      drop: keepAll,
      values: { thresholdBytes: 0, fileNumber: 0, segmentNumber: 0, segmentBytes: 0 },
    };
    return await new Promise((resolve, reject) => {
      env.jobs.run(job, (error, result) => {
        if (error === null) resolve((result as FlushResult).tables);
        else reject(jobFailure(error, "writing a batch as a table failed"));
      });
    });
  }

  /** What is in memory would come to lie above what comes in. */
  #checkUntouched({ clips, batch }: Replacement): void {
    for (const { memtable } of this.#context.write.memtables.all()) {
      const cursor = memtable.cursor();
      for (const { from, to } of clips) {
        cursor.seek(from[0] as number, from.subarray(1));
        const written = cursor.valid && compareRecordToBound(cursor.bytes, cursor.view, cursor.offset, to) < 0;
        assert(!written, "nobody writes to a range that is being replaced");
      }
      cursor.release();
      const view = viewOf(batch.bytes);
      for (let at = 0; at < batch.byteLength; at += recordBytesAt(view, at)) {
        const key = batch.bytes.subarray(at + recordHeaderBytes, at + recordHeaderBytes + readKeyLength(view, at));
        const offset = memtable.find(readFamily(view, at), key, versionMax);
        assert(offset < 0, "nobody else writes a record that comes with a replacement");
      }
    }
  }

  #install(made: Made, removed: readonly TableMeta[], version: number): Promise<void> {
    const { tables, write } = this.#context;
    const numbers = removed.map((table) => table.number);
    // One edit: the old, the new and the batch are never there together, nor all gone.
    const change = { added: made.tables, removed: numbers, valuesAdded: made.values };
    return new Promise((resolve, reject) => {
      tables.change(change, (outcome) => {
        if (outcome.kind !== "done") return reject(outcome.error);
        // Caches know what stood in the ranges.
        this.#context.rangesGone();
        write.passBy(version);
        tables.retire(removed, resolve);
      });
    });
  }
}
