import type { Clock, Timer } from "../core/env/clock.ts";
import type { Env } from "../core/env/env.ts";
import type { ClockReadings } from "../sim/checkers/lifetime.ts";
import type { World } from "../sim/world.ts";

/** `env` with a clock whose wall readings are noted: what a product decided by them can be judged later. */
export function recordClock(env: Env, world: World, readings: ClockReadings): Env {
  const { disk, network, random, jobs, failpoints, trace } = env;
  const clock = new RecordingClock(env.clock, world, readings);
  return { clock, disk, network, random, jobs, failpoints, trace };
}

class RecordingClock implements Clock {
  readonly #clock: Clock;
  readonly #world: World;
  readonly #readings: ClockReadings;

  constructor(clock: Clock, world: World, readings: ClockReadings) {
    this.#clock = clock;
    this.#world = world;
    this.#readings = readings;
  }

  monotonicUs(): number {
    return this.#clock.monotonicUs();
  }

  wallMs(): number {
    const wallMs = this.#clock.wallMs();
    this.#readings.record(this.#world.nowUs, wallMs);
    return wallMs;
  }

  wallUncertaintyMs(): number {
    return this.#clock.wallUncertaintyMs();
  }

  after(delayUs: number, run: () => void): Timer {
    return this.#clock.after(delayUs, run);
  }

  soon(run: () => void): void {
    this.#clock.soon(run);
  }
}

/** Lets the node's other work run for a while. Ends with the incarnation. */
export function pause(env: Env, delayUs: number): Promise<void> {
  return new Promise((resolve) => {
    env.clock.after(delayUs, resolve);
  });
}
