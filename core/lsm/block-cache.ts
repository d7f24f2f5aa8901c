// HOT: every miss passes here; a hit does not, it finds the block in its table's own slots.
import { assert } from "../assert.ts";
import { Block, blockOverheadBytes } from "./block.ts";
import { ClockRing, heatMax } from "./clock-ring.ts";

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

/** What a read ahead brought and nobody asked for yet: its first read is not a second one. */
export const heatAhead = -1;
const frameBytesMin = 256;
/** Frames are cut from memory of this size: they share its views, and few of those stay hot. */
const chunkBytesMax = 4 * 1024 * 1024;
/** One part in `2 ** largeShift` of the budget is for blocks that are larger than a frame. */
const largeShift = 4;
/** Read-ahead reads at most so much at once, and a share of the cache that leaves room for others. */
const aheadBytesMax = 256 * 1024;
const aheadShare = 4;

/**
 * Keeps blocks of all tables within a budget of bytes, and evicts by CLOCK those that are not read again. What is
 * evicted depends on the sequence of calls alone.
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
  #framesLeft: number;
  #usedBytes = 0;
  readonly #largeBytesMax: number;
  #largeBytes = 0;
  #hits = 0;
  #misses = 0;
  #evictions = 0;
  #pinCount = 0;
  readonly #frames = new ClockRing();
  readonly #large = new ClockRing();
  /** Frames that hold nothing. */
  readonly #spare: Block[] = [];
  /** What the next new frame is cut from, and where. */
  #chunk = new Block(new Uint8Array(0));
  #chunkUsed = 0;
  /** Where reads ahead arrive before their blocks are verified and taken over. */
  #staging = new Block(new Uint8Array(0));

  /** `blockBytes`: the length of nearly all blocks. */
  constructor(budgetBytes: number, blockBytes: number) {
    this.budgetBytes = budgetBytes;
    this.frameBytes = (Math.max(frameBytesMin, blockBytes) + 7) & ~7;
    this.aheadBytes = Math.min(aheadBytesMax, Math.floor(budgetBytes / aheadShare));
    this.#largeBytesMax = Math.floor(budgetBytes / 2 ** largeShift);
    const frameCharge = this.frameBytes + blockOverheadBytes;
    this.#framesLeft = Math.floor((budgetBytes - this.#largeBytesMax) / frameCharge);
  }

  /** Memory taken; it is kept for other blocks. */
  get usedBytes(): number {
    return this.#usedBytes + this.#largeBytes;
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
    if (this.#framesLeft > 0) return this.#cutFrame();
    const evicted = this.#frames.next();
    if (evicted !== null) this.#evict(evicted, this.#frames);
    return evicted;
  }

  /** Takes a filled `block` in; leaves it out when there is no room. Either way its holder may read it. */
  admit(block: Block, owner: CachedBlocks): void {
    assert(owner.slots[block.index] === null, "a block is cached once");
    if (!block.isFrame && !this.#makeRoom(block)) return;
    (block.isFrame ? this.#frames : this.#large).add(block);
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
      this.#forget(block, block.isFrame ? this.#frames : this.#large);
      if (block.pins === 0) this.giveBack(block);
    }
  }

  #cutFrame(): Block {
    if (this.#chunkUsed + this.frameBytes > this.#chunk.bytes.length) {
      const frames = Math.max(1, Math.min(this.#framesLeft, Math.floor(chunkBytesMax / this.frameBytes)));
      this.#chunk = new Block(new Uint8Array(frames * this.frameBytes));
      this.#chunkUsed = 0;
    }
    const frame = new Block(this.#chunk.bytes, this.#chunk.view, this.#chunkUsed, true);
    this.#chunkUsed += this.frameBytes;
    this.#framesLeft--;
    this.#usedBytes += this.frameBytes + blockOverheadBytes;
    return frame;
  }

  /** For a block with memory of its own, which counts from here on. */
  #makeRoom(block: Block): boolean {
    const charge = block.bytes.length + blockOverheadBytes;
    if (charge > this.#largeBytesMax) return false;
    while (this.#largeBytes + charge > this.#largeBytesMax) {
      const evicted = this.#large.next();
      if (evicted === null) return false;
      this.#evict(evicted, this.#large);
    }
    this.#largeBytes += charge;
    return true;
  }

  #evict(block: Block, ring: ClockRing): void {
    this.#evictions++;
    this.#forget(block, ring);
  }

  #forget(block: Block, ring: ClockRing): void {
    assert(block.owner !== null, "a cached block is some table's");
    ring.remove(block);
    block.owner.slots[block.index] = null;
    block.owner = null;
    if (!block.isFrame) this.#largeBytes -= block.bytes.length + blockOverheadBytes;
  }
}
