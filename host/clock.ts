import { assert } from "../core/assert.ts";
import type { Clock, Timer } from "../core/env/clock.ts";

/** What an operator who runs NTP may count on; a constant, because Node.js cannot ask the kernel. */
const wallUncertaintyMs = 500;

/** The longest delay that setTimeout takes. */
const timeoutMsMax = 2_147_483_647;

/** This machine's clocks and the event loop's timers. A pending timer keeps the process alive. */
export class HostClock implements Clock {
  monotonicUs(): number {
    return Math.floor(performance.now() * 1_000);
  }

  wallMs(): number {
    return Date.now();
  }

  wallUncertaintyMs(): number {
    return wallUncertaintyMs;
  }

  after(delayUs: number, run: () => void): Timer {
    assert(Number.isSafeInteger(delayUs), "a delay is whole microseconds");
    assert(delayUs >= 0, "a delay is not negative");
    return new HostTimer(this.monotonicUs() + delayUs, run);
  }

  /**
   * The check phase follows the poll phase: what arrived with this turn's I/O gathers, other I/O is not
   * starved.
   */
  soon(run: () => void): void {
    setImmediate(run);
  }
}

class HostTimer implements Timer {
  readonly #dueUs: number;
  readonly #run: () => void;
  #timeout: NodeJS.Timeout;

  constructor(dueUs: number, run: () => void) {
    this.#dueUs = dueUs;
    this.#run = run;
    this.#timeout = this.#arm();
  }

  cancel(): void {
    clearTimeout(this.#timeout);
  }

  #arm(): NodeJS.Timeout {
    const leftMs = Math.ceil((this.#dueUs - performance.now() * 1_000) / 1_000);
    return setTimeout(() => this.#fire(), Math.min(timeoutMsMax, Math.max(0, leftMs)));
  }

  /**
   * The loop's own idea of the present lags, so a timeout may come a little early; and the longest is
   * bounded.
   */
  #fire(): void {
    if (performance.now() * 1_000 < this.#dueUs) this.#timeout = this.#arm();
    else this.#run();
  }
}
