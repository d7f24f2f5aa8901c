import { readKeyLength, readVersion, recordHeaderBytes } from "../bytes/record.ts";
import type { Disk } from "../env/disk.ts";
import { corruption, type NokvError } from "../errors.ts";
import { runsOf } from "./compaction-picker.ts";
import { JobTables } from "./job-tables.ts";
import type { LevelCursor } from "./level-cursor.ts";
import { RangeTombstones } from "./range-tombstones.ts";
import { compareRecordKeys } from "./record-order.ts";
import { boundOf } from "./table-check.ts";
import { viewOf } from "./table-format.ts";
import { endsBefore, type TableMeta, tablePath } from "./table-meta.ts";

/** Of nearly all tables; others take memory of their own. */
const blockBytes = 4096;

/** One sorted run of tables under examination. */
interface Run {
  readonly tables: readonly TableMeta[];
  readonly cursor: LevelCursor;
  readonly ranges: RangeTombstones;
  /** Of `ranges`: where the last key lay. */
  interval: number;
  /** Once is enough: one table in the wrong level holds many keys. */
  told: boolean;
}

/**
 * Whether for each key everything in a level is newer than everything further down, which is what reads trust that
 * stop at the first record they find, and merges that drop what has nothing older below. Range tombstones count at
 * every key that some record has. Walks the runs of all tables side by side, one block of each in memory, and tells
 * `note` of each run that holds a record or a range tombstone as new as one above it, with the table and the versions.
 */
export class OrderCheck {
  readonly #directory: string;
  readonly #note: (error: NokvError) => void;
  readonly #tables: JobTables;
  /** The newest first. */
  readonly #runs: Run[] = [];

  /** `tables` are those of one version; `close` gives them back. Throws `NOKV_CORRUPTION`, `NOKV_IO`. */
  // oxlint-disable-next-line max-params
  constructor(disk: Disk, directory: string, tables: readonly TableMeta[], note: (error: NokvError) => void) {
    this.#directory = directory;
    this.#note = note;
    this.#tables = new JobTables(disk, directory, tables, blockBytes);
    const runs = runsOf(tables);
    // Nothing lies above or below.
    if (runs.length < 2) return;
    try {
      for (const run of runs) this.#runs.push(this.#open(run));
      for (const { cursor } of this.#runs) cursor.seekFirst();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #open(tables: readonly TableMeta[]): Run {
    const ranges = RangeTombstones.ofFragments(this.#tables.ranges(tables));
    return { tables, cursor: this.#tables.runCursor(tables), ranges, interval: -1, told: false };
  }

  /** Works through about `budgetBytes` of keys; false when all is done. Throws as the constructor does. */
  step(budgetBytes: number): boolean {
    let leftBytes = budgetBytes;
    while (leftBytes > 0) {
      const first = this.#least();
      if (first < 0) return false;
      leftBytes -= this.#checkKey(first);
    }
    return true;
  }

  close(): void {
    this.#tables.close();
  }

  /** The first of the runs that stand at the least key; -1: all are at their end. */
  #least(): number {
    let least: LevelCursor | null = null;
    let at = -1;
    for (const [i, { cursor }] of this.#runs.entries()) {
      if (!cursor.valid) continue;
      if (least === null || compareKeysAt(cursor, least) < 0) {
        least = cursor;
        at = i;
      }
    }
    return at;
  }

  /** Passes by the least key in every run. Bytes of what was passed, without values. */
  #checkKey(first: number): number {
    const run = this.#runs[first];
    if (run === undefined) return 1;
    const head = headAt(run.cursor);
    const view = viewOf(head);
    let passedBytes = 0;
    let floor = Number.MAX_SAFE_INTEGER;
    let above = run;
    // Runs that do not have the key may hide it.
    for (const below of this.#runs) {
      const { cursor, ranges } = below;
      let oldest = floor;
      if (ranges.count > 0) {
        below.interval = ranges.intervalOf(head, view, 0, below.interval);
        const newest = ranges.coverOfInterval(below.interval, Number.MAX_SAFE_INTEGER);
        if (newest >= floor) this.#fault(below, above, head, [newest, floor]);
        if (newest > 0) oldest = Math.min(oldest, ranges.leastAbove(below.interval, 0));
      }
      while (cursor.valid && compareRecordKeys(cursor.bytes, cursor.view, cursor.offset, head, view, 0) === 0) {
        const version = readVersion(cursor.view, cursor.offset);
        if (version >= floor) this.#fault(below, above, head, [version, floor]);
        if (version < oldest) oldest = version;
        passedBytes += head.length;
        cursor.next();
      }
      if (oldest === floor) continue;
      floor = oldest;
      above = below;
    }
    return passedBytes;
  }

  // oxlint-disable-next-line max-params
  #fault(below: Run, above: Run, head: Uint8Array, [version, floor]: readonly [number, number]): void {
    if (below.told) return;
    below.told = true;
    const upper = tablePath(this.#directory, tableWith(above, head).number);
    const lower = tablePath(this.#directory, tableWith(below, head).number);
    const what = `version ${version} of a key lies below its version ${floor} in ${upper}: levels are out of order`;
    this.#note(corruption(lower, 0, what));
  }
}

/** Which table of the run holds the key of the record image `head`. */
function tableWith(run: Run, head: Uint8Array): TableMeta {
  const key = boundOf(head);
  return run.tables.find((table) => !endsBefore(table, key)) ?? (run.tables[0] as TableMeta);
}

function compareKeysAt(a: LevelCursor, b: LevelCursor): number {
  return compareRecordKeys(a.bytes, a.view, a.offset, b.bytes, b.view, b.offset);
}

/** A copy of the record's head and key. */
function headAt({ bytes, view, offset }: LevelCursor): Uint8Array {
  return bytes.slice(offset, offset + recordHeaderBytes + readKeyLength(view, offset));
}
