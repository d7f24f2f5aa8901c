// HOT: every scan over a level below the first.
import { assert } from "../assert.ts";
import { compareKeys } from "../bytes/record.ts";
import type { RecordCursor } from "./record-cursor.ts";
import { compareBound, endsBefore } from "./table-meta.ts";
import type { Expectation, TableCursor } from "./table-cursor.ts";
import type { TableReader } from "./table-reader.ts";

const noView = new DataView(new ArrayBuffer(0));
const noBytes = new Uint8Array(0);

/** A walk over the tables of one sorted, disjoint level as one; it stands in one table at a time. */
export class LevelCursor implements RecordCursor {
  readonly #tables: readonly TableReader[];
  #tableAt = -1;
  /** One for all tables: what it pins outlasts the step from one into the next. */
  readonly #cursor: TableCursor;
  valid = false;
  bytes: Uint8Array = noBytes;
  view: DataView = noView;
  offset = 0;

  /** At least one table. */
  constructor(tables: readonly TableReader[]) {
    const [first] = tables;
    assert(first !== undefined, "a level that is walked has a table");
    this.#tables = tables;
    this.#cursor = first.cursor();
  }

  /** How far the next seek shall read ahead. */
  expect(expectation: Expectation): void {
    this.#cursor.expect(expectation);
  }

  seekFirst(): void {
    this.valid = false;
    this.#cursor.restart();
    this.#showFirstFrom(0);
  }

  seekLast(): void {
    this.valid = false;
    this.#cursor.restart();
    this.#showLastUpTo(this.#tables.length - 1);
  }

  seek(family: number, key: Uint8Array): void {
    this.valid = false;
    const tableAt = firstReaching(this.#tables, family, key);
    if (tableAt === this.#tables.length) return;
    const cursor = this.#enter(tableAt);
    cursor.seek(family, key);
    // A table can reach further than its records: by its range tombstones.
    if (cursor.valid) this.#show(cursor);
    else this.#showFirstFrom(tableAt + 1);
  }

  next(): void {
    const cursor = this.#cursor;
    assert(this.valid, "a cursor moves only while it is valid");
    this.valid = false;
    cursor.next();
    if (cursor.valid) this.#show(cursor);
    else this.#showFirstFrom(this.#tableAt + 1);
  }

  prev(): void {
    const cursor = this.#cursor;
    assert(this.valid, "a cursor moves only while it is valid");
    this.valid = false;
    cursor.prev();
    if (cursor.valid) this.#show(cursor);
    else this.#showLastUpTo(this.#tableAt - 1);
  }

  passForward(edge: Uint8Array, version: number): void {
    const cursor = this.#cursor;
    assert(this.valid, "a cursor moves only while it is valid");
    this.valid = false;
    let tableAt = this.#tableAt;
    while (tableAt < this.#tables.length && this.#isPassed(tableAt, version)) {
      if (!endsBefore((this.#tables[tableAt] as TableReader).properties, edge)) break;
      tableAt++;
    }
    if (tableAt !== this.#tableAt) return this.#showFirstFrom(tableAt);
    cursor.passForward(edge, version);
    if (cursor.valid) this.#show(cursor);
    else this.#showFirstFrom(tableAt + 1);
  }

  passBackward(edge: Uint8Array, version: number): void {
    const cursor = this.#cursor;
    assert(this.valid, "a cursor moves only while it is valid");
    this.valid = false;
    let tableAt = this.#tableAt;
    while (tableAt >= 0 && this.#isPassed(tableAt, version)) {
      if (compareKeys((this.#tables[tableAt] as TableReader).properties.smallest, edge) < 0) break;
      tableAt--;
    }
    if (tableAt !== this.#tableAt) return this.#showLastUpTo(tableAt);
    cursor.passBackward(edge, version);
    if (cursor.valid) this.#show(cursor);
    else this.#showLastUpTo(tableAt - 1);
  }

  /** All records of the table are older than `version`. */
  #isPassed(tableAt: number, version: number): boolean {
    return (this.#tables[tableAt] as TableReader).properties.pointMaxVersion < version;
  }

  /** The first record in the tables from `tableAt` on; tables may have none. */
  #showFirstFrom(tableAt: number): void {
    for (let at = tableAt; at < this.#tables.length; at++) {
      const cursor = this.#enter(at);
      cursor.enterFirst();
      if (cursor.valid) return this.#show(cursor);
    }
  }

  #showLastUpTo(tableAt: number): void {
    for (let at = tableAt; at >= 0; at--) {
      const cursor = this.#enter(at);
      cursor.enterLast();
      if (cursor.valid) return this.#show(cursor);
    }
  }

  release(): void {
    this.valid = false;
    this.#cursor.release();
    this.bytes = noBytes;
    this.view = noView;
  }

  #enter(tableAt: number): TableCursor {
    const table = this.#tables[tableAt];
    assert(table !== undefined, "a level's cursor stays within the level");
    this.#tableAt = tableAt;
    this.#cursor.attach(table);
    return this.#cursor;
  }

  #show(cursor: TableCursor): void {
    this.bytes = cursor.bytes;
    this.view = cursor.view;
    this.offset = cursor.offset;
    this.valid = true;
  }
}

/** Index of the first table that reaches (family, key) or beyond; the number of tables if none. */
export function firstReaching(tables: readonly TableReader[], family: number, key: Uint8Array): number {
  let low = 0;
  let high = tables.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const table = tables[middle];
    assert(table !== undefined, "a search stays within its list");
    const order = compareBound(table.properties.largest, family, key);
    if (order < 0 || (order === 0 && table.properties.largestExcluded)) low = middle + 1;
    else high = middle;
  }
  return low;
}
