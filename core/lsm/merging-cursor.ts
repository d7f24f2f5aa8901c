// HOT: every scan over more than one source, and every compaction.
import { assert } from "../assert.ts";
import type { RecordCursor } from "./record-cursor.ts";
import { compareRecords } from "./record-order.ts";

const noView = new DataView(new ArrayBuffer(0));
const noBytes = new Uint8Array(0);

/**
 * Several cursors as one. Of records with equal (family, key, version) only the one of the first cursor in
 * `sources` is shown: put newer sources first.
 *
 * The valid sources stand in a list ordered by their records (ties: newer source first), so the front is the
 * current record, and a step moves the front source and sinks it to its new place: one comparison as long as
 * the same source goes on. Forward, every source stands at its first record at or after the current one;
 * backward, at its last record at or before it.
 */
export class MergingCursor implements RecordCursor {
  readonly #sources: readonly RecordCursor[];
  /** What each source shows, kept here so that comparing does not ask cursors of several classes. */
  readonly #sourceBytes: Uint8Array[];
  readonly #sourceViews: DataView[];
  readonly #sourceOffsets: number[];
  readonly #order: Int32Array;
  #orderCount = 0;
  /** 1: forward, -1: backward. */
  #direction = 1;
  valid = false;
  bytes: Uint8Array = noBytes;
  view: DataView = noView;
  offset = 0;

  constructor(sources: readonly RecordCursor[]) {
    this.#sources = sources;
    this.#sourceBytes = sources.map(() => noBytes);
    this.#sourceViews = sources.map(() => noView);
    this.#sourceOffsets = sources.map(() => 0);
    this.#order = new Int32Array(sources.length);
  }

  seekFirst(): void {
    this.valid = false;
    for (const source of this.#sources) source.seekFirst();
    this.#line(1);
  }

  seekLast(): void {
    this.valid = false;
    for (const source of this.#sources) source.seekLast();
    this.#line(-1);
  }

  seek(family: number, key: Uint8Array): void {
    this.valid = false;
    for (const source of this.#sources) source.seek(family, key);
    this.#line(1);
  }

  next(): void {
    assert(this.valid, "a cursor moves only while it is valid");
    this.valid = false;
    if (this.#direction !== 1) this.#turnForward();
    this.#pass();
  }

  prev(): void {
    assert(this.valid, "a cursor moves only while it is valid");
    this.valid = false;
    if (this.#direction !== -1) this.#turnBackward();
    this.#pass();
  }

  /** Only the current source passes: the others follow when they come to the front. */
  passForward(edge: Uint8Array, version: number): void {
    assert(this.valid, "a cursor moves only while it is valid");
    this.valid = false;
    if (this.#direction !== 1) this.#turnForward();
    const front = this.#order[0] as number;
    const source = this.#sources[front] as RecordCursor;
    source.passForward(edge, version);
    this.#settleFront(front, source);
    this.#show();
  }

  passBackward(edge: Uint8Array, version: number): void {
    assert(this.valid, "a cursor moves only while it is valid");
    this.valid = false;
    if (this.#direction !== -1) this.#turnBackward();
    const front = this.#order[0] as number;
    const source = this.#sources[front] as RecordCursor;
    source.passBackward(edge, version);
    this.#settleFront(front, source);
    this.#show();
  }

  release(): void {
    this.valid = false;
    for (const source of this.#sources) source.release();
    for (let i = 0; i < this.#sources.length; i++) {
      this.#sourceBytes[i] = noBytes;
      this.#sourceViews[i] = noView;
    }
    this.bytes = noBytes;
    this.view = noView;
  }

  /** Moves past the current record and all its duplicates. */
  #pass(): void {
    const front = this.#order[0] as number;
    this.#moveFront();
    // One source never repeats a record: only another one can.
    while (this.#orderCount > 0 && this.#order[0] !== front && this.#frontRepeats()) this.#moveFront();
    this.#show();
  }

  #frontRepeats(): boolean {
    const front = this.#order[0] as number;
    return (
      compareRecords(
        this.bytes, this.view, this.offset,
        this.#sourceBytes[front] as Uint8Array, this.#sourceViews[front] as DataView,
        this.#sourceOffsets[front] as number,
      ) === 0
    );
  }

  #moveFront(): void {
    const front = this.#order[0] as number;
    const source = this.#sources[front] as RecordCursor;
    if (this.#direction === 1) source.next();
    else source.prev();
    this.#settleFront(front, source);
  }

  /** The front source has moved: to its new place, or out. */
  #settleFront(front: number, source: RecordCursor): void {
    if (source.valid) {
      this.#note(front, source);
      this.#sink(0);
      return;
    }
    this.#order.copyWithin(0, 1, this.#orderCount);
    this.#orderCount--;
  }

  /** Every source stands where the direction wants it: puts the valid ones in order. */
  #line(direction: number): void {
    this.#direction = direction;
    this.#orderCount = 0;
    for (let i = this.#sources.length - 1; i >= 0; i--) {
      const source = this.#sources[i] as RecordCursor;
      if (!source.valid) continue;
      this.#note(i, source);
      this.#order.copyWithin(1, 0, this.#orderCount);
      this.#order[0] = i;
      this.#orderCount++;
      this.#sink(0);
    }
    this.#show();
  }

  /** The current source stays; the others stand at or after the current record and step before it. */
  #turnBackward(): void {
    const front = this.#order[0] as number;
    for (let i = 0; i < this.#sources.length; i++) {
      const source = this.#sources[i] as RecordCursor;
      if (i === front) continue;
      if (source.valid) source.prev();
      else source.seekLast();
    }
    this.#relineBehind(front, -1);
  }

  #turnForward(): void {
    const front = this.#order[0] as number;
    for (let i = 0; i < this.#sources.length; i++) {
      const source = this.#sources[i] as RecordCursor;
      if (i === front) continue;
      if (source.valid) source.next();
      else source.seekFirst();
    }
    this.#relineBehind(front, 1);
  }

  #relineBehind(front: number, direction: number): void {
    this.#line(direction);
    assert(this.#order[0] === front, "turning round does not change the current record");
  }

  /** Moves the entry at `at` back to its place; all behind it are in order. */
  #sink(at: number): void {
    const order = this.#order;
    const sinking = order[at] as number;
    let place = at;
    while (place + 1 < this.#orderCount && this.#isBefore(order[place + 1] as number, sinking)) {
      order[place] = order[place + 1] as number;
      place++;
    }
    order[place] = sinking;
  }

  #isBefore(a: number, b: number): boolean {
    const order = compareRecords(
      this.#sourceBytes[a] as Uint8Array, this.#sourceViews[a] as DataView, this.#sourceOffsets[a] as number,
      this.#sourceBytes[b] as Uint8Array, this.#sourceViews[b] as DataView, this.#sourceOffsets[b] as number,
    );
    return order === 0 ? a < b : order * this.#direction < 0;
  }

  #note(i: number, source: RecordCursor): void {
    this.#sourceBytes[i] = source.bytes;
    this.#sourceViews[i] = source.view;
    this.#sourceOffsets[i] = source.offset;
  }

  #show(): void {
    this.valid = this.#orderCount > 0;
    if (!this.valid) return;
    const front = this.#order[0] as number;
    this.bytes = this.#sourceBytes[front] as Uint8Array;
    this.view = this.#sourceViews[front] as DataView;
    this.offset = this.#sourceOffsets[front] as number;
  }
}
