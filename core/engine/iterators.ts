import type { ByteSlab } from "../bytes/byte-slab.ts";
import { MergingCursor } from "../lsm/merging-cursor.ts";
import type { HybridClock } from "./hybrid-clock.ts";
import { checkIteratorOptions, EngineIterator, type IteratorOptions } from "./iterator.ts";
import { walkRanges } from "./range-view.ts";
import type { Pins } from "./snapshot.ts";
import type { TableSet } from "./table-set.ts";
import type { WritePath } from "./write-path.ts";

/** The iterators of one engine: each holds the memtables and tables that were in use when it was made. */
export class Iterators {
  readonly #write: WritePath;
  readonly #tables: TableSet;
  readonly #clock: HybridClock;
  readonly #slab: ByteSlab;
  readonly #open = new Set<EngineIterator>();

  // oxlint-disable-next-line max-params
  constructor(write: WritePath, tables: TableSet, clock: HybridClock, slab: ByteSlab) {
    this.#write = write;
    this.#tables = tables;
    this.#clock = clock;
    this.#slab = slab;
  }

  /** Those that nobody has closed. */
  get count(): number {
    return this.#open.size;
  }

  /** `pins`: those that a snapshot among the options must be one of. */
  open(options: IteratorOptions, pins: Pins): EngineIterator {
    checkIteratorOptions(options);
    const snapshot = options.snapshot ?? null;
    if (snapshot !== null) snapshot.check(pins);
    const tables = this.#tables.current.retain();
    const { memtables } = this.#write;
    const held = memtables.hold();
    const newest = options.latest === true ? this.#write.pendingVersion : this.#write.visibleVersion;
    const version = snapshot === null ? newest : snapshot.version;
    const inTables = tables.cursors(Math.max(0, options.limit ?? 0), options.reverse === true);
    const iterator = new EngineIterator(
      {
        cursor: new MergingCursor([...held.map((memory) => memory.memtable.cursor()), ...inTables]),
        ranges: walkRanges(memtables, tables, version),
        version,
        nowMs: snapshot === null ? this.#clock.nowMs() : snapshot.readAtMs,
        slab: this.#slab,
        values: this.#tables.values,
        release: (released) => {
          this.#open.delete(released);
          tables.release();
          memtables.release(held);
        },
      },
      options,
    );
    this.#open.add(iterator);
    return iterator;
  }

  /** The engine closes: none shows anything any more. */
  invalidate(): void {
    for (const iterator of this.#open) iterator.invalidate();
  }
}
