// HOT: every scan over a level below the first.
import { assert } from "../assert.ts";
import type { RecordCursor } from "./record-cursor.ts";
import { compareBound } from "./table-meta.ts";
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
    const cursor = this.#enter(0);
    cursor.seekFirst();
    this.#show(cursor);
  }

  seekLast(): void {
    this.valid = false;
    const cursor = this.#enter(this.#tables.length - 1);
    cursor.seekLast();
    this.#show(cursor);
  }

  seek(family: number, key: Uint8Array): void {
    this.valid = false;
    const tableAt = firstReaching(this.#tables, family, key);
    if (tableAt === this.#tables.length) return;
    const cursor = this.#enter(tableAt);
    cursor.seek(family, key);
    assert(cursor.valid, "a table that ends at or after a key has a record there");
    this.#show(cursor);
  }

  next(): void {
    const cursor = this.#cursor;
    assert(this.valid, "a cursor moves only while it is valid");
    this.valid = false;
    cursor.next();
    if (cursor.valid) return this.#show(cursor);
    if (this.#tableAt + 1 === this.#tables.length) return;
    const following = this.#enter(this.#tableAt + 1);
    following.enterFirst();
    this.#show(following);
  }

  prev(): void {
    const cursor = this.#cursor;
    assert(this.valid, "a cursor moves only while it is valid");
    this.valid = false;
    cursor.prev();
    if (cursor.valid) return this.#show(cursor);
    if (this.#tableAt === 0) return;
    const preceding = this.#enter(this.#tableAt - 1);
    preceding.enterLast();
    this.#show(preceding);
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

/** Index of the first table whose largest key is not below (family, key); the number of tables if none. */
export function firstReaching(tables: readonly TableReader[], family: number, key: Uint8Array): number {
  let low = 0;
  let high = tables.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const table = tables[middle];
    assert(table !== undefined, "a search stays within its list");
    if (compareBound(table.properties.largest, family, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
