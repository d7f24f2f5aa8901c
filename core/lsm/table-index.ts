// HOT: one search per table and point read.
import {
  compareKeys, readFamily, readKeyLength, readValueLength, recordHeaderBytes,
} from "../bytes/record.ts";
import { assert } from "../assert.ts";
import { corruption } from "../errors.ts";
import { Block, blockFault } from "./block.ts";
import { indexValueBytes } from "./block-builder.ts";
import { compareRecords } from "./record-order.ts";
import { readU53, sectionBytesMax, tableHeaderBytes } from "./table-format.ts";
import type { TableLayout } from "./table-format.ts";
import { bound } from "./table-meta.ts";
import type { TableProperties } from "./table-meta.ts";

/** Where every block of a table is, and the last record of each. */
export class TableIndex {
  readonly blockCount: number;
  /** Null: there is no block. */
  readonly #entries: Block | null;
  /** Where each block begins, and behind the last one where the blocks end. */
  readonly #offsets: Float64Array;
  readonly #rawBytes: Uint32Array;

  private constructor(entries: Block | null) {
    this.#entries = entries;
    this.blockCount = entries === null ? 0 : entries.count;
    this.#offsets = new Float64Array(this.blockCount + 1);
    this.#rawBytes = new Uint32Array(this.blockCount);
  }

  /** `bytes` passed their checksum. Blocks must fill the file from the header to the points without a gap. */
  static parse(bytes: Uint8Array, layout: TableLayout, path: string): TableIndex {
    const block = new Block(bytes);
    const fault = bytes.length === 0 ? null : blockFault(block.view, 0, bytes.length);
    if (fault !== null) throw corruption(path, layout.index, `table index: ${fault}`);
    const index = new TableIndex(bytes.length === 0 ? null : block.hold(bytes.length, 0));
    let expected = tableHeaderBytes;
    for (let i = 0; i < index.blockCount; i++) {
      if (!index.#hasPlace(i)) throw corruption(path, layout.index, "table index: an entry without a place");
      const place = index.#placeAt(i);
      const offset = readU53(block.view, place);
      if (offset !== expected) throw corruption(path, layout.index, "table index: a gap");
      index.#offsets[i] = offset;
      // Before any use of the lengths: memory is taken for them.
      const storedBytes = block.view.getUint32(place + 8, true);
      const rawBytes = block.view.getUint32(place + 12, true);
      if (rawBytes > sectionBytesMax || rawBytes < storedBytes) {
        throw corruption(path, layout.index, "table index: a block of impossible length");
      }
      index.#rawBytes[i] = rawBytes;
      expected += storedBytes;
    }
    index.#offsets[index.blockCount] = expected;
    if (expected !== layout.points) throw corruption(path, layout.index, "table index: blocks end elsewhere");
    return index;
  }

  get #block(): Block {
    assert(this.#entries !== null, "an index is asked for blocks that there are");
    return this.#entries;
  }

  /** First block whose last record is at or after (family, key, version); `blockCount` if none. */
  search(family: number, key: Uint8Array, version: number): number {
    return this.#entries === null ? 0 : this.#entries.search(family, key, version);
  }

  blockOffset(i: number): number {
    return this.#offsets[i] as number;
  }

  /** The first block that begins at `offset` or behind it; `blockCount` if none does. */
  blockFrom(offset: number): number {
    let low = 0;
    let high = this.blockCount;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.blockOffset(middle) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Length in the file. */
  blockBytes(i: number): number {
    return (this.#offsets[i + 1] as number) - (this.#offsets[i] as number);
  }

  /** Length in memory: larger than that in the file exactly when the block is compressed. */
  blockRawBytes(i: number): number {
    return this.#rawBytes[i] as number;
  }

  /** Of all blocks, in memory. */
  get rawBytes(): number {
    let bytes = 0;
    for (let i = 0; i < this.blockCount; i++) bytes += this.blockRawBytes(i);
    return bytes;
  }

  /** Whether the record at `offset`, the last one of block `i`, is the one that the index has for it. */
  endsWith(i: number, bytes: Uint8Array, view: DataView, offset: number): boolean {
    const index = this.#block;
    return compareRecords(index.bytes, index.view, index.offsetAt(i), bytes, view, offset) === 0;
  }

  /** Whether the table's last record is where its properties say; range tombstones may reach further. */
  agreesWith(properties: TableProperties): boolean {
    if (this.blockCount === 0) return properties.recordCount === 0;
    const order = compareKeys(this.#largest(), properties.largest);
    return properties.largestExcluded ? order < 0 : order === 0;
  }

  /** The table's last (family, key). */
  #largest(): Uint8Array {
    return this.lastOf(this.blockCount - 1);
  }

  /** The last (family, key) of block `i`, as a bound. */
  lastOf(i: number): Uint8Array {
    const { bytes, view } = this.#block;
    const offset = this.#block.offsetAt(i);
    const keyStart = offset + recordHeaderBytes;
    return bound(readFamily(view, offset), bytes.subarray(keyStart, keyStart + readKeyLength(view, offset)));
  }

  #hasPlace(i: number): boolean {
    return readValueLength(this.#block.view, this.#block.offsetAt(i)) === indexValueBytes;
  }

  #placeAt(i: number): number {
    const offset = this.#block.offsetAt(i);
    return offset + recordHeaderBytes + readKeyLength(this.#block.view, offset);
  }
}
