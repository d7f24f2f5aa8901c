import type { Engine } from "../core/engine/engine.ts";
import type { ReadInstant } from "../sim/checkers/expected-state.ts";
import type { ClockReadings } from "../sim/checkers/lifetime.ts";
import type { World } from "../sim/world.ts";

/** Commits within one millisecond count on, past the wall clock, by at most this. */
const hybridLeadMs = 2;

/** What a read returned, and bounds for the present that it judged lifetimes by. */
export interface Timed<T> {
  readonly value: T;
  readonly instant: ReadInstant;
}

/** The present of the engine that is open: it never goes back, and lifetimes are judged by it. */
export class JudgedPresent {
  readonly #world: World;
  readonly #readings: ClockReadings;
  /** The latest that the open engine has shown. */
  #presentMs = 0;

  constructor(world: World, readings: ClockReadings) {
    this.#world = world;
    this.#readings = readings;
  }

  /** Another engine was opened. */
  restart(): void {
    this.#presentMs = 0;
  }

  timed<T>(engine: Engine, read: () => T): Timed<T> {
    const earliestMs = engine.nowMs();
    const value = read();
    const latestMs = engine.nowMs();
    if (latestMs < earliestMs || earliestMs < this.#presentMs) {
      this.#world.fail("hybrid-clock", "the engine's present went back");
    }
    this.#presentMs = latestMs;
    const highestMs = Math.max(latestMs, this.#readings.highestMs + hybridLeadMs);
    return { value, instant: { earliestMs, latestMs, highestMs } };
  }

  /**
   * The same for a read of `copy`, another database made from `engine`. Its present may be earlier: it knows of no
   * clock reading after its newest version. And what `engine` found expired by then may be missing in both.
   */
  timedIn<T>(engine: Engine, copy: Engine, read: () => T): Timed<T> {
    const copyMs = copy.nowMs();
    const { value, instant } = this.timed(engine, read);
    const earliestMs = Math.min(copyMs, instant.earliestMs);
    return { value, instant: { ...instant, earliestMs, latestMs: Math.max(copy.nowMs(), instant.latestMs) } };
  }
}
