import { assert } from "../core/assert.ts";
import type { Clock, Timer } from "../core/env/clock.ts";
import type { Dice } from "./dice.ts";
import type { SimEvent } from "./event-queue.ts";
import type { Incarnation } from "./incarnation.ts";

/** True time at the beginning of every run: 2025-06-01T00:00:00Z in Unix milliseconds. */
export const trueEpochMs = 1_748_736_000_000;

/** What a healthy machine promises about its wall clock. Faults of the nemesis go beyond it on purpose. */
export const wallUncertaintyMs = 500;

/** A turn of `soon` comes at most so much later, in microseconds. */
const soonUsMax = 3;

const perMillion = 1_000_000;

/**
 * The two clocks of a machine's hardware, unrelated as in life. Each runs in straight pieces: from
 * (`sinceUs`, value) on at its own rate, until a fault starts a new piece. All times are true virtual
 * microseconds.
 */
export class MachineClock {
  #monotonicUs: number;
  #monotonicSinceUs = 0;
  #wallUs: number;
  #wallSinceUs = 0;
  /** Parts per million faster than true time. Below zero: slower. */
  #driftPpm = 0;
  #frozen = false;
  /** The latest monotonic value anybody was told: a busy process sees a little of the future. */
  #toldUs = 0;

  constructor(originUs: number, wallOffsetMs: number) {
    this.#monotonicUs = originUs;
    this.#wallUs = (trueEpochMs + wallOffsetMs) * 1_000;
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  monotonicUs(nowUs: number): number {
    const elapsedUs = this.#frozen ? 0 : stretched(nowUs - this.#monotonicSinceUs, this.#driftPpm);
    this.#toldUs = Math.max(this.#toldUs, this.#monotonicUs + elapsedUs);
    return this.#toldUs;
  }

  wallMs(nowUs: number): number {
    if (this.#frozen) return Math.floor(this.#wallUs / 1_000);
    return Math.floor((this.#wallUs + stretched(nowUs - this.#wallSinceUs, this.#driftPpm)) / 1_000);
  }

  /** True microseconds until the monotonic clock has advanced by `delayUs`, if nothing happens to it. */
  trueDelayUs(delayUs: number): number {
    return delayUs - Math.floor((delayUs * this.#driftPpm) / (perMillion + this.#driftPpm));
  }

  drift(nowUs: number, ppm: number): void {
    assert(ppm > -perMillion, "a clock does not run backwards");
    this.#rebase(nowUs);
    this.#driftPpm = ppm;
  }

  /** Both stand still until `thaw`, and then go on from where they stood. */
  freeze(nowUs: number): void {
    this.#rebase(nowUs);
    this.#frozen = true;
  }

  thaw(nowUs: number): void {
    this.#rebase(nowUs);
    this.#frozen = false;
  }

  /** Either way; the monotonic clock does not notice. */
  jumpWall(deltaMs: number): void {
    this.#wallUs += deltaMs * 1_000;
  }

  /** Wall time becomes true time plus `offsetMs`. */
  setWall(nowUs: number, offsetMs: number): void {
    this.#rebase(nowUs);
    this.#wallUs = (trueEpochMs + offsetMs) * 1_000 + nowUs;
  }

  /** A reboot: the monotonic clock starts from another origin. */
  reboot(nowUs: number, originUs: number): void {
    this.#rebase(nowUs);
    this.#monotonicUs = originUs;
    this.#toldUs = originUs;
  }

  #rebase(nowUs: number): void {
    if (!this.#frozen) {
      this.#monotonicUs += stretched(nowUs - this.#monotonicSinceUs, this.#driftPpm);
      this.#wallUs += stretched(nowUs - this.#wallSinceUs, this.#driftPpm);
    }
    this.#monotonicSinceUs = nowUs;
    this.#wallSinceUs = nowUs;
  }
}

/** `us` as counted by a clock that is `ppm` fast. Rounds down, so a piece never overtakes its successor. */
function stretched(us: number, ppm: number): number {
  return ppm === 0 ? us : us + Math.floor((us * ppm) / perMillion);
}

/** One incarnation's view of its machine's clocks. */
export class SimClock implements Clock {
  readonly #machine: MachineClock;
  readonly #incarnation: Incarnation;
  readonly #dice: Dice;

  constructor(machine: MachineClock, incarnation: Incarnation, dice: Dice) {
    this.#machine = machine;
    this.#incarnation = incarnation;
    this.#dice = dice;
  }

  monotonicUs(): number {
    this.#incarnation.call("clock.monotonic", "", 0, 0);
    const us = this.#machine.monotonicUs(this.#nowUs());
    this.#incarnation.result("clock.monotonic", "ok", us);
    return us;
  }

  wallMs(): number {
    this.#incarnation.call("clock.wall", "", 0, 0);
    const ms = this.#machine.wallMs(this.#nowUs());
    this.#incarnation.result("clock.wall", "ok", ms);
    return ms;
  }

  wallUncertaintyMs(): number {
    this.#incarnation.call("clock.uncertainty", "", 0, 0);
    return wallUncertaintyMs;
  }

  after(delayUs: number, run: () => void): Timer {
    assert(Number.isSafeInteger(delayUs), "a delay is whole microseconds");
    assert(delayUs >= 0, "a delay is not negative");
    this.#incarnation.call("clock.after", "", delayUs, 0);
    const dueUs = this.#machine.monotonicUs(this.#nowUs()) + delayUs;
    return new SimTimer({ machine: this.#machine, incarnation: this.#incarnation, dueUs, run });
  }

  soon(run: () => void): void {
    this.#incarnation.call("clock.soon", "", 0, 0);
    this.#incarnation.after(this.#dice.below(soonUsMax + 1), run);
  }

  #nowUs(): number {
    const incarnation = this.#incarnation;
    return incarnation.loop.presentUs(incarnation.life.processor);
  }
}

interface TimerPlan {
  readonly machine: MachineClock;
  readonly incarnation: Incarnation;
  /** By the machine's monotonic clock. */
  readonly dueUs: number;
  readonly run: () => void;
}

/** How soon a timer looks again while its clock stands still, in true microseconds. */
const frozenPollUs = 10_000;

/** Due by the machine's own clock: drift brings it forward or back in true time, a frozen clock holds it. */
class SimTimer implements Timer {
  readonly #plan: TimerPlan;
  #event: SimEvent | null = null;

  constructor(plan: TimerPlan) {
    this.#plan = plan;
    this.#arm();
  }

  cancel(): void {
    this.#plan.incarnation.call("clock.cancel", "", 0, 0);
    if (this.#event !== null) this.#event.run = null;
    this.#event = null;
  }

  #arm(): void {
    const { machine, incarnation, dueUs } = this.#plan;
    const nowUs = incarnation.loop.presentUs(incarnation.life.processor);
    const leftUs = Math.max(0, dueUs - machine.monotonicUs(nowUs));
    const delayUs = machine.frozen ? Math.max(frozenPollUs, leftUs) : machine.trueDelayUs(leftUs);
    this.#event = incarnation.loop.after(delayUs, incarnation.life, () => this.#fire());
  }

  #fire(): void {
    const { machine, incarnation, dueUs, run } = this.#plan;
    const nowUs = incarnation.loop.presentUs(incarnation.life.processor);
    if (machine.monotonicUs(nowUs) < dueUs) {
      this.#arm();
      return;
    }
    this.#event = null;
    run();
  }
}
