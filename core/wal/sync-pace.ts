import type { Clock } from "../env/clock.ts";

/** Weight of one sync in the average: 1/8. */
const averageShift = 8;

/**
 * How long syncs take of late. While they are fast it is better to wait in one than to be told: the way to a
 * thread and back costs a third of a fast sync, and nothing that a turn could do in that time is worth it.
 */
export class SyncPace {
  readonly #clock: Clock;
  readonly #limitUs: number;
  #averageUs = 0;
  #startedUs = 0;

  /** 0: nobody waits. */
  constructor(clock: Clock, limitUs: number) {
    this.#clock = clock;
    this.#limitUs = limitUs;
  }

  get mayWait(): boolean {
    return this.#averageUs < this.#limitUs;
  }

  begin(): void {
    this.#startedUs = this.#clock.monotonicUs();
  }

  end(): void {
    const tookUs = this.#clock.monotonicUs() - this.#startedUs;
    this.#averageUs += Math.trunc((tookUs - this.#averageUs) / averageShift);
  }
}
