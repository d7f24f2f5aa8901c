// HOT: every record of a replica's scan.
import type { ByteSlab } from "../bytes/byte-slab.ts";
import {
  readExpiresAtMs,
  readFamily,
  readKeyLength,
  readKind,
  readValueLength,
  readVersion,
  recordHeaderBytes,
  recordKind,
} from "../bytes/record.ts";
import { MergingCursor } from "../lsm/merging-cursor.ts";
import type { RangeWalk } from "../lsm/range-walk.ts";
import type { RecordCursor } from "../lsm/record-cursor.ts";
import { compareRecordKeys, compareRecordToKey } from "../lsm/record-order.ts";
import type { ValueFiles } from "../vlog/value-files.ts";
import { walkRanges } from "./range-view.ts";
import type { TableSet } from "./table-set.ts";
import type { VersionedEntry, VersionedScan } from "./versioned-store.ts";
import type { WritePath } from "./write-path.ts";

/** What a scan reads from. */
export interface ScanSources {
  readonly write: WritePath;
  readonly tables: TableSet;
  readonly slab: ByteSlab;
}

/** See `VersionedStore.scan`. In one go, so nothing has to be held. */
export function scanVersioned({ write, tables, slab }: ScanSources, wish: VersionedScan): VersionedEntry[] {
  const { memtables } = write;
  const { current } = tables;
  const cursor = new MergingCursor([
    ...memtables.all().map(({ memtable }) => memtable.cursor()),
    ...current.cursors(wish.limit, false),
  ]);
  try {
    const ranges = walkRanges(memtables, current, wish.versionMax);
    return new Walk(cursor, ranges, tables.values, slab).run(wish);
  } finally {
    cursor.release();
  }
}

class Walk {
  readonly #cursor: RecordCursor;
  readonly #ranges: RangeWalk | null;
  readonly #values: ValueFiles;
  readonly #slab: ByteSlab;

  // oxlint-disable-next-line max-params
  constructor(cursor: RecordCursor, ranges: RangeWalk | null, values: ValueFiles, slab: ByteSlab) {
    this.#cursor = cursor;
    this.#ranges = ranges;
    this.#values = values;
    this.#slab = slab;
  }

  run({ family, start, end, versionMax, limit, live }: VersionedScan): VersionedEntry[] {
    const cursor = this.#cursor;
    const entries: VersionedEntry[] = [];
    cursor.seek(family, start);
    while (cursor.valid && entries.length < limit) {
      const { bytes, view, offset } = cursor;
      if (readFamily(view, offset) !== family) break;
      if (end !== null && compareRecordToKey(bytes, view, offset, family, end) >= 0) break;
      if (readVersion(view, offset) > versionMax) {
        cursor.next();
        continue;
      }
      const entry = this.#entry(live);
      if (entry !== null) entries.push(entry);
      this.#passKey();
    }
    return entries;
  }

  /** The current record as an entry; null: `live` passes it over. */
  #entry(live: boolean): VersionedEntry | null {
    const { bytes, view, offset } = this.#cursor;
    const version = readVersion(view, offset);
    const cover = this.#ranges === null ? 0 : this.#ranges.coverOf(bytes, view, offset);
    const dead = cover > version || readKind(view, offset) === recordKind.tombstone;
    if (dead && live) return null;
    const keyAt = offset + recordHeaderBytes;
    const valueAt = keyAt + readKeyLength(view, offset);
    const key = this.#slab.copy(bytes, keyAt, valueAt);
    if (dead) return { key, version: Math.max(version, cover), value: null, expiresAtMs: 0 };
    const value =
      readKind(view, offset) === recordKind.pointer
        ? this.#values.read(bytes, view, offset)
        : this.#slab.copy(bytes, valueAt, valueAt + readValueLength(view, offset));
    return { key, version, value, expiresAtMs: readExpiresAtMs(view, offset) };
  }

  /** To the first record of the next key. What was shown before a move is readable until the next one. */
  #passKey(): void {
    const cursor = this.#cursor;
    for (;;) {
      const { bytes, view, offset } = cursor;
      cursor.next();
      if (!cursor.valid) return;
      if (compareRecordKeys(bytes, view, offset, cursor.bytes, cursor.view, cursor.offset) !== 0) return;
    }
  }
}
