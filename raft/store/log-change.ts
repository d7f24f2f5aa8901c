// HOT: every entry of every group is encoded here.
import { assert } from "../../core/assert.ts";
import { crc32 } from "../../core/bytes/crc32.ts";

/** One entry of a group's log. `kind` is the protocol's, a u8; the log does not look at it, nor at `data`. */
export interface LogEntry {
  readonly index: number;
  readonly term: number;
  readonly kind: number;
  readonly data: Uint8Array;
}

/** What must never be forgotten once it is told: Raft's currentTerm, votedFor and, as a hint, commitIndex. */
export interface LogHardState {
  readonly term: number;
  readonly vote: number;
  readonly commit: number;
}

/**
 * One step of the store's log, of one group, except for the last two. Changes of one `submit` happen together or not
 * at all, in their order.
 *
 * - entries: contiguous; entries of the group from the first one's index on are replaced (R3)
 * - hard: the group's hard state
 * - snapshot: the group's log begins anew behind `index`: every entry goes. `meta` is the caller's
 * - compact: entries up to `index`, which has `term`, are needed no more
 * - note: a word of the caller's own under a number; null takes it back
 * - destroy: the group is gone, with its notes
 * - moved: entries that stand elsewhere already, in a segment that is about to go. They replace nothing
 * - restated: what is known of a group besides its entries and notes, for the same reason
 * - begin: segments below this number are needed no more
 * - complete: this segment, of this number, holds everything that stood in those between the one before it and itself
 */
export type LogChange =
  | { readonly op: "entries" | "moved"; readonly group: number; readonly entries: readonly LogEntry[] }
  | { readonly op: "hard"; readonly group: number; readonly hard: LogHardState }
  | { readonly op: "snapshot"; readonly group: number; readonly start: LogStart; readonly meta: Uint8Array }
  | { readonly op: "compact"; readonly group: number; readonly start: LogStart }
  | { readonly op: "note"; readonly group: number; readonly key: number; readonly value: Uint8Array | null }
  | { readonly op: "destroy"; readonly group: number }
  | {
      readonly op: "restated";
      readonly group: number;
      readonly hard: LogHardState;
      readonly start: LogStart;
      readonly meta: Uint8Array;
    }
  | { readonly op: "begin" | "complete"; readonly segment: number };

/** Behind which entry a group's log begins: 0 and 0 for all of it. */
export interface LogStart {
  readonly index: number;
  readonly term: number;
}

/** As files name them; never reused. */
const opCode = {
  entries: 1, hard: 2, snapshot: 3, compact: 4, note: 5, destroy: 6, moved: 7, restated: 8, begin: 9, complete: 10,
} as const;

/**
 * A change is a header and a body, both of a multiple of 4 bytes. All integers are little-endian; u64 is two u32, low
 * first, below 2^53.
 *
 *     0   group      u64   or the number of a segment
 *     8   op         u32   opCode
 *     12  bodyBytes  u32
 *     16  body
 *
 * Bodies: entries and moved `crc u32` of what follows it, `count u32`, `first u64`, then per entry `term u64`,
 * `kind u32`, `dataBytes u32`, data, zeros up to a multiple of 4. Hard `term u64, vote u64, commit u64`. Compact and
 * snapshot `index u64, term u64`, then, snapshot, the meta as `bytes u32`, data, zeros. Note `key u32`, `bytes u32`
 * (0xffffffff: taken back), data, zeros. Restated: hard, then snapshot. The others: none.
 */
export const changeHeaderBytes = 16;
const entriesFixedBytes = 16;
const entryFixedBytes = 16;
const hardBytes = 24;
const startBytes = 16;
const takenBack = 0xffff_ffff;
const twoTo32 = 0x1_0000_0000;

export function changeBytes(change: LogChange): number {
  return changeHeaderBytes + bodyBytes(change);
}

function bodyBytes(change: LogChange): number {
  switch (change.op) {
    case "entries":
    case "moved": {
      let bytes = entriesFixedBytes;
      const { entries } = change;
      for (let i = 0; i < entries.length; i++) bytes += entryBytes(entries[i] as LogEntry);
      return bytes;
    }
    case "hard":
      return hardBytes;
    case "snapshot":
      return startBytes + 4 + padded(change.meta.length);
    case "compact":
      return startBytes;
    case "note":
      return 8 + padded(change.value?.length ?? 0);
    case "restated":
      return hardBytes + startBytes + 4 + padded(change.meta.length);
    case "destroy":
    case "begin":
    case "complete":
      return 0;
  }
}

