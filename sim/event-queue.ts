// HOT: every simulated event passes through here twice.
import { assert } from "../core/assert.ts";
import type { Life, Processor } from "./life.ts";

/** Something that will happen. `run` is null once it was cancelled. */
export class SimEvent {
  atUs: number;
  /**
   * Keyed, so that the order of events at one instant is explored instead of being first come, first served.
   */
  readonly tiebreak: number;
  readonly sequence: number;
  readonly life: Life;
  run: (() => void) | null;
  /** It was due before, and its processor was busy. */
  postponed = false;

  constructor(atUs: number, tiebreak: number, sequence: number, life: Life) {
    this.atUs = atUs;
    this.tiebreak = tiebreak;
    this.sequence = sequence;
    this.life = life;
    this.run = null;
  }
}

/**
 * A binary heap ordered by (time, tiebreak, sequence): a total order, so the pop order is a function of
 * content.
 */
export class EventQueue {
  readonly #heap: SimEvent[] = [];

  get length(): number {
    return this.#heap.length;
  }

  push(event: SimEvent): void {
    const heap = this.#heap;
    let hole = heap.length;
    heap.push(event);
    while (hole > 0) {
      const above = (hole - 1) >>> 1;
      const parent = heap[above];
      assert(parent !== undefined, "a parent has a smaller index");
      if (!before(event, parent)) break;
      heap[hole] = parent;
      hole = above;
    }
    heap[hole] = event;
  }

  /** The earliest event, or null when nothing will happen any more. */
  pop(): SimEvent | null {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) return null;
    if (heap.length > 0) this.#sink(last);
    return first;
  }

  /** What `processor` could not take so far is due at `atUs`. Takes time in the length of the queue. */
  hasten(processor: Processor, atUs: number): void {
    const events = this.#heap.splice(0);
    for (const event of events) {
      if (event.postponed && event.life.processor === processor) event.atUs = Math.min(event.atUs, atUs);
      this.push(event);
    }
  }

  /** Places `event` into the hole at the root. */
  #sink(event: SimEvent): void {
    const heap = this.#heap;
    const length = heap.length;
    let hole = 0;
    for (;;) {
      let below = 2 * hole + 1;
      if (below >= length) break;
      let child = heap[below];
      const right = below + 1 < length ? heap[below + 1] : undefined;
      assert(child !== undefined, "an index below the length");
      if (right !== undefined && before(right, child)) {
        child = right;
        below++;
      }
      if (!before(child, event)) break;
      heap[hole] = child;
      hole = below;
    }
    heap[hole] = event;
  }
}

function before(a: SimEvent, b: SimEvent): boolean {
  if (a.atUs !== b.atUs) return a.atUs < b.atUs;
  if (a.tiebreak !== b.tiebreak) return a.tiebreak < b.tiebreak;
  return a.sequence < b.sequence;
}
