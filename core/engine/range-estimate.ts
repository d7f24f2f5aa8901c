import { assert } from "../assert.ts";
import { compareKeys, readFamily, readKeyLength, recordHeaderBytes } from "../bytes/record.ts";
import type { Memtable } from "../lsm/memtable.ts";
import type { OpenTables } from "../lsm/open-tables.ts";
import { bound } from "../lsm/table-meta.ts";
import type { TableReader } from "../lsm/table-reader.ts";
import { invalidArgument } from "./failure.ts";
import type { Memtables } from "./memtables.ts";

/** Keys of one column family from `start` on and below `end`; null: to the end of the family. */
export interface KeyRange {
  readonly family: number;
  readonly start: Uint8Array;
  readonly end: Uint8Array | null;
}

/** What a range takes, superseded and deleted records included. Exact to a block per table. */
export interface RangeSize {
  /** Of the files. */
  readonly tableBytes: number;
  /** Of the arenas, by a sample. */
  readonly memtableBytes: number;
  /** In tables and memory. */
  readonly records: number;
}

/** Records of a memtable that are looked at. */
const memtableSampleMax = 256;
/** Keys that one table contributes to a sample. */
const tableSampleMax = 1024;
/** Keys that a caller may ask for. */
const sampleKeysMax = 65_536;

interface Weighted {
  /** A bound: family byte, then key. */
  readonly key: Uint8Array;
  readonly bytes: number;
}

/** How much data lies in a range, from indexes and samples alone: no block is read. */
export class RangeEstimate {
  readonly #memtables: Memtables;
  readonly #tables: OpenTables;

  constructor(memtables: Memtables, tables: OpenTables) {
    this.#memtables = memtables;
    this.#tables = tables;
  }

  size(range: KeyRange): RangeSize {
    checkRange(range);
    let tableBytes = 0;
    let records = 0;
    for (const table of this.#tables.readers()) {
      const bytes = bytesWithin(table, range);
      const { sizeBytes, recordCount } = table.properties;
      tableBytes += bytes;
      records += Math.round((bytes * recordCount) / sizeBytes);
    }
    let memtableBytes = 0;
    for (const { memtable, segment } of this.#memtables.all()) {
      const sample = memtable.sampleOffsets(memtableSampleMax);
      if (sample.length === 0) continue;
      const within = keysWithin(memtable, sample, range).length;
      memtableBytes += Math.round((segment.endBytes * within) / sample.length);
      records += Math.round((memtable.count * within) / sample.length);
    }
    return { tableBytes, memtableBytes, records };
  }

  /**
   * At most `count` distinct keys that divide the range into parts of about equal size, ascending, none of
   * them the first key of the range. Empty when there is too little to divide.
   */
  sampleKeys(range: KeyRange, count: number): Uint8Array[] {
    checkRange(range);
    if (!Number.isSafeInteger(count) || count < 1 || count > sampleKeysMax) {
      throw invalidArgument(`a sample of ${count} keys; it must be an integer from 1 to ${sampleKeysMax}`);
    }
    const weighted: Weighted[] = [];
    for (const table of this.#tables.readers()) sampleTable(table, range, weighted);
    for (const { memtable, segment } of this.#memtables.all()) {
      const sample = memtable.sampleOffsets(memtableSampleMax);
      const bytes = segment.endBytes / Math.max(1, sample.length);
      for (const key of keysWithin(memtable, sample, range)) weighted.push({ key, bytes });
    }
    weighted.sort((a, b) => compareKeys(a.key, b.key));
    return divide(weighted, bound(range.family, range.start), count);
  }
}

function checkRange(range: KeyRange): void {
  if (range.end === null || compareKeys(range.start, range.end) < 0) return;
  throw invalidArgument("a range begins below its end");
}

function bytesWithin(table: TableReader, range: KeyRange): number {
  const from = table.dataOffset(range.family, range.start);
  const to = endOffset(table, range);
  assert(from <= to, "offsets in a table go up with its keys");
  return to - from;
}

function endOffset(table: TableReader, range: KeyRange): number {
  if (range.end !== null) return table.dataOffset(range.family, range.end);
  return table.dataOffset(range.family + 1, new Uint8Array(0));
}

function sampleTable(table: TableReader, range: KeyRange, into: Weighted[]): void {
  const first = table.searchBlock(range.family, range.start);
  const { end } = range;
  const behind =
    end === null ? table.searchBlock(range.family + 1, new Uint8Array(0)) : table.searchBlock(range.family, end);
  const blocks = behind - first;
  if (blocks < 1) return;
  const step = Math.ceil(blocks / tableSampleMax);
  const bytes = (bytesWithin(table, range) * step) / blocks;
  for (let i = first; i < behind; i += step) into.push({ key: table.lastOf(i), bytes });
}

function keysWithin(memtable: Memtable, sample: Uint32Array, range: KeyRange): Uint8Array[] {
  const { arena, view } = memtable;
  const keys: Uint8Array[] = [];
  const start = bound(range.family, range.start);
  const end = range.end === null ? Uint8Array.of(range.family + 1) : bound(range.family, range.end);
  for (const offset of sample) {
    const keyStart = offset + recordHeaderBytes;
    const bytes = arena.slice(keyStart, keyStart + readKeyLength(view, offset));
    const key = bound(readFamily(view, offset), bytes);
    if (compareKeys(key, start) >= 0 && compareKeys(key, end) < 0) keys.push(key);
  }
  return keys;
}

/** The keys at which the running sum of bytes passes each of `count` equal steps. */
function divide(weighted: readonly Weighted[], start: Uint8Array, count: number): Uint8Array[] {
  const total = weighted.reduce((sum, { bytes }) => sum + bytes, 0);
  const keys: Uint8Array[] = [];
  let sum = 0;
  let last = start;
  for (const { key, bytes } of weighted) {
    sum += bytes;
    const due = keys.length < count && sum * (count + 1) >= total * (keys.length + 1);
    if (!due || compareKeys(key, last) <= 0) continue;
    last = key;
    keys.push(key.slice(1));
  }
  return keys;
}
