import { versionMax } from "../bytes/record.ts";
import type { Clock } from "../env/clock.ts";
import { NokvError } from "../errors.ts";
import { versionEpochMs, versionMs } from "../lsm/drop-rules.ts";

/** Versions per millisecond. */
export const versionsPerMs = 4096;

const msMax = Math.floor(versionMax / versionsPerMs);

/**
 * Versions that go up and follow wall time where it can be followed: (ms since 2024) * 4096 + a count within
 * the millisecond. A clock that stands still, goes back, or shows a year before 2024 or beyond 2093 only
 * makes the count run on.
 */
export class HybridClock {
  readonly #clock: Clock;
  #last: number;

  /** `last`: no version up to it is given out again. */
  constructor(clock: Clock, last: number) {
    this.#clock = clock;
    this.#last = last;
  }

  /** Newest version given out or passed by. */
  get last(): number {
    return this.#last;
  }

  /** The next version. Throws `NOKV_NO_SPACE` when none is left. */
  next(): number {
    const version = Math.max(this.#last + 1, this.#wallVersion());
    if (version > versionMax) throw noneLeft(this.#last);
    this.#last = version;
    return version;
  }

  /** The next version, wherever wall time stands. Throws as `next` does. */
  step(): number {
    if (this.#last >= versionMax) throw noneLeft(this.#last);
    return ++this.#last;
  }

  /** No version up to `version` is given out any more. */
  passBy(version: number): void {
    if (version > this.#last) this.#last = version;
  }

  /**
   * The present for decisions about expiry, Unix milliseconds. It never goes back, and versions given out
   * later are not before it: what has expired once stays so in every later snapshot.
   */
  nowMs(): number {
    const wall = this.#wallVersion();
    if (wall > this.#last) this.#last = wall;
    return versionMs(this.#last);
  }

  #wallVersion(): number {
    const ms = this.#clock.wallMs() - versionEpochMs;
    return ms > 0 && ms <= msMax ? Math.floor(ms) * versionsPerMs : 0;
  }
}

function noneLeft(last: number): NokvError {
  return new NokvError("NOKV_NO_SPACE", `no version is left above ${last} (2^53 - 1 is the last)`);
}
