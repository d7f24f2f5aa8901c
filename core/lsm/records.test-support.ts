/** Record images for tests: building them, reading them back, and the reference order. */
import fc from "fast-check";
import {
  compareKeys, readExpiresAtMs, readFamily, readKeyLength, readKind, readValueLength, readVersion,
  recordBytes, recordHeaderBytes, recordKind, writeExpiresAtMs, writeVersion,
} from "../bytes/record.ts";
import type { RecordCursor } from "./record-cursor.ts";

export interface PlainRecord {
  readonly family: number;
  readonly key: Uint8Array;
  readonly version: number;
  /** Null: a tombstone. */
  readonly value: Uint8Array | null;
  readonly expiresAtMs: number;
}

export class Arena {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Not zero, as a segment's header comes first. */
  end = 32;

  constructor(sizeBytes: number) {
    this.bytes = new Uint8Array(sizeBytes);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Appends the image and returns its offset. */
  append(record: PlainRecord): number {
    const { view } = this;
    const offset = this.end;
    const valueLength = record.value?.length ?? 0;
    view.setUint32(offset, valueLength, true);
    view.setUint16(offset + 4, record.key.length, true);
    view.setUint8(offset + 6, record.value === null ? recordKind.tombstone : recordKind.value);
    view.setUint8(offset + 7, record.family);
    writeVersion(view, offset, record.version);
    writeExpiresAtMs(view, offset, record.expiresAtMs);
    this.bytes.set(record.key, offset + recordHeaderBytes);
    if (record.value !== null) this.bytes.set(record.value, offset + recordHeaderBytes + record.key.length);
    this.end += recordBytes(record.key.length, valueLength);
    return offset;
  }
}

export function arenaFor(records: readonly PlainRecord[]): Arena {
  let size = 64;
  for (const record of records) size += recordBytes(record.key.length, record.value?.length ?? 0);
  return new Arena(size);
}

export function readRecord(bytes: Uint8Array, view: DataView, offset: number): PlainRecord {
  const keyStart = offset + recordHeaderBytes;
  const valueStart = keyStart + readKeyLength(view, offset);
  const isValue = readKind(view, offset) === recordKind.value;
  return {
    family: readFamily(view, offset),
    key: bytes.slice(keyStart, valueStart),
    version: readVersion(view, offset),
    value: isValue ? bytes.slice(valueStart, valueStart + readValueLength(view, offset)) : null,
    expiresAtMs: readExpiresAtMs(view, offset),
  };
}

export function currentRecord(cursor: RecordCursor): PlainRecord {
  return readRecord(cursor.bytes, cursor.view, cursor.offset);
}

export function compareKeyOrder(a: PlainRecord, b: PlainRecord): number {
  return a.family - b.family || compareKeys(a.key, b.key);
}

export function compareRecordOrder(a: PlainRecord, b: PlainRecord): number {
  return compareKeyOrder(a, b) || b.version - a.version;
}

/** Sorted, and of equal (family, key, version) only the last one given. */
export function sortedUnique(records: readonly PlainRecord[]): PlainRecord[] {
  const latest = new Map<string, PlainRecord>();
  for (const record of records) latest.set(`${record.family}/${record.key.join()}/${record.version}`, record);
  return [...latest.values()].sort(compareRecordOrder);
}

export function listForward(cursor: RecordCursor): PlainRecord[] {
  const records: PlainRecord[] = [];
  for (cursor.seekFirst(); cursor.valid; cursor.next()) records.push(currentRecord(cursor));
  return records;
}

export function listBackward(cursor: RecordCursor): PlainRecord[] {
  const records: PlainRecord[] = [];
  for (cursor.seekLast(); cursor.valid; cursor.prev()) records.push(currentRecord(cursor));
  return records.reverse();
}

/** Newest record of the key up to `version`, of a list in record order. */
export function newestUpTo(
  sorted: readonly PlainRecord[],
  family: number,
  key: Uint8Array,
  version: number,
): PlainRecord | null {
  const found = sorted.find(
    (record) => record.family === family && compareKeys(record.key, key) === 0 && record.version <= version,
  );
  return found ?? null;
}

/** Few keys, many of them prefixes of each other or alike up to a late byte. */
export const keyArbitrary: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.uint8Array({ maxLength: 3 }),
  fc.array(fc.constantFrom(0, 1, 255), { maxLength: 4 }).map((bytes) => Uint8Array.from(bytes)),
  fc.nat(30).map((n) => new TextEncoder().encode(String(n).padStart(16, "0"))),
);

