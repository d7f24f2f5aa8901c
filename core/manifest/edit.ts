import { assert } from "../assert.ts";
import { keyLengthMax, versionMax } from "../bytes/record.ts";
import type { TableMeta } from "../lsm/table-meta.ts";
import type { ValueFileMeta, ValueRef } from "../vlog/value-file.ts";
import { decodeGate, encodeGate, type FormatGate, gateBytes } from "./format-gate.ts";

/**
 * One step of a database's structure, the payload of one manifest frame. All integers are little-endian;
 * u64 is two u32, low first, below 2^53.
 *
 *     0   kind          u32   1: base, the whole state and always the first; 2: change; 3 and 4: the same, with a gate
 *     4   logNumber     u32   WAL segments below it are obsolete
 *     8   nextFile      u64   no file of this or a higher number was ever named
 *     16  lastVersion   u64   no version up to this one is ever given out again
 *     24  closedBytes   u32   sealed length of the newest segment of a database closed in order; else 0
 *     28  listedCount   u32
 *     32  removedCount  u32
 *     36  addedCount    u32
 *     40  valuesRemovedCount u32
 *     44  valuesAddedCount   u32
 *     48  listed        u32 each: WAL segments that are durable, and every segment before them
 *         removed       u32 each: numbers of tables
 *         added         per table: number u32, level u32, smallestBytes u32, largestBytes u32, sizeBytes
 *                       u64, recordCount u64, tombstoneCount u64, expiringCount u64, minVersion u64,
 *                       maxVersion u64, rawBytes u64, rangeTombstoneCount u64, pointMaxVersion u64,
 *                       staleAtMs u64, codec u32, refCount u32, flags u32 (1: largest is excluded), smallest,
 *                       largest, zeros up to a multiple of 4, then per value file it points into: number u32,
 *                       records u64, bytes u64
 *         valuesRemoved u32 each: numbers of value files
 *         valuesAdded   per value file: number u32, kind u32 (1: log, 2: values), sizeBytes u64,
 *                       separableBytes u64
 *         gate          of kinds 3 and 4: mode u32 (1 + place in `gateModes`), idBytes u32, id, zeros up to a
 *                       multiple of 4
 */
export interface ManifestEdit {
  readonly kind: "base" | "change";
  readonly logNumber: number;
  readonly nextFile: number;
  readonly lastVersion: number;
  readonly closedBytes: number;
  readonly listed: readonly number[];
  /** Tables that leave, before `added` is looked at: a table may change its level in one edit. */
  readonly removed: readonly number[];
  readonly added: readonly TableMeta[];
  /** Value files that no table points into any more, and those that the added tables are the first to. */
  readonly valuesRemoved: readonly number[];
  readonly valuesAdded: readonly ValueFileMeta[];
  /** Null: a standalone database in a base, nothing new in a change. Programs of before the gate refuse the others. */
  readonly gate: FormatGate | null;
}

const kindCode = { base: 1, change: 2 } as const;
const gatedKindCode = { base: 3, change: 4 } as const;
const valueKindCode = { log: 1, values: 2 } as const;
const fixedBytes = 48;
const integerCount = 10;
const codecAt = 16 + 8 * integerCount;
const refCountAt = codecAt + 4;
const flagsAt = refCountAt + 4;
const tableFixedBytes = flagsAt + 4;
const flagLargestExcluded = 1;
const valueRefBytes = 20;
const valueFileBytes = 24;
const boundBytesMax = 1 + keyLengthMax;
const twoTo32 = 0x1_0000_0000;

export function editBytes(edit: ManifestEdit): number {
  let bytes = fixedBytes + 4 * (edit.listed.length + edit.removed.length + edit.valuesRemoved.length);
  for (const table of edit.added) bytes += tableBytes(table);
  return bytes + valueFileBytes * edit.valuesAdded.length + (edit.gate === null ? 0 : gateBytes(edit.gate));
}

/** Writes `editBytes(edit)` bytes at `offset`. */
export function encodeEdit(edit: ManifestEdit, bytes: Uint8Array, view: DataView, offset: number): void {
  view.setUint32(offset, (edit.gate === null ? kindCode : gatedKindCode)[edit.kind], true);
  view.setUint32(offset + 4, edit.logNumber, true);
  writeU64(view, offset + 8, edit.nextFile);
  writeU64(view, offset + 16, edit.lastVersion);
  view.setUint32(offset + 24, edit.closedBytes, true);
  view.setUint32(offset + 28, edit.listed.length, true);
  view.setUint32(offset + 32, edit.removed.length, true);
  view.setUint32(offset + 36, edit.added.length, true);
  view.setUint32(offset + 40, edit.valuesRemoved.length, true);
  view.setUint32(offset + 44, edit.valuesAdded.length, true);
  let at = offset + fixedBytes;
  at = writeNumbers(edit.listed, view, at);
  at = writeNumbers(edit.removed, view, at);
  for (const table of edit.added) {
    encodeTable(table, bytes, view, at);
    at += tableBytes(table);
  }
  at = writeNumbers(edit.valuesRemoved, view, at);
  for (const file of edit.valuesAdded) {
    encodeValueFile(file, view, at);
    at += valueFileBytes;
  }
  if (edit.gate !== null) {
    encodeGate(edit.gate, bytes, view, at);
    at += gateBytes(edit.gate);
  }
  assert(at === offset + editBytes(edit), "an edit takes the bytes it said");
}

