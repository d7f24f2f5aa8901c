import { assert } from "../../core/assert.ts";
import type { Clock, Timer } from "../../core/env/clock.ts";
import type { CoordinatorClient } from "../../coordinator/service/client.ts";
import { timestampsPerMs } from "../percolator/timestamp.ts";
import type { TxnClient } from "./txn-client.ts";
import { WriteWatch } from "./write-watch.ts";

export interface GarbageKeeperOptions {
  /** How old a snapshot may become and still be read: what is older is collected. */
  readonly lifeMs: number;
  /** From the end of one collection to the beginning of the next, at least. */
  readonly everyMs: number;
  /** So much of that distance for each region: a collection wakes those that sleep. */
  readonly regionMs: number;
}

export const garbageKeeperOptionsDefault: GarbageKeeperOptions = { lifeMs: 600_000, everyMs: 60_000, regionMs: 60 };

/** One that takes longer is given up, whatever came of those before. */
const patienceMsMax = 3_600_000;

export interface GarbageKeeperParts {
  readonly client: TxnClient;
  readonly clock: Clock;
  readonly coordinator: Pick<CoordinatorClient, "stores">;
  readonly options: GarbageKeeperOptions;
}

/**
 * Has garbage collected in all regions, again and again, as long as it runs and there may be some. Any number of them
 * may: a collection that another one has overtaken finds nothing to do, and one that was not finished is begun again
 * with the next.
 *
 * A collection wakes every region of the cluster. Where none of what was written since the last one lies below the
 * next safe point, it would find nothing, and is not begun (`WriteWatch`). So one follows when what was written last is
 * old enough, and then there is none. Values whose time is over meanwhile go with the next.
 */
export class GarbageKeeper {
  readonly #client: TxnClient;
  readonly #clock: Clock;
  readonly #options: GarbageKeeperOptions;
  readonly #watch: WriteWatch;
  #timer: Timer | null = null;
  #stopped = false;
  #distanceMs: number;
  #patienceMs: number;
  /** The last safe point up to which everything was collected; 0: none yet. */
  safePoint = 0;
  /** Collections that could not be finished. */
  failures = 0;
  /** Collections that were not begun, for they would have found nothing. */
  spared = 0;

  constructor({ client, clock, coordinator, options }: GarbageKeeperParts) {
    assert(options.lifeMs >= 1 && options.everyMs >= 1, "garbage has an age, and its collections a distance");
    this.#client = client;
    this.#clock = clock;
    this.#options = options;
    this.#watch = new WriteWatch(coordinator);
    this.#distanceMs = options.everyMs;
    this.#patienceMs = options.everyMs;
  }

  start(): void {
    if (this.#stopped) return;
    this.#timer = this.#clock.after(this.#distanceMs * 1_000, () => this.#look());
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** The timestamp comes after the look: what was seen to be written is below it. */
  #look(): void {
    this.#watch.look(() => {
      if (this.#stopped) return;
      this.#client.timestamp({ timeoutMs: this.#options.everyMs }, (error, ts) => {
        if (this.#stopped || error !== null || ts === null) return this.start();
        this.#watch.lookedBefore(ts);
        this.#collect(ts - this.#options.lifeMs * timestampsPerMs);
      });
    });
  }

  #collect(safePoint: number): void {
    const isDue = safePoint > 0 && this.#watch.isDue(safePoint);
    if (!isDue) {
      this.spared++;
      return this.start();
    }
    const { everyMs, regionMs } = this.#options;
    this.#client.collectGarbage(safePoint, { timeoutMs: this.#patienceMs }, (failure, regions) => {
      if (failure === null) {
        this.safePoint = Math.max(this.safePoint, safePoint);
        this.#watch.collected(safePoint);
      } else {
        // Thousands of regions may take longer than what lies between two collections of a few.
        this.failures++;
        this.#patienceMs = Math.min(2 * this.#patienceMs, patienceMsMax);
      }
      if (regions !== null) this.#distanceMs = Math.max(everyMs, regions * regionMs);
      this.start();
    });
  }
}
