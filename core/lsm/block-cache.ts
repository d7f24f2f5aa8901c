// HOT: every miss passes here; a hit does not, it finds the block in its table's own slots.
import { assert } from "../assert.ts";
import type { Block } from "./block.ts";

/**
 * The blocks of one table that are in memory, by block index. A slot holds a block exactly while it is
 * cached.
 */
export class CachedBlocks {
  readonly slots: (Block | null)[];

  constructor(blockCount: number) {
    this.slots = Array.from({ length: blockCount }, () => null);
  }
}

/**
 * Keeps blocks of all tables within a budget of bytes, by CLOCK: the hand goes round a ring, spares a block
 * that was read since it last passed, and evicts the first that was not. What is evicted depends on the
 * sequence of calls alone. An evicted block stays usable for whoever holds it.
 */
export class BlockCache {
  readonly budgetBytes: number;
  #usedBytes = 0;
  #hits = 0;
  #misses = 0;
  #evictions = 0;
  #hand = 0;
  readonly #ring: (Block | null)[] = [];
  readonly #owners: (CachedBlocks | null)[] = [];
  /** Places of the ring that are free, the last freed on top. */
  readonly #free: number[] = [];

  constructor(budgetBytes: number) {
    this.budgetBytes = budgetBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get hits(): number {
    return this.#hits;
  }

  get misses(): number {
    return this.#misses;
  }

  get evictions(): number {
    return this.#evictions;
  }

  noteHit(block: Block): void {
    this.#hits++;
    block.referenced = true;
  }

  noteMiss(): void {
    this.#misses++;
  }

  /** Takes `block` in, evicting others; leaves it out when it alone exceeds the budget. */
  admit(block: Block, owner: CachedBlocks): void {
    assert(owner.slots[block.index] === null, "a block is cached once");
    if (block.chargeBytes > this.budgetBytes) return;
    while (this.#usedBytes + block.chargeBytes > this.budgetBytes) this.#evictOne();
    const at = this.#free.pop() ?? this.#ring.length;
    this.#ring[at] = block;
    this.#owners[at] = owner;
    block.ringAt = at;
    owner.slots[block.index] = block;
    this.#usedBytes += block.chargeBytes;
  }

  /** Forgets all blocks of a table. */
  drop(owner: CachedBlocks): void {
    for (const block of owner.slots) {
      if (block !== null) this.#remove(block, owner);
    }
  }

  #evictOne(): void {
    assert(this.#usedBytes > 0, "a cache over its budget has something to evict");
    for (;;) {
      if (this.#hand >= this.#ring.length) this.#hand = 0;
      const block = this.#ring[this.#hand] ?? null;
      const owner = this.#owners[this.#hand] ?? null;
      this.#hand++;
      if (block === null || owner === null) continue;
      if (!block.referenced) {
        this.#evictions++;
        this.#remove(block, owner);
        return;
      }
      block.referenced = false;
    }
  }

  #remove(block: Block, owner: CachedBlocks): void {
    assert(this.#ring[block.ringAt] === block, "a cached block knows its place");
    this.#ring[block.ringAt] = null;
    this.#owners[block.ringAt] = null;
    this.#free.push(block.ringAt);
    owner.slots[block.index] = null;
    block.ringAt = -1;
    this.#usedBytes -= block.chargeBytes;
    assert(this.#usedBytes >= 0, "a cache counts what it holds");
  }
}
