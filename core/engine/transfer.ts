import type { BackgroundContext } from "./background.ts";
import type { Compactor } from "./compactor.ts";
import type { Engine } from "./engine.ts";
import { type Ingestion, Ingester } from "./ingester.ts";
import type { KeyRange } from "./range-estimate.ts";
import { type Export, exportTables } from "./table-transfer.ts";

/** How whole ranges leave a database and come into another: as tables. */
export class Transfer {
  readonly #engine: Engine;
  readonly #context: BackgroundContext;
  readonly #compactor: Compactor;
  readonly #ingester: Ingester;

  constructor(engine: Engine, context: BackgroundContext, compactor: Compactor) {
    this.#engine = engine;
    this.#context = context;
    this.#compactor = compactor;
    this.#ingester = new Ingester(context, compactor, () => engine.flush(), () => engine.compact());
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
}
