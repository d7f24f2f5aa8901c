import { AbstractChainedBatch } from "abstract-level";
import type { WriteBatch } from "../core/engine/write-batch.ts";
import { inLevelTerms, inLevelTermsLater } from "./level-error.ts";

/** `db.batch()` of `abstract-level`: operations are copied into one buffer as they come. */
export class LevelBatch<D, K, V> extends AbstractChainedBatch<D, K, V> {
  readonly #batch: WriteBatch;

  constructor(db: D, batch: WriteBatch) {
    super(db);
    this.#batch = batch;
  }

  _put(key: Uint8Array, value: Uint8Array): void {
    inLevelTerms(() => this.#batch.set(key, value));
  }

  _del(key: Uint8Array): void {
    inLevelTerms(() => this.#batch.delete(key));
  }

  _clear(): void {
    this.#batch.clear();
  }

  async _write(): Promise<void> {
    await inLevelTermsLater(() => this.#batch.commit());
  }
}