/**
 * The edit in `bytes[start, end)`, or what is wrong with it. Counts and lengths are checked before they are
 * used; nothing outside the range is read.
 */
export function decodeEdit(bytes: Uint8Array, start: number, end: number): ManifestEdit | string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (end - start < fixedBytes) return "an edit is too short for its fixed part";
  const code = view.getUint32(start, true);
  const isGated = code === gatedKindCode.base || code === gatedKindCode.change;
  if (!isGated && code !== kindCode.base && code !== kindCode.change) return "an edit is of an unknown kind";
  const listedCount = view.getUint32(start + 28, true);
  const removedCount = view.getUint32(start + 32, true);
  const addedCount = view.getUint32(start + 36, true);
  const valuesRemovedCount = view.getUint32(start + 40, true);
  const valuesAddedCount = view.getUint32(start + 44, true);
  let at = start + fixedBytes;
  const numbersBytes = (listedCount + removedCount + valuesRemovedCount) * 4;
  if (numbersBytes + addedCount * tableFixedBytes + valuesAddedCount * valueFileBytes > end - at) {
    return "an edit counts more than it holds";
  }
  const listed = readNumbers(view, at, listedCount);
  at += listedCount * 4;
  const removed = readNumbers(view, at, removedCount);
  at += removedCount * 4;
  const added: TableMeta[] = [];
  for (let i = 0; i < addedCount; i++) {
    const table = decodeTable(bytes, view, at, end);
    if (typeof table === "string") return table;
    added.push(table);
    at += tableBytes(table);
  }
  // Tables may be longer than the least that was reckoned with above.
  if (valuesRemovedCount * 4 + valuesAddedCount * valueFileBytes > end - at) return "an edit's values are cut off";
  const valuesRemoved = readNumbers(view, at, valuesRemovedCount);
  at += valuesRemovedCount * 4;
  const valuesAdded = readValueFiles(view, at, valuesAddedCount);
  if (typeof valuesAdded === "string") return valuesAdded;
  at += valuesAddedCount * valueFileBytes;
  const gate = isGated ? decodeGate(bytes, view, at, end) : null;
  if (typeof gate === "string") return gate;
  if (gate === null && at !== end) return "an edit is longer than what it holds";
  const nextFile = readU64(view, start + 8);
  const lastVersion = readU64(view, start + 16);
  if (nextFile > versionMax || lastVersion > versionMax) return "an edit holds a number above 2^53 - 1";
  return {
    kind: code === kindCode.base || code === gatedKindCode.base ? "base" : "change",
    logNumber: view.getUint32(start + 4, true),
    nextFile,
    lastVersion,
    closedBytes: view.getUint32(start + 24, true),
    listed,
    removed,
    added,
    valuesRemoved,
    valuesAdded,
    gate,
  };
}

function encodeTable(table: TableMeta, bytes: Uint8Array, view: DataView, at: number): void {
  const { smallest, largest, valueRefs } = table;
  const integers = [
    table.sizeBytes, table.recordCount, table.tombstoneCount,
    table.expiringCount, table.minVersion, table.maxVersion, table.rawBytes,
    table.rangeTombstoneCount, table.pointMaxVersion, table.staleAtMs,
  ];
  assert(integers.length === integerCount, "every integer has its place");
  view.setUint32(at, table.number, true);
  view.setUint32(at + 4, table.level, true);
  view.setUint32(at + 8, smallest.length, true);
  view.setUint32(at + 12, largest.length, true);
  integers.forEach((value, i) => writeU64(view, at + 16 + 8 * i, value));
  view.setUint32(at + codecAt, table.codec, true);
  view.setUint32(at + refCountAt, valueRefs.length, true);
  view.setUint32(at + flagsAt, table.largestExcluded ? flagLargestExcluded : 0, true);
  bytes.set(smallest, at + tableFixedBytes);
  bytes.set(largest, at + tableFixedBytes + smallest.length);
  const refsAt = at + refsOffset(smallest.length, largest.length);
  bytes.fill(0, at + tableFixedBytes + smallest.length + largest.length, refsAt);
  valueRefs.forEach((ref, i) => {
    view.setUint32(refsAt + i * valueRefBytes, ref.file, true);
    writeU64(view, refsAt + i * valueRefBytes + 4, ref.records);
    writeU64(view, refsAt + i * valueRefBytes + 12, ref.bytes);
  });
}

