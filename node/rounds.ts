import type { Clock, Timer } from "../core/env/clock.ts";

/** Does something again and again, each time so long after it was done last, until it is stopped for good. */
export class Rounds {
  readonly #clock: Clock;
  readonly #everyUs: number;
  readonly #run: () => void;
  #timer: Timer | null = null;
  #stopped = false;

  constructor(clock: Clock, everyUs: number, run: () => void) {
    this.#clock = clock;
    this.#everyUs = everyUs;
    this.#run = run;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** The first time is as long from now. */
  start(): void {
    if (this.#stopped) return;
    this.#timer = this.#clock.after(this.#everyUs, () => {
      this.#run();
      this.start();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }
}
