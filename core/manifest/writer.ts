import { assert } from "../assert.ts";
import { DiskError, type SyncDone } from "../env/disk.ts";
import type { Env } from "../env/env.ts";
import type { TableMeta } from "../lsm/table-meta.ts";
import type { ValueFileMeta } from "../vlog/value-file.ts";
import type { DirectorySync } from "../wal/directory-sync.ts";
import { spaceRetriesMax, spaceRetryUs } from "../wal/wal-config.ts";
import { manifestName, switchCurrent } from "./current.ts";
import type { ManifestEdit } from "./edit.ts";
import type { FormatGate } from "./format-gate.ts";
import { createManifest, type ManifestLog } from "./log.ts";
import type { ManifestState } from "./state.ts";

/** What a caller changes; the rest of the edit is filled in when it is written. */
export interface ManifestChange {
  readonly logNumber?: number;
  readonly closedBytes?: number;
  readonly listed?: readonly number[];
  readonly removed?: readonly number[];
  readonly added?: readonly TableMeta[];
  readonly valuesRemoved?: readonly number[];
  readonly valuesAdded?: readonly ValueFileMeta[];
  readonly gate?: FormatGate;
}

/** Who owns the manifest. */
export interface ManifestOwner {
  /** Below what every file named so far is; the manifest promises it to the next opening. */
  nextFile(): number;
  lastVersion(): number;
  allocateFile(): number;
  /** The manifest takes no more. Told once. */
  failed(error: DiskError): void;
  /** The disk is full: whatever can be spared shall go. */
  needsRoom(): void;
}

interface Pending {
  readonly change: ManifestChange;
  readonly done: SyncDone;
}

/**
 * Appends edits to the manifest, one sync each and in order, and starts a new file when it has grown: the
 * next edit is not written before the one ahead of it is durable, so a valid edit vouches for all before
 * it.
 *
 * After any error nothing more is written: an edit that failed may be durable or not.
 */
export class ManifestWriter {
  readonly #env: Env;
  readonly #directory: DirectorySync;
  readonly #bytesMax: number;
  readonly #owner: ManifestOwner;
  readonly state: ManifestState;
  readonly epoch: number;
  #log: ManifestLog;
  readonly #queue: Pending[] = [];
  readonly #idleWaiters: (() => void)[] = [];
  #busy = false;
  #failure: DiskError | null = null;

  // oxlint-disable-next-line max-params
  constructor(
    env: Env,
    directory: DirectorySync,
    log: ManifestLog,
    state: ManifestState,
    bytesMax: number,
    owner: ManifestOwner,
  ) {
    this.#env = env;
    this.#directory = directory;
    this.#log = log;
    this.#bytesMax = bytesMax;
    this.#owner = owner;
    this.state = state;
    this.epoch = log.epoch;
  }

  get number(): number {
    return this.#log.number;
  }

  /** Of the present file. */
  get endBytes(): number {
    return this.#log.endBytes;
  }

  /** Nothing is under way, and nothing has failed: CURRENT names the present file. */
  get atRest(): boolean {
    return !this.#busy && this.#failure === null;
  }