function encodeValueFile(file: ValueFileMeta, view: DataView, at: number): void {
  view.setUint32(at, file.number, true);
  view.setUint32(at + 4, valueKindCode[file.kind], true);
  writeU64(view, at + 8, file.sizeBytes);
  writeU64(view, at + 16, file.separableBytes);
}

function readValueFiles(view: DataView, start: number, count: number): ValueFileMeta[] | string {
  const files: ValueFileMeta[] = [];
  for (let i = 0; i < count; i++) {
    const at = start + i * valueFileBytes;
    const kind = view.getUint32(at + 4, true);
    if (kind !== valueKindCode.log && kind !== valueKindCode.values) return "a value file is of an unknown kind";
    const sizeBytes = readU64(view, at + 8);
    const separableBytes = readU64(view, at + 16);
    if (sizeBytes > versionMax || separableBytes > sizeBytes) return "a value file is of an impossible size";
    files.push({
      number: view.getUint32(at, true),
      kind: kind === valueKindCode.log ? "log" : "values",
      sizeBytes,
      separableBytes,
    });
  }
  return files;
}

function decodeTable(bytes: Uint8Array, view: DataView, at: number, end: number): TableMeta | string {
  if (end - at < tableFixedBytes) return "a table's entry is cut off";
  const smallestBytes = view.getUint32(at + 8, true);
  const largestBytes = view.getUint32(at + 12, true);
  if (!isBoundLength(smallestBytes)) return "a table's smallest key has an impossible length";
  if (!isBoundLength(largestBytes)) return "a table's largest key has an impossible length";
  const refCount = view.getUint32(at + refCountAt, true);
  const refsAt = refsOffset(smallestBytes, largestBytes);
  if (refsAt + refCount * valueRefBytes > end - at) return "a table's keys are cut off";
  const integers: number[] = [];
  for (let i = 0; i < integerCount; i++) integers.push(readU64(view, at + 16 + 8 * i));
  if (integers.some((value) => value > versionMax)) return "a table's entry holds a number above 2^53 - 1";
  const [sizeBytes = 0, recordCount = 0, tombstoneCount = 0] = integers;
  const [expiringCount = 0, minVersion = 0, maxVersion = 0, rawBytes = 0] = integers.slice(3);
  const [rangeTombstoneCount = 0, pointMaxVersion = 0, staleAtMs = 0] = integers.slice(7);
  const flags = view.getUint32(at + flagsAt, true);
  if (flags > flagLargestExcluded) return "a table's entry has unknown flags";
  const keys = at + tableFixedBytes;
  const valueRefs = readRefs(view, at + refsAt, refCount);
  if (typeof valueRefs === "string") return valueRefs;
  return {
    number: view.getUint32(at, true),
    level: view.getUint32(at + 4, true),
    sizeBytes, recordCount, tombstoneCount, expiringCount, minVersion, maxVersion, rawBytes,
    rangeTombstoneCount, pointMaxVersion, staleAtMs,
    codec: view.getUint32(at + codecAt, true),
    largestExcluded: flags === flagLargestExcluded,
    smallest: bytes.slice(keys, keys + smallestBytes),
    largest: bytes.slice(keys + smallestBytes, keys + smallestBytes + largestBytes),
    valueRefs,
  };
}

function readRefs(view: DataView, start: number, count: number): ValueRef[] | string {
  const refs: ValueRef[] = [];
  for (let i = 0; i < count; i++) {
    const at = start + i * valueRefBytes;
    const ref = { file: view.getUint32(at, true), records: readU64(view, at + 4), bytes: readU64(view, at + 12) };
    if (ref.records > versionMax || ref.bytes > versionMax) return "a table counts values above 2^53 - 1";
    refs.push(ref);
  }
  return refs;
}

/** A family byte and a key. */
function isBoundLength(length: number): boolean {
  return length >= 1 && length <= boundBytesMax;
}

/** Where in a table's entry its value files stand. */
function refsOffset(smallestBytes: number, largestBytes: number): number {
  return (tableFixedBytes + smallestBytes + largestBytes + 3) & ~3;
}

function tableBytes(table: TableMeta): number {
  return refsOffset(table.smallest.length, table.largest.length) + table.valueRefs.length * valueRefBytes;
}

function writeNumbers(numbers: readonly number[], view: DataView, start: number): number {
  numbers.forEach((number, i) => view.setUint32(start + 4 * i, number, true));
  return start + 4 * numbers.length;
}

function readNumbers(view: DataView, at: number, count: number): number[] {
  const numbers: number[] = [];
  for (let i = 0; i < count; i++) numbers.push(view.getUint32(at + 4 * i, true));
  return numbers;
}

function readU64(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true) * twoTo32 + view.getUint32(offset, true);
}

function writeU64(view: DataView, offset: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, "a stored integer is exact and not negative");
  view.setUint32(offset, value >>> 0, true);
  view.setUint32(offset + 4, Math.floor(value / twoTo32), true);
}
