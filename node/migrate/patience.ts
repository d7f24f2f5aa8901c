import type { Clock } from "../../core/env/clock.ts";
import { NokvError } from "../../core/errors.ts";

/** What takes longer than this is told, and again after twice as long each time. */
const silentMs = 3_000;

/** Of an operator's process: says what it waits for once that takes long, and gives up when nothing moves any more. */
export class Patience {
  readonly #clock: Clock;
  readonly #stallMs: number;
  readonly #tell: (why: string) => void;
  #movedUs: number;
  #silentUs = silentMs * 1_000;
  #told = "";

  constructor(clock: Clock, stallMs: number, tell: (why: string) => void) {
    this.#clock = clock;
    this.#stallMs = stallMs;
    this.#tell = tell;
    this.#movedUs = clock.monotonicUs();
  }

  moved(): void {
    this.#movedUs = this.#clock.monotonicUs();
    this.#silentUs = silentMs * 1_000;
  }

  /** Throws NOKV_BUSY when nothing has moved for too long. */
  wait(why: string): void {
    const stillUs = this.#clock.monotonicUs() - this.#movedUs;
    if (stillUs > this.#stallMs * 1_000) {
      const remedy = "the same command goes on where this one ended";
      throw new NokvError("NOKV_BUSY", `${why}; nothing moves any more`, { remedy });
    }
    if (stillUs < this.#silentUs || why === this.#told) return;
    this.#silentUs = 2 * stillUs;
    this.#told = why;
    this.#tell(why);
  }
}
