// HOT: the speed of this loop is the number of seeds a night can try.
import { assert } from "../core/assert.ts";
import { type StreamKey, draw } from "../core/bytes/keyed-draw.ts";
import { EventQueue, SimEvent } from "./event-queue.ts";
import type { KeyedRandom } from "./keyed-random.ts";
import { Life, Processor } from "./life.ts";

/**
 * Virtual time and what will happen in it. Time does not pass, it jumps to the next event. One turn is one
 * event; nothing else runs node code, so a turn is never interrupted.
 */
export class EventLoop {
  readonly random: KeyedRandom;
  /** The scenario's and the simulator's own events. */
  readonly worldLife: Life;
  /** The nemesis: hostile events that do not keep a run going. */
  readonly nemesisLife: Life;
  /** Virtual microseconds since the run began. */
  nowUs = 0;
  /** Turns taken. */
  turnCount = 0;
  /** An incarnation died in this turn, so rejected promises of its last moments mean nothing. */
  deathInTurn = false;

  readonly #queue = new EventQueue();
  readonly #order: StreamKey;
  #current: Processor;
  #processorCount = 0;
  #sequence = 0;
  #foreground = 0;

  constructor(random: KeyedRandom) {
    this.random = random;
    this.#order = random.stream("sim/order");
    const world = this.processor();
    this.#current = world;
    this.worldLife = new Life(world, false);
    this.nemesisLife = new Life(this.processor(), true);
  }

  processor(): Processor {
    return new Processor(this.#processorCount++);
  }

  /** The present as `processor` sees it: later than `nowUs` by what it has worked in this turn. */
  presentUs(processor: Processor): number {
    return processor.busyUntilUs > this.nowUs ? processor.busyUntilUs : this.nowUs;
  }

  /** `delayUs` counts from the present of the life's processor. */
  after(delayUs: number, life: Life, run: () => void): SimEvent {
    return this.at(this.presentUs(life.processor) + delayUs, life, run);
  }

  at(atUs: number, life: Life, run: () => void): SimEvent {
    assert(atUs >= this.nowUs, "the past is fixed");
    const processor = life.processor;
    const tiebreak = draw(this.#order, processor.id, processor.eventCount++);
    const event = new SimEvent(atUs, tiebreak, this.#sequence++, life);
    event.run = run;
    this.#queue.push(event);
    if (!life.background) this.#foreground++;
    return event;
  }

  /** The processor that is running now has worked for `us`: its present moves on, its other events wait. */
  charge(us: number): void {
    assert(us >= 0, "work takes time");
    this.#current.busyUntilUs = this.presentUs(this.#current) + us;
  }

  /** `processor` is free from now on: what waited for it is due, and before anything that is due later. */
  release(processor: Processor): void {
    if (processor.busyUntilUs <= this.nowUs) return;
    processor.busyUntilUs = this.nowUs;
    this.#queue.hasten(processor, this.nowUs);
  }

  /** Something other than the nemesis may still happen. */
  get hasForeground(): boolean {
    return this.#foreground > 0;
  }

  /**
   * Moves time to the next event that is due, whose owner lives and whose processor is free; null when there
   * is none. The caller runs it.
   */
  next(): SimEvent | null {
    for (;;) {
      const event = this.#queue.pop();
      if (event === null) return null;
      if (!event.life.alive || event.run === null) {
        this.#forget(event);
        continue;
      }
      const processor = event.life.processor;
      if (processor.busyUntilUs > event.atUs) {
        event.atUs = processor.busyUntilUs;
        event.postponed = true;
        this.#queue.push(event);
        continue;
      }
      this.#forget(event);
      assert(event.atUs >= this.nowUs, "time does not regress");
      this.nowUs = event.atUs;
      this.#current = processor;
      this.turnCount++;
      this.deathInTurn = false;
      return event;
    }
  }

  #forget(event: SimEvent): void {
    if (!event.life.background) this.#foreground--;
  }
}
