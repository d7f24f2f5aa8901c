import { assert } from "../core/assert.ts";

/** `count` numbers from `first` on, for whoever asked under `ticket`. */
export interface Grant {
  readonly ticket: number;
  readonly first: number;
  readonly count: number;
}

interface Wanted {
  readonly ticket: number;
  readonly count: number;
}

/**
 * Gives out numbers, each once in the life of a cluster. Every number is at most the *fence*, which is durable before:
 * a later incarnation starts above it, whatever this one gave out.
 *
 * A pure machine: what is durable, and what to make durable, are its input and its output.
 */
export class FencedCounter {
  /** The newest number given out or passed by. */
  #last: number;
  /** Durable. */
  #fence: number;
  /** On its way to be durable; 0: none. */
  #proposed = 0;
  #queue: Wanted[] = [];

  /** `fence`: the durable one of all incarnations before. */
  constructor(fence: number) {
    this.#last = fence;
    this.#fence = fence;
  }

  get last(): number {
    return this.#last;
  }

  get fence(): number {
    return this.#fence;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** No number up to `number` is given out any more: somebody has it already. */
  passBy(number: number): void {
    if (number > this.#last) this.#last = number;
  }

  request(ticket: number, count: number): void {
    assert(Number.isSafeInteger(count) && count >= 1, "somebody asks for something");
    this.#queue.push({ ticket, count });
  }

  /** Serves, in the order of the requests, what fits below the fence; nothing is below `floor`. */
  serve(floor: number): Grant[] {
    const grants: Grant[] = [];
    for (const { ticket, count } of this.#queue) {
      const first = Math.max(this.#last + 1, floor);
      const end = first + count - 1;
      if (end > this.#fence) break;
      this.#last = end;
      grants.push({ ticket, first, count });
    }
    this.#queue.splice(0, grants.length);
    return grants;
  }

  /**
   * The fence to make durable now, or 0: up to `target`, and further if those who wait need it. One at a time, and
   * only when less than half of the way from what is used up to `target` is left.
   */
  nextFence(floor: number, target: number): number {
    if (this.#proposed !== 0) return 0;
    const used = Math.max(this.#last, floor - 1);
    const needed = this.#queue.reduce((sum, { count }) => sum + count, used);
    const fence = Math.max(target, needed);
    const left = this.#fence - used;
    if (this.#queue.length === 0 && left >= Math.floor((target - used) / 2)) return 0;
    if (fence <= this.#fence) return 0;
    this.#proposed = fence;
    return fence;
  }

  /** The fence that was proposed is durable. */
  fenced(fence: number): void {
    assert(fence === this.#proposed, "a fence becomes durable after it was proposed");
    this.#proposed = 0;
    this.#fence = fence;
  }

  /** The fence that was proposed will not become durable, or may not. Those who wait are sent away. */
  unfenced(): readonly number[] {
    this.#proposed = 0;
    return this.drain();
  }

  /** Everybody who waits is sent away. */
  drain(): readonly number[] {
    return this.#queue.splice(0).map(({ ticket }) => ticket);
  }
}
