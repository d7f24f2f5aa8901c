import { DiskError } from "../core/env/disk.ts";
import type { Env } from "../core/env/env.ts";
import { refusal } from "../core/engine/failure.ts";
import { NokvError } from "../core/errors.ts";
import { damagedStore, noteDamage, supersededStore } from "./damage-note.ts";

/** The first error that a store cannot live with is told; the store stops for it, for good where that is damage. */
export class StoreFailure {
  readonly #env: Env;
  readonly #workDir: string;
  readonly #onFatal: (error: NokvError) => void;
  /** Stops the store, once there is one. */
  onTell: (error: NokvError) => void = () => {};
  error: NokvError | null = null;

  // oxlint-disable-next-line max-params
  constructor(env: Env, workDir: string, onFatal: (error: NokvError) => void) {
    this.#env = env;
    this.#workDir = workDir;
    this.#onFatal = onFatal;
  }

  /**
   * Somebody has heard of a later process of this store. For good: each start of this directory counts as later than
   * the one before, and after some of them nobody would know any more.
   */
  superseded(storeId: number, reason: string): void {
    if (this.error !== null) return;
    const error = supersededStore(storeId, this.#workDir, reason);
    noteDamage(this.#env.disk, this.#workDir, error);
    this.tell(error);
  }

  tell(met: Error): void {
    if (this.error !== null) return;
    const known = asNokv(met, this.#workDir);
    const error = known.code === "NOKV_CORRUPTION" ? damagedStore(known, this.#workDir) : known;
    this.error = error;
    if (error.code === "NOKV_CORRUPTION") noteDamage(this.#env.disk, this.#workDir, error);
    this.onTell(error);
    this.#onFatal(error);
  }
}

function asNokv(error: Error, workDir: string): NokvError {
  if (error instanceof NokvError) return error;
  if (error instanceof DiskError) return refusal(error, `the store in ${workDir} failed`);
  return new NokvError("NOKV_IO", `the store in ${workDir} failed: ${error.message}`, { cause: error });
}
