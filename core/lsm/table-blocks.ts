// HOT: every block that a read or a merge needs comes from here.
import { assert } from "../assert.ts";
import type { Codec } from "../bytes/codec.ts";
import { corruption } from "../errors.ts";
import { type Block, blockFault } from "./block.ts";
import { type BlockCache, CachedBlocks, heatAhead } from "./block-cache.ts";
import { unpackBlock } from "./block-packer.ts";
import type { TableFile } from "./table-file.ts";
import { blockTrailerBytes, isPartSealed, isSealed, viewOf } from "./table-format.ts";
import type { TableIndex } from "./table-index.ts";

/**
 * The blocks of one open table: from the cache, or read, verified, unpacked and put into it. Methods may
 * throw `NOKV_CORRUPTION` naming file and offset, or `NOKV_IO`.
 */
export class TableBlocks {
  readonly cache: BlockCache;
  readonly #file: TableFile;
  readonly #index: TableIndex;
  /** Null: no block is compressed. */
  readonly #codec: Codec | null;
  readonly #cached: CachedBlocks;
  #closed = false;

  // oxlint-disable-next-line max-params
  constructor(file: TableFile, index: TableIndex, codec: Codec | null, cache: BlockCache) {
    this.cache = cache;
    this.#file = file;
    this.#index = index;
    this.#codec = codec;
    this.#cached = new CachedBlocks(index.blockCount);
  }

  get count(): number {
    return this.#index.blockCount;
  }

  /** Where block `i` begins in the file. */
  offset(i: number): number {
    return this.#index.blockOffset(i);
  }

  /** Block `i`; readable until the next call that may read one, unless it is pinned at once. */
  at(i: number): Block {
    return this.cachedAt(i) ?? this.#loadOne(i);
  }

  /** Block `i` if it is in memory; to be pinned as that of `at`. */
  cachedAt(i: number): Block | null {
    const cached = this.#cached.slots[i] ?? null;
    if (cached !== null) this.cache.noteHit(cached);
    return cached;
  }

