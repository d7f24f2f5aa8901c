// HOT: every entry of every group becomes durable here.
import { assert } from "../../core/assert.ts";
import { DiskError } from "../../core/env/disk.ts";
import type { Env } from "../../core/env/env.ts";
import type { DirectorySync } from "../../core/wal/directory-sync.ts";
import { fileHeaderBytes, fileMagic, writeFileHeader } from "../../core/wal/file-header.ts";
import { frameBatchesMax, frameHeaderBytes, frameType, type FrameType, FrameWriter } from "../../core/wal/frame.ts";
import { startSync, syncNow } from "../../core/wal/start-sync.ts";
import { SyncPace } from "../../core/wal/sync-pace.ts";
import { spaceRetriesMax, spaceRetryUs } from "../../core/wal/wal-config.ts";
import { changeBytes, encodeChange, type LogChange } from "./log-change.ts";
import { LogFile } from "./log-file.ts";
import type { LogIndex, Place } from "./log-index.ts";

export interface RaftLogOptions {
  /** A segment that is longer is followed by another. */
  readonly segmentBytes: number;
  /** One write and one sync carry no more, unless a single submit does. */
  readonly groupBytesMax: number;
  /** Syncs that take no longer are waited for; 0: none. */
  readonly waitedSyncUs: number;
  /** A sealed segment, the oldest, with less than this share of live bytes is emptied and removed. At most 50. */
  readonly livePercentMin: number;
}

/** Whom the writer tells. */
export interface LogWriterOwner {
  /** A segment was sealed and is durable: it may be looked at for what can go. */
  sealed(): void;
  /** The log takes no more; nothing that is pending will ever be told. Once. */
  failed(error: DiskError): void;
}

interface Submit {
  readonly changes: readonly LogChange[];
  readonly bytes: number;
  readonly mustSync: boolean;
  readonly done: () => void;
}

/** Changes that follow from what the log holds when their turn has come; none: nothing is written. */
export type LateChanges = () => readonly LogChange[];

/** What one frame carries. */
interface Group {
  readonly submits: readonly Submit[];
  readonly bytes: number;
  readonly changeCount: number;
}

const bufferBytesMin = 64 * 1024;

/**
 * Writes changes of all groups to the newest segment in groups: what is submitted while a sync is in flight waits,
 * and then one frame, one write and one sync carry it all.
 *
 * Invariants:
 * - one frame is in flight at a time, and submits are told in their order
 * - a segment's file is begun when every older one is sealed and durable: only the newest may have a torn tail
 * - after an error nothing is written again: the pages may be gone although a retry would succeed
 */