/** Records in order of arrival: versions rise or, within a batch, stay. */
export function recordsArbitrary(maxLength: number): fc.Arbitrary<PlainRecord[]> {
  const one = fc.record({
    family: fc.constantFrom(0, 0, 0, 1, 2),
    key: keyArbitrary,
    // The last ones move the high word of a version, one of them against the low word.
    step: fc.constantFrom(0, 1, 1, 3, 0x1_0000_0001, 0xffff_fff0),
    value: fc.option(fc.uint8Array({ maxLength: 40 }), { freq: 3 }),
    expiresAtMs: fc.constantFrom(0, 0, 5, 0x1_0000_0007),
  });
  return fc.array(one, { maxLength }).map((steps) => {
    let version = 1;
    return steps.map(({ step, ...rest }) => {
      version += step;
      return { ...rest, version, expiresAtMs: rest.value === null ? 0 : rest.expiresAtMs };
    });
  });
}

export type Move = "first" | "last" | "next" | "prev" | { readonly family: number; readonly key: Uint8Array };

export const movesArbitrary: fc.Arbitrary<Move[]> = fc.array(
  fc.oneof(
    fc.constantFrom<Move>("first", "last", "next", "next", "next", "prev", "prev", "prev"),
    fc.record({ family: fc.constantFrom(0, 1, 2, 3), key: keyArbitrary }),
  ),
  { maxLength: 60 },
);

/**
 * Makes every move on the cursor and on a plain index into `sorted`; returns the first difference, or null.
 */
export function firstDifference(
  cursor: RecordCursor,
  sorted: readonly PlainRecord[],
  moves: readonly Move[],
): string | null {
  let at = -1;
  for (const move of moves) {
    const stepping = move === "next" || move === "prev";
    if (stepping && (at < 0 || at >= sorted.length)) continue;
    at = applyMove(cursor, sorted, move, at);
    const expected = sorted[at];
    if (cursor.valid !== (expected !== undefined)) return `${JSON.stringify(move)}: valid is ${cursor.valid}`;
    if (expected === undefined) continue;
    const shown = currentRecord(cursor);
    if (compareRecordOrder(shown, expected) !== 0 || !sameContent(shown, expected)) {
      return `${JSON.stringify(move)}: shows ${JSON.stringify(shown)}, not ${JSON.stringify(expected)}`;
    }
  }
  return null;
}

function applyMove(
  cursor: RecordCursor,
  sorted: readonly PlainRecord[],
  move: Move,
  at: number,
): number {
  switch (move) {
    case "first":
      cursor.seekFirst();
      return 0;
    case "last":
      cursor.seekLast();
      return sorted.length - 1;
    case "next":
      cursor.next();
      return at + 1;
    case "prev":
      cursor.prev();
      return at - 1;
    default: {
      cursor.seek(move.family, move.key);
      const wanted = { ...move, version: Number.MAX_SAFE_INTEGER, value: null, expiresAtMs: 0 };
      const found = sorted.findIndex((record) => compareKeyOrder(record, wanted) >= 0);
      return found < 0 ? sorted.length : found;
    }
  }
}

function sameContent(a: PlainRecord, b: PlainRecord): boolean {
  if (a.expiresAtMs !== b.expiresAtMs) return false;
  if (a.value === null || b.value === null) return a.value === b.value;
  return compareKeys(a.value, b.value) === 0;
}
