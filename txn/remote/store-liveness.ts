import type { Clock } from "../../core/env/clock.ts";

/** So many calls in a row without an answer, and a store is avoided for so long. */
const failuresMax = 3;
const avoidedUs = 1_000_000;

/** An answer is waited for 2 to the power of this times as long as usual, at most. */
const doublingsMax = 3;

interface Health {
  failures: number;
  avoidedUntilUs: number;
  doublings: number;
}

/**
 * Which stores have answered lately, and how long that takes. One that is avoided is asked again after a while: nobody
 * else would find out. One that is slow is waited for longer and longer: a request that is given up too early is sent
 * again, and makes it slower.
 */
export class StoreLiveness {
  readonly #clock: Clock;
  readonly #stores = new Map<number, Health>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** It is there. */
  answered(store: number): void {
    const health = this.#stores.get(store);
    if (health === undefined) return;
    health.failures = 0;
    health.avoidedUntilUs = 0;
    if (health.doublings === 0) this.#stores.delete(store);
  }

  /** What was asked is done. `isQuick`: in a small part of the time that there was for it. */
  executed(store: number, isQuick: boolean): void {
    const health = this.#stores.get(store);
    if (health !== undefined && isQuick) health.doublings = Math.max(0, health.doublings - 1);
    this.answered(store);
  }

  /** `isLate`: it may answer yet. */
  failed(store: number, isLate: boolean): void {
    const health = this.#stores.get(store) ?? { failures: 0, avoidedUntilUs: 0, doublings: 0 };
    this.#stores.set(store, health);
    if (isLate) health.doublings = Math.min(doublingsMax, health.doublings + 1);
    health.failures++;
    if (health.failures < failuresMax) return;
    health.failures = 0;
    health.avoidedUntilUs = this.#clock.monotonicUs() + avoidedUs;
  }

  /** So many times as long as usual an answer from there is waited for. */
  patience(store: number): number {
    return 2 ** (this.#stores.get(store)?.doublings ?? 0);
  }

  avoids(store: number): boolean {
    const health = this.#stores.get(store);
    return health !== undefined && health.avoidedUntilUs > this.#clock.monotonicUs();
  }
}