export class LogWriter {
  readonly #env: Env;
  readonly #directory: DirectorySync;
  readonly #epoch: number;
  readonly #options: RaftLogOptions;
  readonly #index: LogIndex;
  readonly #owner: LogWriterOwner;
  readonly #pace: SyncPace;
  /** Ascending; the last is written to. */
  readonly files: LogFile[];
  #bytes = new Uint8Array(bufferBytesMin);
  #view = new DataView(this.#bytes.buffer);
  #frames: FrameWriter;
  #pending: Submit[] = [];
  /** Takes turns with what is pending. */
  #late: { readonly changes: LateChanges; readonly done: () => void } | null = null;
  #lateTurn = false;
  #flying: readonly Submit[] = [];
  #busy = false;
  #scheduled = false;
  #closed = false;
  #retries = 0;
  #failure: DiskError | null = null;
  readonly #idleWaiters: (() => void)[] = [];
  readonly #pumpBound = (): void => {
    this.#scheduled = false;
    this.#pump();
  };
  syncCount = 0;
  frameCount = 0;
  writtenBytes = 0;

  // oxlint-disable-next-line max-params
  constructor(
    env: Env,
    directory: DirectorySync,
    epoch: number,
    options: RaftLogOptions,
    index: LogIndex,
    files: LogFile[],
    owner: LogWriterOwner,
  ) {
    this.#env = env;
    this.#directory = directory;
    this.#epoch = epoch;
    this.#options = options;
    this.#index = index;
    this.#owner = owner;
    this.#pace = new SyncPace(env.clock, options.waitedSyncUs);
    this.files = files;
    this.#frames = this.#framesOf(this.active);
    this.#frames.durableBytes = this.active.sizeBytes;
    this.#frames.earlierDurable = true;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get active(): LogFile {
    const newest = this.files.at(-1);
    assert(newest !== undefined, "a log has a segment");
    return newest;
  }

  get failure(): DiskError | null {
    return this.#failure;
  }

  /**
   * `done` when the changes are written, and, where `mustSync`, durable. Never inside the call; never after a
   * failure. The changes and what they hold must not change until then.
   */
  submit(changes: readonly LogChange[], mustSync: boolean, done: () => void): void {
    if (this.#failure !== null) return;
    assert(!this.#closed, "a log that is closed takes no more");
    this.#pending.push(submitOf(changes, mustSync, done));
    this.#schedule();
  }

  /**
   * As `submit`, for changes that are made when everything before is in the index, and nothing after. One at a time.
   */
  submitLate(changes: LateChanges, done: () => void): void {
    assert(this.#late === null, "one maker of changes waits at a time");
    this.#late = { changes, done };
    this.#schedule();
  }

  /** `done` once nothing is under way or waits any more, also after a failure. */
  whenIdle(done: () => void): void {
    this.#idleWaiters.push(done);
    this.#tellIdle();
  }

  /** Gives the files back. What was not told yet may or may not be there later. */
  close(): void {
    this.#closed = true;
    for (const file of this.files) file.close();
  }

  #schedule(): void {
    if (this.#scheduled || this.#busy) return;
    this.#scheduled = true;
    // Not now: the submits of one turn share a frame.
    this.#env.clock.soon(this.#pumpBound);
  }

  #pump(): void {
    if (this.#busy || this.#closed || this.#failure !== null) return;
    if (this.#pending.length === 0 && this.#late === null) return;
    this.#busy = true;
    if (this.active.sizeBytes >= this.#options.segmentBytes) return this.#rotate();
    const { submits, bytes, changeCount } = this.#takeGroup();
    this.#flying = submits;
    if (changeCount === 0) return this.#told();
    this.#reserve(frameHeaderBytes + bytes);
    const file = this.active;
    const { number, sizeBytes } = file;
    const places: Place[] = [];
    let at = frameHeaderBytes;
    for (const submit of submits) {
      for (let i = 0; i < submit.changes.length; i++) {
        const change = submit.changes[i] as LogChange;
        const end = encodeChange(change, this.#bytes, this.#view, at);
        places.push({ segment: number, offset: sizeBytes + at, bytes: end - at });
        at = end;
      }
    }
    this.#head(at - frameHeaderBytes, frameType.edit, changeCount);
    const mustSync = submits.some((submit) => submit.mustSync);
    this.#write(at, () => {
      // Not before: on a full disk the write may come much later, and until then reads find what was there.
      this.#apply(submits, places);
      if (mustSync) this.#sync(() => this.#told());
      else this.#told();
    });
  }

  #apply(submits: readonly Submit[], places: readonly Place[]): void {
    let next = 0;
    for (const { changes } of submits) {
      for (let i = 0; i < changes.length; i++) {
        this.#index.apply(changes[i] as LogChange, places[next++] as Place);
      }
    }
  }

  #takeGroup(): Group {
    const late = this.#late;
    // Taking back never comes twice before what somebody waits for.
    this.#lateTurn = !this.#lateTurn || this.#pending.length === 0;
    if (late !== null && this.#lateTurn) {
      this.#late = null;
      const submit = submitOf(late.changes(), true, late.done);
      return { submits: [submit], bytes: submit.bytes, changeCount: submit.changes.length };
    }
    const submits: Submit[] = [];
    let bytes = 0;
    let changeCount = 0;
    for (const submit of this.#pending) {
      const more = changeCount + submit.changes.length;
      const full = bytes + submit.bytes > this.#options.groupBytesMax || more > frameBatchesMax;
      if (submits.length > 0 && full) break;
      submits.push(submit);
      bytes += submit.bytes;
      changeCount = more;
    }
    this.#pending = this.#pending.slice(submits.length);
    return { submits, bytes, changeCount };
  }

  #told(): void {
    const submits = this.#flying;
    this.#flying = [];
    this.#busy = false;
    for (const submit of submits) submit.done();
    if (this.#failure !== null || this.#closed) return;
    if (this.#pending.length > 0 || this.#late !== null) return this.#schedule();
    this.#writeWitness();
    this.#tellIdle();
  }

  /** Seals the newest segment and begins another, then goes on. */
  #rotate(): void {
    const old = this.active;
    this.#head(0, frameType.seal, 0);
    this.#write(frameHeaderBytes, () => {
      this.#sync(() => this.#begin(old));
    });
  }

  #begin(old: LogFile): void {
    let file: LogFile;
    try {
      file = LogFile.open(this.#env.disk, this.#directory.path, old.number + 1, "create");
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return this.#retryOrFail(error, () => this.#begin(old));
    }
    file.sizeBytes = 0;
    this.files.push(file);
    this.#frames = this.#framesOf(file);
    const header = {
      fileNumber: file.number, epoch: this.#epoch, previousNumber: old.number, previousBytes: old.sizeBytes,
    };
    writeFileHeader(this.#bytes, this.#view, fileMagic.raft, header);
    this.#frames.earlierDurable = true;
    this.#write(fileHeaderBytes, () => {
      this.#sync(() => {
        // A file without a durable entry in its directory is lost with everything in it.
        this.#syncEntry();
      });
    });
  }

  #syncEntry(): void {
    this.#directory.sync((error) => {
      if (this.#closed || this.#failure !== null) return;
      if (error !== null) return this.#retryOrFail(error, () => this.#syncEntry());
      this.#busy = false;
      this.#owner.sealed();
      this.#pump();
      this.#tellIdle();
    });
  }

  #framesOf(file: LogFile): FrameWriter {
    return new FrameWriter(this.#bytes, this.#view, file.number, this.#epoch);
  }

  /** Heads the payload in the buffer, which goes to the end of the newest segment. */
  #head(payloadBytes: number, type: FrameType, changeCount: number): void {
    this.#frames.base = this.active.sizeBytes;
    this.#frames.write(0, payloadBytes, type, changeCount);
  }

  /** The buffer's first `bytes` bytes to the end of the newest segment. */
  #write(bytes: number, done: () => void): void {
    const { active } = this;
    let at = 0;
    try {
      while (at < bytes) at += active.file.write(active.sizeBytes + at, this.#bytes, at, bytes);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      // The same bytes go to the same place again: nobody was told of them.
      return this.#retryOrFail(error, () => this.#write(bytes, done));
    }
    this.#retries = 0;
    active.sizeBytes += bytes;
    this.writtenBytes += bytes;
    this.frameCount++;
    done();
  }

  #sync(done: () => void): void {
    const { active } = this;
    const covers = active.sizeBytes;
    this.syncCount++;
    const ended = (error: DiskError | null): void => {
      this.#pace.end();
      if (this.#closed || this.#failure !== null) return;
      if (error !== null) return this.#fail(error);
      this.#frames.durableBytes = covers;
      done();
    };
    const waits = this.#pace.mayWait;
    this.#pace.begin();
    if (waits) ended(syncNow(active.file));
    else startSync(active.file, ended);
  }

  /** A flipped bit in the last frame must not look like a torn tail: something behind it vouches for it. */
  #writeWitness(): void {
    const { active } = this;
    if (this.#closed || this.#frames.durableBytes !== active.sizeBytes) return;
    this.#head(0, frameType.witness, 0);
    try {
      // A short write leaves half a witness, which is none. The next frame is written over the same place.
      active.file.write(active.sizeBytes, this.#bytes, 0, frameHeaderBytes);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      // A full disk takes no witness, and nothing is lost by that.
      if (error.code !== "ENOSPC") this.#fail(error);
    }
  }

  #retryOrFail(error: DiskError, again: () => void): void {
    const full = error.code === "ENOSPC" || error.code === "EMFILE";
    if (!full || this.#retries === spaceRetriesMax) return this.#fail(error);
    this.#retries++;
    this.#env.clock.after(spaceRetryUs, () => {
      if (this.#failure === null && !this.#closed) again();
    });
  }

  #fail(error: DiskError): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.#env.trace.emit("raft/log-failed", { code: error.code, path: error.path });
    this.#pending = [];
    this.#late = null;
    this.#owner.failed(error);
    this.#tellIdle();
  }

  #tellIdle(): void {
    const idle = !this.#busy && this.#pending.length === 0 && this.#late === null;
    if (!idle && this.#failure === null) return;
    for (const done of this.#idleWaiters.splice(0)) done();
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#bytes.length) return;
    this.#bytes = new Uint8Array(Math.max(bytes, 2 * this.#bytes.length));
    this.#view = new DataView(this.#bytes.buffer);
    const { durableBytes, earlierDurable } = this.#frames;
    this.#frames = this.#framesOf(this.active);
    this.#frames.durableBytes = durableBytes;
    this.#frames.earlierDurable = earlierDurable;
  }
}

function submitOf(changes: readonly LogChange[], mustSync: boolean, done: () => void): Submit {
  assert(changes.length <= frameBatchesMax, "one frame can count the changes of a submit");
  let bytes = 0;
  for (let i = 0; i < changes.length; i++) bytes += changeBytes(changes[i] as LogChange);
  return { changes, bytes, mustSync, done };
}
