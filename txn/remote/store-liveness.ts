import type { Clock } from "../../core/env/clock.ts";

/** So many calls in a row without an answer, and a store is avoided for so long. */
const failuresMax = 3;
const avoidedUs = 1_000_000;

interface Health {
  failures: number;
  avoidedUntilUs: number;
}

/** Which stores have answered lately. One that is avoided is asked again after a while: nobody else would find out. */
export class StoreLiveness {
  readonly #clock: Clock;
  readonly #stores = new Map<number, Health>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  answered(store: number): void {
    this.#stores.delete(store);
  }

  failed(store: number): void {
    const health = this.#stores.get(store) ?? { failures: 0, avoidedUntilUs: 0 };
    this.#stores.set(store, health);
    health.failures++;
    if (health.failures < failuresMax) return;
    health.failures = 0;
    health.avoidedUntilUs = this.#clock.monotonicUs() + avoidedUs;
  }

  avoids(store: number): boolean {
    const health = this.#stores.get(store);
    return health !== undefined && health.avoidedUntilUs > this.#clock.monotonicUs();
  }
}
