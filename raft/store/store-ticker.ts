import type { Clock, Timer } from "../../core/env/clock.ts";

/**
 * The one timer of a store. Ticks come after everything that waits to be read: a timer that comes late says nothing
 * about those whom it waited for. Where nothing is to be done for several ticks, it waits for all of them at once.
 */
export class StoreTicker {
  readonly #clock: Clock;
  readonly #tickUs: number;
  readonly #run: (ticks: number) => void;
  #timer: Timer | null = null;
  #ticks = 0;
  #sinceUs = 0;
  /** Ticks that passed before a wait was cut short. */
  #passed = 0;
  #stopped = false;

  constructor(clock: Clock, tickUs: number, run: (ticks: number) => void) {
    this.#clock = clock;
    this.#tickUs = tickUs;
    this.#run = run;
  }

  /** Runs once, after so many ticks. */
  wait(ticks: number): void {
    if (this.#stopped) return;
    this.#ticks = ticks;
    if (ticks > 1) this.#sinceUs = this.#clock.monotonicUs();
    this.#timer = this.#clock.after(this.#tickUs * ticks, () => {
      this.#timer = null;
      this.#clock.soon(() => this.#due());
    });
  }

  /** Ticks that are over and were not run. */
  passed(): number {
    if (this.#ticks <= 1 || this.#timer === null) return this.#passed;
    const elapsed = Math.floor((this.#clock.monotonicUs() - this.#sinceUs) / this.#tickUs);
    return this.#passed + Math.min(elapsed, this.#ticks - 1);
  }

  /** Somebody woke: the next tick comes when a tick is over. */
  hasten(): void {
    if (this.#ticks <= 1 || this.#timer === null || this.#stopped) return;
    this.#passed = this.passed();
    this.#timer.cancel();
    this.wait(1);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #due(): void {
    if (this.#stopped) return;
    const ticks = this.#ticks + this.#passed;
    this.#ticks = 0;
    this.#passed = 0;
    this.#run(ticks);
  }
}
