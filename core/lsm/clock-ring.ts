// HOT: every block that comes into the cache or leaves it passes here.
import { assert } from "../assert.ts";
import type { Block } from "./block.ts";

/** A block read so often survives as many passes of the clock hand. */
export const heatMax = 3;

/**
 * The blocks of a cache in a ring, and a hand that goes round it: it spares a block that was read again since
 * it last passed, and evicts the first that was not. A pinned block is passed over.
 */
export class ClockRing {
  readonly #ring: (Block | null)[] = [];
  /** Places of the ring that are free, the last freed on top. */
  readonly #free: number[] = [];
  #hand = 0;

  add(block: Block): void {
    assert(block.ringAt < 0, "a block is in the cache once");
    const at = this.#free.pop() ?? this.#ring.length;
    this.#ring[at] = block;
    block.ringAt = at;
  }

  remove(block: Block): void {
    assert(this.#ring[block.ringAt] === block, "a cached block knows its place");
    this.#ring[block.ringAt] = null;
    this.#free.push(block.ringAt);
    block.ringAt = -1;
  }

  /** The next block that may go, still in the ring; null when the hand finds only pinned ones. */
  next(): Block | null {
    // Hot blocks lose their heat on the way: after so many rounds only pinned ones are left.
    for (let left = this.#ring.length * (heatMax + 1); left > 0; left--) {
      if (this.#hand >= this.#ring.length) this.#hand = 0;
      const block = this.#ring[this.#hand] ?? null;
      this.#hand++;
      if (block === null || block.pins > 0) continue;
      if (block.heat <= 0) return block;
      block.heat--;
    }
    return null;
  }
}
