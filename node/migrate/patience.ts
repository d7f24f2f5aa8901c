import type { Clock } from "../../core/env/clock.ts";
import { NokvError } from "../../core/errors.ts";

/** What takes longer than this is told, and no more often. */
const silentMs = 3_000;

/** Of an operator's process: says what it waits for once that takes long, and gives up when nothing moves any more. */
export class Patience {
  readonly #clock: Clock;
  readonly #stallMs: number;
  readonly #tell: (why: string) => void;
  #movedUs: number;
  #toldUs: number;
  #told = "";

  constructor(clock: Clock, stallMs: number, tell: (why: string) => void) {
    this.#clock = clock;
    this.#stallMs = stallMs;
    this.#tell = tell;
    this.#movedUs = clock.monotonicUs();
    this.#toldUs = this.#movedUs;
  }

  moved(): void {
    this.#movedUs = this.#clock.monotonicUs();
  }

  /** Throws NOKV_BUSY when nothing has moved for too long. */
  wait(why: string): void {
    const nowUs = this.#clock.monotonicUs();
    const stillMs = Math.floor((nowUs - this.#movedUs) / 1_000);
    if (stillMs > this.#stallMs) {
      const remedy = "the same command goes on where this one ended";
      throw new NokvError("NOKV_BUSY", `${why}; nothing moves any more (${remedy})`);
    }
    if (nowUs - Math.max(this.#movedUs, this.#toldUs) < silentMs * 1_000 || why === this.#told) return;
    this.#toldUs = nowUs;
    this.#told = why;
    this.#tell(why);
  }
}
