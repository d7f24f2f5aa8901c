import { assert } from "../../core/assert.ts";
import { DiskError } from "../../core/env/disk.ts";
import type { Env } from "../../core/env/env.ts";
import { NokvError } from "../../core/errors.ts";
import type { Extent, GroupLog } from "./group-log.ts";
import { changeBytes, changeHeaderBytes, type LogChange, type LogEntry, readEntries } from "./log-change.ts";
import type { LogFile } from "./log-file.ts";
import type { LogIndex } from "./log-index.ts";
import type { LogWriter } from "./log-writer.ts";

/**
 * Takes segments back from the old end, also those that an idle group would hold for ever: what the oldest one still
 * has to answer for is written again, to the newest, a frame at a time; then it is said to be needed no more; then it
 * is removed.
 */
export class LogReclaimer {
  readonly #env: Env;
  readonly #index: LogIndex;
  readonly #writer: LogWriter;
  readonly #frameBytesMax: number;
  readonly #livePercentMin: number;
  #running = false;
  /** A segment could not be read: nothing is taken back any more, until the log is opened again. */
  #unreadable = false;
  /** Why, where that is damage. */
  damage: NokvError | null = null;
  removedCount = 0;
  movedBytes = 0;

  // oxlint-disable-next-line max-params
  constructor(env: Env, index: LogIndex, writer: LogWriter, frameBytesMax: number, livePercentMin: number) {
    this.#env = env;
    this.#index = index;
    this.#writer = writer;
    this.#frameBytesMax = frameBytesMax;
    this.#livePercentMin = livePercentMin;
  }

  /** Looks whether the oldest segment can go. Call it when a segment was sealed, and when entries became obsolete. */
  kick(): void {
    if (this.#running || this.#unreadable || this.#writer.failure !== null) return;
    const [oldest] = this.#writer.files;
    assert(oldest !== undefined, "a log has a segment");
    if (oldest === this.#writer.active) return;
    if (this.#index.liveBytes(oldest.number) * 100 >= oldest.sizeBytes * this.#livePercentMin) return;
    this.#running = true;
    this.#empty(oldest);
  }

  #empty(file: LogFile): void {
    let left = true;
    this.#writer.submitLate(
      () => {
        const changes = this.#readWhatStays(file);
        // Not read, not removed: who needs it hears of the damage, and nothing is lost by waiting.
        if (changes === null) return [];
        left = changes.length > 0;
        const next = this.#writer.files[1];
        assert(next !== undefined, "a segment that goes has one behind it");
        return left ? changes : [{ op: "begin", segment: next.number }];
      },
      () => {
        if (this.#unreadable) return;
        if (left) this.#empty(file);
        else this.#remove(file);
      },
    );
  }

  #readWhatStays(file: LogFile): LogChange[] | null {
    try {
      return this.#whatStays(file);
    } catch (error) {
      if (!(error instanceof DiskError) && !(error instanceof NokvError)) throw error;
      this.#unreadable = true;
      if (error instanceof NokvError) this.damage = error;
      this.#env.trace.emit("raft/log-not-reclaimed", {
        path: file.path, code: error.code, message: error.message,
      });
      return null;
    }
  }

  #remove(file: LogFile): void {
    assert(this.#writer.files[0] === file, "segments go from the old end");
    this.#writer.files.shift();
    file.remove(this.#env.disk);
    this.removedCount++;
    this.#running = false;
    this.kick();
  }

  /** What the log would lose with `file`, or a part of it that fits a frame. */
  #whatStays(file: LogFile): LogChange[] {
    const changes: LogChange[] = [];
    let bytes = 0;
    for (const id of this.#index.groupIds()) {
      const log = this.#index.group(id);
      assert(log !== null, "a group that is listed is known");
      for (const change of this.#stays(id, log, file)) {
        if (changes.length > 0 && bytes >= this.#frameBytesMax) return changes;
        bytes += changeBytes(change);
        changes.push(change);
      }
    }
    this.movedBytes += bytes;
    return changes;
  }

  *#stays(group: number, log: GroupLog, file: LogFile): Generator<LogChange> {
    const { number } = file;
    if (log.hardPiece.segment === number || log.startPiece.segment === number) {
      yield { op: "restated", group, hard: log.hard, start: log.start, meta: log.meta };
    }
    for (const [key, value] of log.notes) {
      if (log.notePieces.get(key)?.segment === number) yield { op: "note", group, key, value };
    }
    for (const extent of log.extents) {
      if (extent.segment === number) yield { op: "moved", group, entries: readExtent(file, extent) };
    }
  }
}

/** The entries of an extent that are part of the log. They share one buffer. */
export function readExtent(file: LogFile, extent: Extent): LogEntry[] {
  const entries = file.read(extent.offset, extent.bytes, (image) => {
    const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
    const found = readEntries(image, view, changeHeaderBytes, image.length);
    if (typeof found === "string") return found;
    return found[0]?.index === extent.changeFirst ? found : "entries are others than were written here";
  });
  return entries.slice(extent.first - extent.changeFirst, extent.last - extent.changeFirst + 1);
}
