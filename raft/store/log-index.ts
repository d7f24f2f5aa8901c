import { assert } from "../../core/assert.ts";
import { type Extent, GroupLog, type Piece, termRuns } from "./group-log.ts";
import type { LogChange } from "./log-change.ts";

/** Where a change was written. */
export interface Place {
  readonly segment: number;
  readonly offset: number;
  readonly bytes: number;
}

/**
 * Everything that the store's log says, and where: every change is applied here when it is written, and again when
 * it is read back. Keeps account of how many bytes of entries each segment still has to answer for.
 */
export class LogIndex {
  readonly #groups = new Map<number, GroupLog>();
  readonly #liveBytes = new Map<number, number>();

  group(id: number): GroupLog | null {
    return this.#groups.get(id) ?? null;
  }

  /** Ascending. */
  groupIds(): number[] {
    return [...this.#groups.keys()].sort((a, b) => a - b);
  }

  /** Bytes of changes that nothing has replaced yet. */
  liveBytes(segment: number): number {
    return this.#liveBytes.get(segment) ?? 0;
  }

  /** Every change that was applied with this place must be whole on disk, or never be read. */
  apply(change: LogChange, place: Place): void {
    // What these say was heeded before anything was applied.
    if ("segment" in change) return;
    if (change.op === "destroy") return this.#destroy(change.group);
    const log = this.#ensure(change.group);
    this.#applyTo(log, change, place);
    // A group of which nothing is known is none, or it would depend on what was taken back whether there is one.
    if (log.isEmpty) this.#destroy(change.group);
  }

  /** The first gap in any group's log, as a sentence; null: there is none. */
  problem(): string | null {
    for (const id of this.groupIds()) {
      const missing = this.group(id)?.gap() ?? 0;
      if (missing > 0) return `entry ${missing} of group ${id} is missing`;
    }
    return null;
  }

  #applyTo(log: GroupLog, change: GroupChange, place: Place): void {
    switch (change.op) {
      case "entries":
        return log.append(this.#extent(change, place));
      case "moved":
        return log.move(this.#extent(change, place));
      case "hard":
        log.hard = change.hard;
        log.hardPiece = this.#replaced(log.hardPiece, place, place.bytes);
        return;
      case "snapshot":
        log.restart(change.start, Uint8Array.from(change.meta));
        log.startPiece = this.#replaced(log.startPiece, place, place.bytes);
        return;
      case "compact":
        log.compact(change.start);
        this.#keepMeta(log, place);
        return;
      case "restated":
        log.hard = change.hard;
        log.hardPiece = this.#replaced(log.hardPiece, place, 0);
        log.meta = Uint8Array.from(change.meta);
        log.compact(change.start);
        log.startPiece = this.#replaced(log.startPiece, place, place.bytes);
        return;
      case "note":
        return this.#note(log, change, place);
    }
  }

  /**
   * The meta of a snapshot stands where it stood, although the log begins elsewhere now. The older place counts: from
   * there both are written again.
   */
  #keepMeta(log: GroupLog, place: Place): void {
    if (log.meta.length > 0) return;
    log.startPiece = this.#replaced(log.startPiece, place, place.bytes);
  }

  #note(log: GroupLog, change: NoteChange, place: Place): void {
    const { key, value } = change;
    const before = log.notePieces.get(key);
    if (before !== undefined) this.#freed(before);
    log.notes.delete(key);
    log.notePieces.delete(key);
    if (value === null) return;
    log.notes.set(key, Uint8Array.from(value));
    log.notePieces.set(key, this.#piece(place, place.bytes));
  }

  #replaced(before: Piece, place: Place, bytes: number): Piece {
    this.#freed(before);
    return this.#piece(place, bytes);
  }

  #piece(place: Place, bytes: number): Piece {
    const { segment } = place;
    this.#liveBytes.set(segment, this.liveBytes(segment) + bytes);
    return { segment, bytes };
  }

  #extent(change: EntriesChange, place: Place): Extent {
    const { entries } = change;
    const first = entries[0];
    assert(first !== undefined, "entries are at least one");
    const piece = this.#piece(place, place.bytes);
    const last = first.index + entries.length - 1;
    const { offset } = place;
    return { ...piece, first: first.index, last, changeFirst: first.index, terms: termRuns(entries), offset };
  }

  #destroy(id: number): void {
    const log = this.#groups.get(id);
    if (log === undefined) return;
    for (const piece of [log.hardPiece, log.startPiece, ...log.notePieces.values(), ...log.extents]) this.#freed(piece);
    this.#groups.delete(id);
  }

  #ensure(id: number): GroupLog {
    const known = this.#groups.get(id);
    if (known !== undefined) return known;
    const log = new GroupLog((piece) => this.#freed(piece));
    this.#groups.set(id, log);
    return log;
  }

  #freed(piece: Piece): void {
    const { segment, bytes } = piece;
    if (bytes > 0) this.#liveBytes.set(segment, this.liveBytes(segment) - bytes);
  }
}

type EntriesChange = Extract<LogChange, { readonly op: "entries" | "moved" }>;
type NoteChange = Extract<LogChange, { readonly op: "note" }>;
type GroupChange = Exclude<LogChange, { readonly op: "begin" | "complete" | "destroy" }>;
