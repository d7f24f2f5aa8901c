// HOT: every scan and every merge walks these.
import { assert } from "../assert.ts";
import type { Block } from "./block.ts";
import type { RecordCursor } from "./record-cursor.ts";
import type { TableReader } from "./table-reader.ts";

const noView = new DataView(new ArrayBuffer(0));
const noBytes = new Uint8Array(0);

/** A walk over one table. It holds the block it stands in, whatever the cache does. */
export class TableCursor implements RecordCursor {
  readonly #reader: TableReader;
  #block: Block | null = null;
  #blockAt = 0;
  #recordAt = 0;
  valid = false;
  bytes: Uint8Array = noBytes;
  view: DataView = noView;
  offset = 0;

  constructor(reader: TableReader) {
    this.#reader = reader;
  }

  seekFirst(): void {
    this.#enter(0);
    this.#stand(0);
  }

  seekLast(): void {
    const block = this.#enter(this.#reader.blockCount - 1);
    this.#stand(block.count - 1);
  }

  seek(family: number, key: Uint8Array): void {
    this.valid = false;
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
    if (block !== null && this.#recordAt + 1 < block.count) return this.#stand(this.#recordAt + 1);
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

  #enter(blockAt: number): Block {
    this.valid = false;
    if (this.#block !== null && this.#blockAt === blockAt) return this.#block;
    const block = this.#reader.blockAt(blockAt);
    this.#block = block;
    this.#blockAt = blockAt;
    this.bytes = block.bytes;
    this.view = block.view;
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