  /** `done` once nothing is under way any more, also after a failure. */
  whenIdle(done: () => void): void {
    if (this.#busy) this.#idleWaiters.push(done);
    else done();
  }

  /** `done` once the change is durable. Changes take effect in the order of the calls. */
  append(change: ManifestChange, done: SyncDone): void {
    const failure = this.#failure;
    if (failure !== null) {
      this.#env.clock.soon(() => done(failure));
      return;
    }
    this.#queue.push({ change, done });
    this.#pump();
  }

  /** Writes nothing more, without telling the owner. Pending changes fail with `error`. */
  poison(error: DiskError): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    for (const pending of this.#queue.splice(0)) pending.done(error);
  }

  closeFile(): void {
    this.#log.close();
  }

  #pump(): void {
    if (this.#busy || this.#failure !== null) return;
    const pending = this.#queue.shift();
    if (pending === undefined) return;
    this.#busy = true;
    const edit = this.#complete(pending.change);
    const problem = this.state.apply(edit);
    assert(problem === null, "an edit follows from the state before it");
    const finished: SyncDone = (error) => this.#finished(error, pending.done);
    if (this.#log.bytesAfter(edit) > this.#bytesMax && this.#log.hasGrown()) this.#startNewFile(edit, finished);
    else this.#appendToFile(edit, finished);
  }

  #complete(change: ManifestChange): ManifestEdit {
    const logNumber = change.logNumber ?? this.state.logNumber;
    const newest = this.state.listed[this.state.listed.length - 1] ?? 0;
    return {
      kind: "change",
      logNumber,
      nextFile: this.#owner.nextFile(),
      lastVersion: this.#owner.lastVersion(),
      closedBytes: change.closedBytes ?? 0,
      // While this change waited, a segment may have been listed already, or flushed and dropped.
      listed: (change.listed ?? []).filter((number) => number >= logNumber && number > newest),
      removed: change.removed ?? [],
      added: change.added ?? [],
      valuesRemoved: change.valuesRemoved ?? [],
      valuesAdded: change.valuesAdded ?? [],
      gate: change.gate ?? null,
    };
  }

  #appendToFile(edit: ManifestEdit, done: SyncDone, retriesLeft = spaceRetriesMax): void {
    try {
      this.#log.append(edit);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (error.code !== "ENOSPC" || retriesLeft === 0) return done(error);
      this.#owner.needsRoom();
      // The same bytes go to the same place later: until its sync, nobody was told of them.
      this.#env.clock.after(spaceRetryUs, () => {
        if (this.#failure !== null) done(this.#failure);
        else this.#appendToFile(edit, done, retriesLeft - 1);
      });
      return;
    }
    this.#log.sync(this.#directory.syncs, done);
  }

  /** The state, this edit included, becomes the base of a new file. */
  #startNewFile(edit: ManifestEdit, done: SyncDone): void {
    const number = this.#owner.allocateFile();
    // The new file's own number is below what it promises.
    this.state.nextFile = this.#owner.nextFile();
    const content = { number, epoch: this.epoch, base: this.state.base() };
    let begun = false;
    createManifest(this.#env, this.#directory, content, (error, log) => {
      if (log === null) {
        // A refused write, not a failed sync: the old file is as good as before.
        if (error?.code !== "ENOSPC" || begun) return done(error);
        this.#remove(number);
        return this.#appendToFile(edit, done);
      }
      this.#switchTo(log, edit, done);
    });
    begun = true;
  }

  #switchTo(log: ManifestLog, edit: ManifestEdit, done: SyncDone): void {
    let begun = false;
    switchCurrent(this.#env, this.#directory, log, (error) => {
      if (error === null) {
        this.#replaceFile(log);
        return done(null);
      }
      log.close();
      // A refused write of what would have become CURRENT: it names the old file as before.
      if (error.code !== "ENOSPC" || begun) return done(error);
      this.#remove(log.number);
      this.#appendToFile(edit, done);
    });
    begun = true;
  }

  #replaceFile(log: ManifestLog): void {
    const old = this.#log;
    this.#log = log;
    old.close();
    this.#remove(old.number);
  }

  #remove(number: number): void {
    try {
      this.#env.disk.remove(`${this.#directory.path}/${manifestName(number)}`);
    } catch (error) {
      // Garbage that the next opening removes.
      if (!(error instanceof DiskError)) throw error;
    }
  }

  #finished(error: DiskError | null, done: SyncDone): void {
    this.#busy = false;
    if (error !== null && this.#failure === null) this.#fail(error);
    done(this.#failure);
    if (this.#failure === null && !this.#busy) {
      if (this.#queue.length > 0) this.#pump();
      else this.#writeWitness();
    }
    if (this.#busy) return;
    for (const idle of this.#idleWaiters.splice(0)) idle();
  }

  #writeWitness(): void {
    try {
      this.#log.writeWitness();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      // A full disk takes no witness, and nothing is lost by that.
      if (error.code !== "ENOSPC") this.#fail(error);
    }
  }

  /** The owner hears of it before anybody who waits: nobody acts on a store that looks healthy. */
  #fail(error: DiskError): void {
    this.#env.trace.emit("manifest/failed", { code: error.code, path: error.path });
    const pending = this.#queue.splice(0);
    this.#failure = error;
    this.#owner.failed(error);
    for (const change of pending) change.done(error);
  }
}