  /**
   * Reads block `i`, which is not in memory, and with it those that follow it, or come before it, as far as
   * they are not in memory either and `aheadBytes` reach. Damage to another block than `i` is no concern of
   * this call: who gets there reads it again and is told.
   */
  load(i: number, aheadBytes: number, backward: boolean): Block {
    const last = this.#lastOfRun(i, aheadBytes, backward ? -1 : 1);
    return (last === i ? null : this.#loadRun(i, last)) ?? this.#loadOne(i);
  }

  /** Blocks that are pinned stay readable. */
  close(): void {
    assert(!this.#closed, "a table is closed once");
    this.#closed = true;
    this.cache.drop(this.#cached);
  }

  /** How far a read that begins with block `i` goes. */
  #lastOfRun(i: number, aheadBytes: number, step: number): number {
    const { frameBytes } = this.cache;
    let leftBytes = Math.min(aheadBytes, this.cache.aheadBytes) - this.#index.blockRawBytes(i);
    if (this.#index.blockRawBytes(i) > frameBytes) return i;
    let last = i;
    for (let next = i + step; next >= 0 && next < this.count; next += step) {
      const length = this.#index.blockRawBytes(next);
      leftBytes -= length;
      if (leftBytes < 0 || length > frameBytes || (this.#cached.slots[next] ?? null) !== null) break;
      last = next;
    }
    return last;
  }

  #loadOne(i: number): Block {
    assert(!this.#closed, "a closed table is not read");
    const offset = this.#index.blockOffset(i);
    const length = this.#index.blockBytes(i);
    const rawBytes = this.#index.blockRawBytes(i);
    const block = this.cache.take(rawBytes);
    const isPacked = length !== rawBytes;
    const stored = isPacked ? this.cache.staging(length) : block;
    try {
      this.#file.readInto(stored.bytes, stored.start, offset, length, "a table block");
      const fault = isPacked
        ? this.#unpack(i, stored.bytes, 0, block)
        : this.#fault(i, block.bytes, block.view, block.start);
      if (fault !== null) throw corruption(this.#file.path, offset, fault);
    } catch (error) {
      this.cache.giveBack(block);
      throw error;
    }
    this.#keep(block, i);
    return block;
  }

  /**
   * Blocks `i` to `last`, in either direction, by one read. Returns block `i`, or null when that needs a
   * closer look; the others come into the cache as far as they are sound and frames are free.
   */
  #loadRun(i: number, last: number): Block | null {
    assert(!this.#closed, "a closed table is not read");
    const first = Math.min(i, last);
    const start = this.#index.blockOffset(first);
    const length = this.#index.blockOffset(Math.max(i, last) + 1) - start;
    const staging = this.cache.staging(length);
    const filled = this.#file.readAhead(staging.bytes, start, length);
    const wanted = this.#takeOver(i, staging, start, filled);
    if (wanted === null) return null;
    // Or those behind it could take its frame.
    this.cache.pin(wanted);
    const step = i < last ? 1 : -1;
    for (let next = i; next !== last; next += step) {
      const block = this.#takeOver(next + step, staging, start, filled);
      if (block === null) break;
      block.heat = heatAhead;
    }
    this.cache.unpin(wanted);
    return wanted;
  }

  /** Puts block `i` from `staging`, which begins at `start` of the file, into a frame; null if it can not. */
  // oxlint-disable-next-line max-params
  #takeOver(i: number, staging: Block, start: number, filled: number): Block | null {
    const offset = this.#index.blockOffset(i);
    const length = this.#index.blockBytes(i);
    const at = offset - start;
    if (at + length > filled) return null;
    if (!isPartSealed(staging.bytes, at, length, this.#file.number, offset)) return null;
    const rawBytes = this.#index.blockRawBytes(i);
    const isPacked = length !== rawBytes;
    if (!isPacked && this.#fault(i, staging.bytes, staging.view, at) !== null) return null;
    const block = this.cache.takeFrame(rawBytes);
    if (block === null) return null;
    if (!isPacked) {
      block.bytes.set(staging.bytes.subarray(at, at + length), block.start);
    } else if (this.#unpack(i, staging.bytes, at, block) !== null) {
      this.cache.giveBack(block);
      return null;
    }
    this.#keep(block, i);
    return block;
  }

  #keep(block: Block, i: number): void {
    block.hold(this.#index.blockRawBytes(i), i);
    this.cache.noteMiss();
    this.cache.admit(block, this.#cached);
  }

  /** Puts the image of block `i`, whose stored bytes at `at` passed their checksum, into `block`. */
  // oxlint-disable-next-line max-params
  #unpack(i: number, stored: Uint8Array, at: number, block: Block): string | null {
    const packed = stored.subarray(at, at + this.#index.blockBytes(i));
    const rawBytes = this.#index.blockRawBytes(i);
    const image = this.#codec === null ? null : unpackBlock(this.#codec, packed, rawBytes);
    if (image === null || !isSealed(image, this.#file.number, this.#index.blockOffset(i))) {
      return "a compressed block does not unpack to what it was";
    }
    const fault = this.#fault(i, image, viewOf(image), 0);
    if (fault === null) block.bytes.set(image, block.start);
    return fault;
  }

  /** What is wrong with block `i`, whose image stands at `at` of `memory` and passed its checksum. */
  // oxlint-disable-next-line max-params
  #fault(i: number, memory: Uint8Array, view: DataView, at: number): string | null {
    const length = this.#index.blockRawBytes(i);
    const fault = blockFault(view, at, length);
    if (fault !== null) return fault;
    const last = at + view.getUint32(at + length - blockTrailerBytes - 4, true);
    return this.#index.endsWith(i, memory, view, last) ? null : "the index tells of another block";
  }
}
