// HOT: every miss passes here; a hit does not, it finds the block in its table's own slots.
import { assert } from "../assert.ts";
import { Block, blockOverheadBytes } from "./block.ts";

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

/** A block read so often survives as many passes of the clock hand. */
const heatMax = 3;
/** What a read ahead brought and nobody asked for yet: its first read is not a second one. */
export const heatAhead = -1;
const frameBytesMin = 256;
/** Read-ahead reads at most so much at once, and a share of the cache that leaves room for others. */
const aheadBytesMax = 256 * 1024;
const aheadShare = 4;

/**
 * Keeps blocks of all tables within a budget of bytes, by CLOCK: the hand goes round a ring, spares a block
 * that was read again since it last passed, and evicts the first that was not. What is evicted depends on
 * the sequence of calls alone.
 *
 * Memory comes in frames of one size, made once and used again: an allocation per block costs more than
 * reading it. A block larger than a frame has memory of its own. Who holds a block beyond the next call pins
 * it; a pinned block is neither evicted nor written again, whatever happens to its table.
 */
export class BlockCache {
  readonly budgetBytes: number;
  readonly frameBytes: number;
  /** The most that one read ahead is worth; 0: none. */
  readonly aheadBytes: number;
  #usedBytes = 0;
  #hits = 0;
  #misses = 0;
  #evictions = 0;
  #pinCount = 0;
  #hand = 0;
  readonly #ring: (Block | null)[] = [];
  /** Places of the ring that are free, the last freed on top. */
  readonly #free: number[] = [];
  /** Frames that hold nothing. */
  readonly #spare: Block[] = [];
  /** Where reads ahead arrive before their blocks are verified and taken over. */
  #staging = new Block(new Uint8Array(0));

  /** `blockBytes`: the length of nearly all blocks. */
  constructor(budgetBytes: number, blockBytes: number) {
    this.budgetBytes = budgetBytes;
    this.frameBytes = Math.max(frameBytesMin, blockBytes);
    this.aheadBytes = Math.min(aheadBytesMax, Math.floor(budgetBytes / aheadShare));
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Reads of a block that was read before; a read ahead and its first read count as one. */
  get hits(): number {
    return this.#hits;
  }

  /** Blocks that were read from a file, ahead or not. */
  get misses(): number {
    return this.#misses;
  }

  get evictions(): number {
    return this.#evictions;
  }

  /** Pins that are held; 0 when no cursor is open. */
  get pinCount(): number {
    return this.#pinCount;
  }

  noteHit(block: Block): void {
    if (block.heat === heatAhead) {
      block.heat = 0;
      return;
    }
    this.#hits++;
    if (block.heat < heatMax) block.heat++;
  }

  noteMiss(): void {
    this.#misses++;
  }

  pin(block: Block): void {
    block.pins++;
    this.#pinCount++;
  }

  unpin(block: Block): void {
    assert(block.pins > 0, "a block is unpinned as often as it was pinned");
    block.pins--;
    this.#pinCount--;
    // Its table was closed, or it never came into the cache: nobody else can find it.
    if (block.pins === 0 && block.ringAt < 0) this.giveBack(block);
  }

  /**
   * Memory for a block of `length` bytes; the caller fills it and passes it to `admit` or `giveBack`. Beyond
   * the budget, memory that nobody will use again.
   */
  take(length: number): Block {
    return this.takeFrame(length) ?? new Block(new Uint8Array(length));
  }

  /** As `take`, but null when there is no frame for it. */
  takeFrame(length: number): Block | null {
    if (length > this.frameBytes) return null;
    const spare = this.#spare.pop();
    if (spare !== undefined) return spare;
    const charge = this.frameBytes + blockOverheadBytes;
    while (this.#usedBytes + charge > this.budgetBytes) {
      const evicted = this.#evictOne();
      if (evicted === null) return null;
      if (evicted.isFrame) return evicted;
      this.#usedBytes -= chargeOf(evicted);
    }
    this.#usedBytes += charge;
    return new Block(new Uint8Array(this.frameBytes), true);
  }

  /** Takes a filled `block` in; leaves it out when there is no room. Either way its holder may read it. */
  admit(block: Block, owner: CachedBlocks): void {
    assert(owner.slots[block.index] === null, "a block is cached once");
    assert(block.ringAt < 0, "a block is in the cache once");
    if (!block.isFrame && !this.#makeRoom(block)) return;
    const at = this.#free.pop() ?? this.#ring.length;
    this.#ring[at] = block;
    block.ringAt = at;
    block.owner = owner;
    block.heat = 0;
    owner.slots[block.index] = block;
  }

  /** Nobody reads `block` any more. */
  giveBack(block: Block): void {
    assert(block.ringAt < 0 && block.pins === 0, "memory that is given back is nobody's");
    if (block.isFrame) this.#spare.push(block);
  }

  /** Memory of at least `length` bytes for one call; its content is not kept. */
  staging(length: number): Block {
    if (this.#staging.bytes.length < length) this.#staging = new Block(new Uint8Array(length));
    return this.#staging;
  }

  /** Forgets all blocks of a table. */
  drop(owner: CachedBlocks): void {
    for (const block of owner.slots) {
      if (block === null) continue;
      this.#remove(block);
      if (!block.isFrame) this.#usedBytes -= chargeOf(block);
      else if (block.pins === 0) this.#spare.push(block);
    }
  }

  /** For a block with memory of its own, which counts from here on. */
  #makeRoom(block: Block): boolean {
    const charge = chargeOf(block);
    if (charge > this.budgetBytes) return false;
    while (this.#usedBytes + charge > this.budgetBytes) {
      const evicted = this.#spare.pop() ?? this.#evictOne();
      if (evicted === null) return false;
      this.#usedBytes -= chargeOf(evicted);
    }
    this.#usedBytes += charge;
    return true;
  }

  /** The next block that may go, out of the ring; null when the hand finds only pinned ones. */
  #evictOne(): Block | null {
    // Hot blocks lose their heat on the way: after so many rounds only pinned ones are left.
    for (let left = this.#ring.length * (heatMax + 1); left > 0; left--) {
      if (this.#hand >= this.#ring.length) this.#hand = 0;
      const block = this.#ring[this.#hand] ?? null;
      this.#hand++;
      if (block === null || block.pins > 0) continue;
      if (block.heat <= 0) {
        this.#evictions++;
        this.#remove(block);
        return block;
      }
      block.heat--;
    }
    return null;
  }

  #remove(block: Block): void {
    assert(this.#ring[block.ringAt] === block, "a cached block knows its place");
    assert(block.owner !== null, "a cached block is some table's");
    this.#ring[block.ringAt] = null;
    this.#free.push(block.ringAt);
    block.owner.slots[block.index] = null;
    block.ringAt = -1;
    block.owner = null;
  }
}

function chargeOf(block: Block): number {
  return block.bytes.length + blockOverheadBytes;
}