/** What an entry takes in a log, besides its share of the change. */
export function entryBytes(entry: LogEntry): number {
  return entryFixedBytes + padded(entry.data.length);
}

/** Writes `changeBytes(change)` bytes at `at`, and gives where they end. */
// oxlint-disable-next-line max-params
export function encodeChange(change: LogChange, bytes: Uint8Array, view: DataView, at: number): number {
  const body = bodyBytes(change);
  writeU64(view, at, "segment" in change ? change.segment : change.group);
  view.setUint32(at + 8, opCode[change.op], true);
  view.setUint32(at + 12, body, true);
  const end = encodeBody(change, bytes, view, at + changeHeaderBytes);
  assert(end === at + changeHeaderBytes + body, "a change takes the bytes it said");
  return end;
}

// oxlint-disable-next-line max-params
function encodeBody(change: LogChange, bytes: Uint8Array, view: DataView, at: number): number {
  switch (change.op) {
    case "entries":
    case "moved":
      return encodeEntries(change.entries, bytes, view, at);
    case "hard":
      return encodeHard(change.hard, view, at);
    case "snapshot":
      return encodeBytes(change.meta, bytes, view, encodeStart(change.start, view, at));
    case "compact":
      return encodeStart(change.start, view, at);
    case "note":
      view.setUint32(at, change.key, true);
      if (change.value !== null) return encodeBytes(change.value, bytes, view, at + 4);
      view.setUint32(at + 4, takenBack, true);
      return at + 8;
    case "restated": {
      const start = encodeHard(change.hard, view, at);
      return encodeBytes(change.meta, bytes, view, encodeStart(change.start, view, start));
    }
    case "destroy":
    case "begin":
    case "complete":
      return at;
  }
}

// oxlint-disable-next-line max-params
function encodeEntries(entries: readonly LogEntry[], bytes: Uint8Array, view: DataView, start: number): number {
  const first = entries[0];
  assert(first !== undefined, "entries are at least one");
  view.setUint32(start + 4, entries.length, true);
  writeU64(view, start + 8, first.index);
  let at = start + entriesFixedBytes;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i] as LogEntry;
    assert(entry.index === first.index + i, "the entries of a change are contiguous");
    writeU64(view, at, entry.term);
    view.setUint32(at + 8, entry.kind, true);
    at = encodeBytes(entry.data, bytes, view, at + 12);
  }
  view.setUint32(start, crc32(bytes, start + 4, at, 0), true);
  return at;
}

function encodeHard(hard: LogHardState, view: DataView, at: number): number {
  writeU64(view, at, hard.term);
  writeU64(view, at + 8, hard.vote);
  writeU64(view, at + 16, hard.commit);
  return at + hardBytes;
}

function encodeStart(start: LogStart, view: DataView, at: number): number {
  writeU64(view, at, start.index);
  writeU64(view, at + 8, start.term);
  return at + startBytes;
}

// oxlint-disable-next-line max-params
function encodeBytes(source: Uint8Array, bytes: Uint8Array, view: DataView, at: number): number {
  view.setUint32(at, source.length, true);
  bytes.set(source, at + 4);
  const end = at + 4 + padded(source.length);
  // The buffer is used again and again: what stood here before must not reach the disk.
  bytes.fill(0, at + 4 + source.length, end);
  return end;
}

/**
 * Walks the changes in `bytes[start, end)`, the payload of one frame whose checksum is right. What it yields borrows
 * `bytes`. Every length is checked before it is used.
 */
