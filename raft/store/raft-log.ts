import { assert } from "../../core/assert.ts";
import { DiskError } from "../../core/env/disk.ts";
import type { Env } from "../../core/env/env.ts";
import { refusal } from "../../core/engine/failure.ts";
import type { ScrubFile } from "../../core/engine/scrub-list.ts";
import type { NokvError } from "../../core/errors.ts";
import { DirectorySync } from "../../core/wal/directory-sync.ts";
import { fileMagic } from "../../core/wal/file-header.ts";
import type { GroupLog } from "./group-log.ts";
import { entryBytes, type LogChange, type LogEntry } from "./log-change.ts";
import type { LogIndex } from "./log-index.ts";
import { LogReclaimer, readExtent } from "./log-reclaimer.ts";
import { recoverLog } from "./log-recovery.ts";
import { LogWriter, type RaftLogOptions } from "./log-writer.ts";

export const raftLogOptionsDefault: RaftLogOptions = {
  segmentBytes: 64 * 1024 * 1024,
  groupBytesMax: 4 * 1024 * 1024,
  waitedSyncUs: 300,
  livePercentMin: 25,
};

/** Less in a frame, and its header counts: taking back could make as much as it takes. */
const reclaimBytesMin = 4_096;

/** What a log has done since it was opened. */
export interface RaftLogStats {
  readonly frames: number;
  readonly syncs: number;
  readonly writtenBytes: number;
  readonly segments: number;
  readonly segmentsRemoved: number;
  readonly movedBytes: number;
  readonly tornBytes: number;
  /** Entries that are still needed cannot be read; null: none was met. */
  readonly damage: string | null;
}

/**
 * The one log of a store, for all of its groups: what is submitted while a sync is in flight shares the next one.
 *
 * Reads give what was written; what is submitted and not yet told may be among it or not. A failure of the disk is
 * final: `failed` hears of it, and nothing is told any more, except by `submitted`.
 */
export class RaftLog {
  readonly #index: LogIndex;
  readonly #writer: LogWriter;
  readonly #reclaimer: LogReclaimer;
  readonly #tornBytes: number;

  // oxlint-disable-next-line max-params
  private constructor(index: LogIndex, writer: LogWriter, reclaimer: LogReclaimer, tornBytes: number) {
    this.#index = index;
    this.#writer = writer;
    this.#reclaimer = reclaimer;
    this.#tornBytes = tornBytes;
  }

  /**
   * Reads the log in `directory`, which exists, is durable in its parent, and is this process's alone. Rejects with
   * `NOKV_CORRUPTION`, `NOKV_FORMAT`, `NOKV_IO` or `NOKV_NO_SPACE`.
   */
  static async open(
    env: Env,
    directory: string,
    options: RaftLogOptions,
    failed: (error: DiskError) => void,
  ): Promise<RaftLog> {
    const sync = new DirectorySync(env.disk, directory);
    try {
      const { index, epoch, files, tornBytes } = await recoverLog(env, sync);
      let reclaimer: LogReclaimer | null = null;
      const owner = { failed, sealed: () => reclaimer?.kick() };
      const writer = new LogWriter(env, sync, epoch, options, index, files, owner);
      const frameBytes = Math.max(options.groupBytesMax, reclaimBytesMin);
      reclaimer = new LogReclaimer(env, index, writer, frameBytes, options.livePercentMin);
      env.trace.emit("raft/log-opened", { directory, groups: index.groupIds().length, tornBytes });
      return new RaftLog(index, writer, reclaimer, tornBytes);
    } catch (error) {
      if (error instanceof DiskError) throw refusal(error, `opening the Raft log in ${directory} failed`);
      throw error;
    }
  }

  /** Ascending. */
  groups(): number[] {
    return this.#index.groupIds();
  }

  /** What is written of a group; null: nothing. Must not be changed. */
  group(id: number): GroupLog | null {
    return this.#index.group(id);
  }

  /**
   * `done` when the changes are written, and, where `mustSync`, durable; in the order of the calls, never inside
   * one. Together or not at all, also over a crash. They must not change until then.
   */
  submit(changes: readonly LogChange[], mustSync: boolean, done: () => void): void {
    const frees = changes.some((change) => change.op !== "hard" && change.op !== "note");
    this.#writer.submit(changes, mustSync, () => {
      if (frees) this.#reclaimer.kick();
      done();
    });
  }

  /**
   * The same, durable when it resolves, for who awaits it: an opening. Rejects with `NOKV_IO` or `NOKV_NO_SPACE` when
   * the log has failed or fails first.
   */
  submitted(changes: readonly LogChange[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.submit(changes, true, resolve);
      // Not before it is told, unless the log failed.
      this.#writer.whenIdle(() => {
        const { failure } = this.#writer;
        if (failure !== null) reject(refusal(failure, "the Raft log failed"));
      });
    });
  }

  /**
   * Entries `[first, last]` of a group, from the front, as many as fit into `bytesMax` and at least one. All of them
   * are written. Throws `NOKV_CORRUPTION`, and `DiskError` when the disk refuses.
   */
  // oxlint-disable-next-line max-params
  entries(id: number, first: number, last: number, bytesMax: number): LogEntry[] {
    const log = this.#index.group(id);
    assert(log !== null, "entries are read from a group that has some");
    assert(first > log.start.index && first <= last && last <= log.last, "entries that are read are in the log");
    const entries: LogEntry[] = [];
    let bytes = 0;
    for (let at = log.extentOf(first); at < log.extents.length; at++) {
      const extent = log.extents[at];
      assert(extent !== undefined, "the index is within the array");
      const file = this.#writer.files.find((candidate) => candidate.number === extent.segment);
      assert(file !== undefined, "a segment stays as long as entries stand in it");
      for (const entry of readExtent(file, extent)) {
        if (entry.index < first) continue;
        if (entry.index > last) return entries;
        bytes += entryBytes(entry);
        if (bytes > bytesMax && entries.length > 0) return entries;
        entries.push(entry);
      }
    }
    return entries;
  }

  /** Why entries that are still needed cannot be read; null: none was met. */
  get damage(): NokvError | null {
    return this.#reclaimer.damage;
  }

  /** Its segments as far as they are written, for a scrubber. From the oldest. */
  scrubFiles(): ScrubFile[] {
    const { files, epoch } = this.#writer;
    return files.map((file) => {
      const { path, number, sizeBytes: endBytes } = file;
      return {
        path,
        sizeBytes: endBytes,
        target: (from) => (from < endBytes ? { kind: "log", number, magic: fileMagic.raft, epoch, endBytes } : null),
        inUse: () => files.includes(file),
      };
    });
  }

  stats(): RaftLogStats {
    const writer = this.#writer;
    return {
      frames: writer.frameCount,
      syncs: writer.syncCount,
      writtenBytes: writer.writtenBytes,
      segments: writer.files.length,
      segmentsRemoved: this.#reclaimer.removedCount,
      movedBytes: this.#reclaimer.movedBytes,
      tornBytes: this.#tornBytes,
      damage: this.damage?.message ?? null,
    };
  }

  /** Everything submitted is told first, unless the log failed. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#writer.whenIdle(resolve));
    this.#writer.close();
  }
}
