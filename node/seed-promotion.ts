import type { Clock, Timer } from "../core/env/clock.ts";
import { NokvError } from "../core/errors.ts";
import type { CoordinatorError } from "../coordinator/coordinator-error.ts";
import type { CoordinatorClient } from "../coordinator/service/client.ts";
import type { ModeFile } from "./mode/mode-file.ts";
import { regionMetas } from "./migrate/seed-plan.ts";

export interface SeedPromotionParts {
  readonly clock: Clock;
  readonly client: Pick<CoordinatorClient, "fenceTimestamps" | "publish">;
  readonly seed: ModeFile;
  /** Between two attempts to reach the Coordinator. */
  readonly retryMs: number;
  /** Makes the directory a store's for good. Rejects with `NokvError`. */
  readonly promote: () => Promise<void>;
}

/**
 * A seed becomes a store of its cluster. First the Coordinator promises that no timestamp is given out up to the last
 * of what was written before: a later write would be older than what it overwrites. Then it takes the seed's regions.
 * Only then the directory is a store's, and may be served. Each step may be done again.
 */
export class SeedPromotion {
  readonly #parts: SeedPromotionParts;
  #timer: Timer | null = null;
  #stopped = false;
  #written: Promise<void> = Promise.resolve();

  constructor(parts: SeedPromotionParts) {
    this.#parts = parts;
  }

  /** `done(null)` when requests may be served. Called once, unless it is stopped. */
  begin(done: (error: NokvError | null) => void): void {
    const { client, seed } = this.#parts;
    client.fenceTimestamps(seed.baseTs + 1, (error) => {
      if (this.#stopped) return;
      if (error === null) this.#publish(0, done);
      else this.#again(error, done);
    });
  }

  /** Resolves when nothing of it writes to the directory any more: it may be unlocked then. */
  stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    return this.#written;
  }

  #publish(at: number, done: (error: NokvError | null) => void): void {
    const { client, seed } = this.#parts;
    const region = regionMetas(seed)[at];
    if (region === undefined) {
      this.#written = this.#promote(done);
      return;
    }
    client.publish({ kind: "RegionBootstrap", region }, 0, (error, published) => {
      if (this.#stopped) return;
      if (error !== null || published === null) return this.#again(error, done);
      if (published.accepted) return this.#publish(at + 1, done);
      const what = `the Coordinator does not take region ${region.id} of the seed: ${published.assessment.detail}`;
      const remedy = 'a migrated cluster begins with the regions of its seed: give it a topology with "regions": [], ' +
        "and a Coordinator with a new directory";
      done(new NokvError("NOKV_FOREIGN_DIRECTORY", `${what}; ${remedy}`));
    });
  }

  async #promote(done: (error: NokvError | null) => void): Promise<void> {
    let failure: NokvError | null = null;
    try {
      await this.#parts.promote();
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      failure = error;
    }
    if (!this.#stopped) done(failure);
  }

  #again(error: CoordinatorError | null, done: (error: NokvError | null) => void): void {
    if (error?.code === "INVALID") {
      return done(new NokvError("NOKV_FOREIGN_DIRECTORY", `the Coordinator refuses the seed: ${error.message}`));
    }
    const { clock, retryMs } = this.#parts;
    this.#timer = clock.after(retryMs * 1_000, () => this.begin(done));
  }
}
