// HOT: every scan and every merge walks these.
import { assert } from "../assert.ts";
import { recordBytesAt } from "../bytes/record.ts";
import type { Block } from "./block.ts";
import type { BlockCache } from "./block-cache.ts";
import type { RecordCursor } from "./record-cursor.ts";
import type { TableReader } from "./table-reader.ts";

const noView = new DataView(new ArrayBuffer(0));
const noBytes = new Uint8Array(0);

/** What a walk is expected to read of one sorted run. */
export interface Expectation {
  /** Bytes from where it begins; 0: nobody knows. */
  readonly bytes: number;
  readonly backward: boolean;
}

const noExpectation: Expectation = { bytes: 0, backward: false };

/** After what was expected, so much of it is read at a time. */
const expectedShare = 4;

/**
 * A walk over one table, or over one after another: `attach` puts the next in place. It pins the block it
 * stands in and the one it stood in before, so that the record before the last move stays readable.
 *
 * Misses read ahead: what the walk expects first, then from one block on twice as much each time.
 */
export class TableCursor implements RecordCursor {
  readonly #cache: BlockCache;
  #reader: TableReader;
  #block: Block | null = null;
  #blockAt = -1;
  #previous: Block | null = null;
  #recordAt = 0;
  #expected = noExpectation;
  /** Bytes worth reading at the next miss. */
  #aheadBytes = 0;
  #missed = false;
  valid = false;
  bytes: Uint8Array = noBytes;
  view: DataView = noView;
  offset = 0;

  constructor(reader: TableReader) {
    this.#reader = reader;
    this.#cache = reader.blocks.cache;
  }

  /** How far the next seek shall read ahead. */
  expect(expectation: Expectation): void {
    this.#expected = expectation;
  }

  /** From now on over `reader`, whose cache is the same. Seek before anything else. */
  attach(reader: TableReader): void {
    this.valid = false;
    if (this.#reader === reader) return;
    this.#reader = reader;
    this.#blockAt = -1;
  }

  seekFirst(): void {
    this.restart();
    this.enterFirst();
  }

  seekLast(): void {
    this.restart();
    this.enterLast();
  }

  /** `seekFirst` as a step of a walk that goes on. */
  enterFirst(): void {
    this.valid = false;
    // A table may hold nothing but range tombstones.
    if (this.#reader.blockCount === 0) return;
    this.#enter(0);
    this.#stand(0);
  }

  enterLast(): void {
    this.valid = false;
    if (this.#reader.blockCount === 0) return;
    const block = this.#enter(this.#reader.blockCount - 1);
    this.#stand(block.count - 1);
  }

  seek(family: number, key: Uint8Array): void {
    this.valid = false;
    this.restart();
    const blockAt = this.#reader.searchBlock(family, key);
    if (blockAt === this.#reader.blockCount) return;
    const block = this.#enter(blockAt);
    const recordAt = block.search(family, key, Number.MAX_SAFE_INTEGER);
    assert(recordAt < block.count, "the index names the block that holds the record sought");
    this.#stand(recordAt);
  }

  next(): void {
    assert(this.valid, "a cursor moves only while it is valid");
    const block = this.#block;
    if (block !== null && this.#recordAt + 1 < block.count) {
      this.#recordAt++;
      // Records lie side by side: this one's header is at hand, the block's list of offsets is not.
      this.offset += recordBytesAt(this.view, this.offset);
      return;
    }
    this.valid = false;
    if (this.#blockAt + 1 === this.#reader.blockCount) return;
    this.#enter(this.#blockAt + 1);
    this.#stand(0);
  }

  prev(): void {
    assert(this.valid, "a cursor moves only while it is valid");
    if (this.#recordAt > 0) return this.#stand(this.#recordAt - 1);
    this.valid = false;
    if (this.#blockAt === 0) return;
    const block = this.#enter(this.#blockAt - 1);
    this.#stand(block.count - 1);
  }

  passForward(edge: Uint8Array, version: number): void {
    assert(this.valid, "a cursor moves only while it is valid");
    if (this.#reader.properties.pointMaxVersion < version) this.seek(edge[0] as number, edge.subarray(1));
    else this.next();
  }

  passBackward(edge: Uint8Array, version: number): void {
    assert(this.valid, "a cursor moves only while it is valid");
    if (this.#reader.properties.pointMaxVersion < version) this.seek(edge[0] as number, edge.subarray(1));
    this.prev();
  }

  release(): void {
    this.valid = false;
    if (this.#block !== null) this.#cache.unpin(this.#block);
    if (this.#previous !== null) this.#cache.unpin(this.#previous);
    this.#block = null;
    this.#previous = null;
    this.#blockAt = -1;
    this.bytes = noBytes;
    this.view = noView;
  }

  /** What was expected begins anew. */
  restart(): void {
    this.#aheadBytes = this.#expected.bytes;
    this.#missed = false;
  }

  #enter(blockAt: number): Block {
    this.valid = false;
    if (this.#block !== null && this.#blockAt === blockAt) return this.#block;
    // What the cursor showed last lies in the block it leaves now.
    if (this.#previous !== null) this.#cache.unpin(this.#previous);
    this.#previous = this.#block;
    this.#block = null;
    const block = this.#reader.blocks.cachedAt(blockAt) ?? this.#load(blockAt);
    this.#cache.pin(block);
    this.#block = block;
    this.#blockAt = blockAt;
    this.bytes = block.bytes;
    this.view = block.view;
    return block;
  }

  #load(blockAt: number): Block {
    const { bytes, backward } = this.#expected;
    const aheadBytes = this.#aheadBytes;
    this.#aheadBytes = this.#missed ? aheadBytes * 2 : Math.floor(bytes / expectedShare);
    this.#missed = true;
    const block = this.#reader.blocks.load(blockAt, aheadBytes, backward);
    this.#aheadBytes = Math.min(this.#cache.aheadBytes, Math.max(this.#aheadBytes, block.length * 2));
    return block;
  }

  #stand(recordAt: number): void {
    const block = this.#block;
    assert(block !== null, "a cursor stands in a block");
    this.#recordAt = recordAt;
    this.offset = block.offsetAt(recordAt);
    this.valid = true;
  }
}
