import { assert } from "../assert.ts";
import { versionMax } from "../bytes/record.ts";
import type { BackgroundContext } from "./background.ts";
import { Batch } from "./batch.ts";
import type { Compactor } from "./compactor.ts";
import type { Engine } from "./engine.ts";
import type { Flusher } from "./flusher.ts";
import { type Ingestion, Ingester } from "./ingester.ts";
import type { KeyRange } from "./range-estimate.ts";
import { clipsOf, type RangeExport, RangeExporter } from "./range-export.ts";
import { RangeReplacer } from "./range-replacer.ts";
import { type Export, exportTables } from "./table-transfer.ts";
import { encodeVersioned, type VersionedBatch } from "./versioned-batch.ts";

/** How whole ranges leave a database and come into another: as tables. */
export class Transfer {
  readonly #engine: Engine;
  readonly #context: BackgroundContext;
  readonly #compactor: Compactor;
  readonly #ingester: Ingester;
  readonly #exporter: RangeExporter;
  readonly #replacer: RangeReplacer;

  // oxlint-disable-next-line max-params
  constructor(engine: Engine, context: BackgroundContext, compactor: Compactor, flusher: Flusher) {
    this.#engine = engine;
    this.#context = context;
    this.#compactor = compactor;
    this.#ingester = new Ingester(context, compactor, () => engine.flush(), () => engine.compact());
    this.#exporter = new RangeExporter(context, flusher);
    this.#replacer = new RangeReplacer(context, compactor, () => engine.flush());
  }

  /**
   * Writes what a range holds now into `directory`, which is empty or does not exist, as tables that `ingest`
   * takes. With `history`, all versions that are still there; else what can be read now.
   */
  async exportTables(range: KeyRange, directory: string, history = false): Promise<Export> {
    this.#engine.checkWritable();
    await this.#engine.flush();
    // A job opens tables by their names: no compaction may remove them meanwhile.
    return await this.#compactor.exclusively(async () => {
      const tables = this.#context.tables.current.retain();
      try {
        // Not the visible version: what was written since the flush is in memory only.
        const wish = { range, version: this.#engine.flushedVersion, history };
        return await exportTables(this.#context, tables.version, wish, directory);
      } finally {
        tables.release();
      }
    });
  }

  /**
   * Takes tables that `exportTables` wrote into an empty range: all by one edit of the manifest, or none. Their
   * records keep their versions. Rejects with `NOKV_BUSY` when the range holds anything, deletes included.
   */
  async ingest(range: KeyRange, directory: string): Promise<Ingestion> {
    this.#engine.checkWritable();
    return await this.#ingester.ingest(range, directory);
  }

  /**
   * Writes what the ranges held at the moment of the call, all versions that may still be read, into `directory`, which
   * is empty or does not exist. Writes go on meanwhile. The files are durable; each lies within one of the ranges.
   */
  async exportAt(ranges: readonly KeyRange[], directory: string): Promise<RangeExport> {
    this.#engine.checkWritable();
    return await this.#exporter.exportAt(ranges, directory);
  }

  /**
   * Puts the tables of `directory`, which `exportAt` wrote, in the place of everything in `ranges`, and writes `batch`:
   * after a crash both has happened or neither, and then it may be done again. Null: the ranges become empty. Until
   * this has ended nobody may write to the ranges, nor to keys of the batch. Durable and visible when it resolves.
   * Its records come in with the versions that they have; `nextVersion` is above them.
   */
  async replace(ranges: readonly KeyRange[], directory: string | null, batch: VersionedBatch): Promise<Ingestion> {
    this.#engine.checkWritable();
    this.#engine.checkGiven();
    for (const { family, key, version } of batch.writes) {
      const there = this.#engine.newest(family, key, versionMax)?.version ?? 0;
      assert(version > there, "a record is above the newest of its key");
    }
    const images = new Batch();
    const newest = encodeVersioned(batch, images);
    return await this.#replacer.replace({ clips: clipsOf(ranges), directory, batch: images, newest });
  }

  /** In a closed engine: nothing is under way any more. */
  async idle(): Promise<void> {
    await this.#exporter.idle();
  }
}