export class ChangeReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  /** Where the change that `next` gave begins, and where the next one does. */
  at: number;
  position: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = end;
    this.at = start;
    this.position = start;
  }

  /** Null at the end; a string says what is wrong. */
  next(): LogChange | string | null {
    const at = this.position;
    if (at === this.#end) return null;
    if (this.#end - at < changeHeaderBytes) return "a change is cut off in its header";
    const body = at + changeHeaderBytes;
    const bodyLength = this.#view.getUint32(at + 12, true);
    if (bodyLength % 4 !== 0 || bodyLength > this.#end - body) return "a change is longer than its frame";
    const end = body + bodyLength;
    const change = this.#decode(at, body, end);
    if (typeof change === "string") return change;
    if (changeBytes(change) !== end - at) return "a change is longer than what it holds";
    this.at = at;
    this.position = end;
    return change;
  }

  #decode(at: number, body: number, end: number): LogChange | string {
    const group = readU64(this.#view, at);
    if (!Number.isSafeInteger(group)) return "a change is of a group above 2^53 - 1";
    switch (this.#view.getUint32(at + 8, true)) {
      case opCode.entries:
        return this.#entries("entries", group, body, end);
      case opCode.moved:
        return this.#entries("moved", group, body, end);
      case opCode.hard:
        return end - body < hardBytes ? short : { op: "hard", group, hard: this.#hard(body) };
      case opCode.snapshot: {
        const meta = this.#blob(body + startBytes, end);
        return meta === null ? short : { op: "snapshot", group, start: this.#start(body), meta };
      }
      case opCode.compact:
        return end - body < startBytes ? short : { op: "compact", group, start: this.#start(body) };
      case opCode.note:
        return this.#note(group, body, end);
      case opCode.destroy:
        return { op: "destroy", group };
      case opCode.restated: {
        const meta = this.#blob(body + hardBytes + startBytes, end);
        if (meta === null) return short;
        return { op: "restated", group, hard: this.#hard(body), start: this.#start(body + hardBytes), meta };
      }
      case opCode.begin:
        return { op: "begin", segment: group };
      case opCode.complete:
        return { op: "complete", segment: group };
      default:
        return "a change is of an unknown kind";
    }
  }

  // oxlint-disable-next-line max-params
  #entries(op: "entries" | "moved", group: number, body: number, end: number): LogChange | string {
    const entries = readEntries(this.#bytes, this.#view, body, end);
    return typeof entries === "string" ? entries : { op, group, entries };
  }

  #note(group: number, body: number, end: number): LogChange | string {
    if (end - body < 8) return short;
    const key = this.#view.getUint32(body, true);
    if (this.#view.getUint32(body + 4, true) === takenBack) return { op: "note", group, key, value: null };
    const value = this.#blob(body + 4, end);
    return value === null ? short : { op: "note", group, key, value };
  }

  #hard(at: number): LogHardState {
    const view = this.#view;
    return { term: readU64(view, at), vote: readU64(view, at + 8), commit: readU64(view, at + 16) };
  }

  #start(at: number): LogStart {
    return { index: readU64(this.#view, at), term: readU64(this.#view, at + 8) };
  }

  #blob(at: number, end: number): Uint8Array | null {
    if (end - at < 4) return null;
    const length = this.#view.getUint32(at, true);
    return length > end - at - 4 ? null : this.#bytes.subarray(at + 4, at + 4 + length);
  }
}

const short = "a change is too short for its kind";

/** The entries of the change whose body is `bytes[body, end)`, or what is wrong. They borrow `bytes`. */
// oxlint-disable-next-line max-params
export function readEntries(bytes: Uint8Array, view: DataView, body: number, end: number): LogEntry[] | string {
  if (end - body < entriesFixedBytes) return short;
  if (view.getUint32(body, true) !== crc32(bytes, body + 4, end, 0)) return "entries do not match their checksum";
  const count = view.getUint32(body + 4, true);
  const first = readU64(view, body + 8);
  const room = end - body - entriesFixedBytes;
  if (count === 0 || count * entryFixedBytes > room) return "entries count more than they hold";
  const entries: LogEntry[] = [];
  let at = body + entriesFixedBytes;
  for (let i = 0; i < count; i++) {
    if (end - at < entryFixedBytes) return short;
    const length = view.getUint32(at + 12, true);
    if (length > end - at - entryFixedBytes) return short;
    const dataAt = at + entryFixedBytes;
    const data = bytes.subarray(dataAt, dataAt + length);
    entries.push({ index: first + i, term: readU64(view, at), kind: view.getUint32(at + 8, true), data });
    at = dataAt + padded(length);
  }
  return entries;
}

function padded(bytes: number): number {
  return (bytes + 3) & ~3;
}

function readU64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * twoTo32 + view.getUint32(at, true);
}

function writeU64(view: DataView, at: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, "a number of the log is a safe integer");
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / twoTo32), true);
}
