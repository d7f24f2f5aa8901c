import { assert } from "../../core/assert.ts";
import type { Clock, Timer } from "../../core/env/clock.ts";
import { timestampsPerMs } from "../percolator/timestamp.ts";
import type { TxnClient } from "./txn-client.ts";

export interface GarbageKeeperOptions {
  /** How old a snapshot may become and still be read: what is older is collected. */
  readonly lifeMs: number;
  /** From the end of one collection to the beginning of the next. */
  readonly everyMs: number;
}

export const garbageKeeperOptionsDefault: GarbageKeeperOptions = { lifeMs: 600_000, everyMs: 60_000 };

/**
 * Has garbage collected in all regions, again and again, as long as it runs. Any number of them may: a collection that
 * another one has overtaken finds nothing to do, and one that was not finished is begun again with the next.
 */
export class GarbageKeeper {
  readonly #client: TxnClient;
  readonly #clock: Clock;
  readonly #options: GarbageKeeperOptions;
  #timer: Timer | null = null;
  #stopped = false;
  /** The last safe point up to which everything was collected; 0: none yet. */
  safePoint = 0;
  /** Collections that could not be finished. */
  failures = 0;

  constructor(client: TxnClient, clock: Clock, options: GarbageKeeperOptions = garbageKeeperOptionsDefault) {
    assert(options.lifeMs >= 1 && options.everyMs >= 1, "garbage has an age, and its collections a distance");
    this.#client = client;
    this.#clock = clock;
    this.#options = options;
  }

  start(): void {
    if (this.#stopped) return;
    this.#timer = this.#clock.after(this.#options.everyMs * 1_000, () => this.#collect());
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #collect(): void {
    const { lifeMs, everyMs } = this.#options;
    this.#client.timestamp({ timeoutMs: everyMs }, (error, ts) => {
      const safePoint = ts === null ? 0 : ts - lifeMs * timestampsPerMs;
      if (this.#stopped || error !== null || safePoint <= 0) return this.start();
      this.#client.collectGarbage(safePoint, { timeoutMs: everyMs }, (failure) => {
        if (failure === null) this.safePoint = Math.max(this.safePoint, safePoint);
        else this.failures++;
        this.start();
      });
    });
  }
}
