// HOT: every call and every request has a place in here.
import type { Clock, Timer } from "../../core/env/clock.ts";

/** Something that ends at a time. */
export interface Expiring {
  /** By the clock's monotonic microseconds. */
  readonly deadlineUs: number;
  /** It is over; its deadline will mean nothing. */
  readonly settled: boolean;
  /** On a turn of its own, at its deadline or soon after. */
  expire(): void;
}

/** Settled ones are swept when they are so many more than the others. */
const settledSlack = 256;

/** One timer for any number of deadlines: a heap of them, the settled ones left in place until they surface. */
export class Deadlines {
  readonly #clock: Clock;
  #heap: Expiring[] = [];
  #settled = 0;
  #timer: Timer | null = null;
  #armedUs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Not settled, and not expired. */
  get pending(): number {
    return this.#heap.length - this.#settled;
  }

  add(item: Expiring): void {
    this.#push(item);
    this.#arm();
  }

  /** `item` became settled other than by `expire`. */
  settle(): void {
    this.#settled++;
    if (this.#settled > this.#heap.length / 2 + settledSlack) this.#sweep();
  }

  #arm(): void {
    const first = this.#heap[0];
    if (first === undefined) return;
    if (this.#timer !== null && this.#armedUs <= first.deadlineUs) return;
    this.#timer?.cancel();
    this.#armedUs = first.deadlineUs;
    const delayUs = Math.max(0, first.deadlineUs - this.#clock.monotonicUs());
    this.#timer = this.#clock.after(delayUs, () => this.#run());
  }

  #run(): void {
    this.#timer = null;
    const nowUs = this.#clock.monotonicUs();
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || (!first.settled && first.deadlineUs > nowUs)) break;
      this.#pop();
      if (first.settled) this.#settled--;
      else first.expire();
    }
    this.#arm();
  }

  #sweep(): void {
    const kept = this.#heap.filter((item) => !item.settled);
    this.#heap = [];
    this.#settled = 0;
    for (const item of kept) this.#push(item);
  }

  #push(item: Expiring): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Expiring;
      if (above.deadlineUs <= item.deadlineUs) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = item;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = child + 1;
      const sibling = heap[right];
      if (sibling !== undefined && sibling.deadlineUs < (heap[child] as Expiring).deadlineUs) child = right;
      const below = heap[child] as Expiring;
      if (below.deadlineUs >= last.deadlineUs) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
  }
}
