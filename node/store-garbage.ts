import type { Clock, Timer } from "../core/env/clock.ts";
import type { GcDriver } from "../txn/server/gc-driver.ts";

/** Lets a store's collection of garbage go on, step by step. */
export class StoreGarbage {
  readonly #clock: Clock;
  readonly #driver: GcDriver;
  readonly #everyMs: number;
  #timer: Timer | null = null;
  #stopped = false;

  constructor(clock: Clock, driver: GcDriver, everyMs: number) {
    this.#clock = clock;
    this.#driver = driver;
    this.#everyMs = everyMs;
  }

  start(): void {
    if (this.#stopped) return;
    this.#timer = this.#clock.after(this.#everyMs * 1_000, () => {
      this.#driver.step();
      this.start();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }
}
