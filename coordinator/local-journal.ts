import { assert } from "../core/assert.ts";
import { DiskError, type DiskLock } from "../core/env/disk.ts";
import type { Env } from "../core/env/env.ts";
import { lockDirectory } from "../core/engine/directory.ts";
import { refusal } from "../core/engine/failure.ts";
import { DirectorySync } from "../core/wal/directory-sync.ts";
import { spaceRetriesMax, spaceRetryUs } from "../core/wal/wal-config.ts";
import type { Assessment } from "./assess.ts";
import { CoordinatorError } from "./coordinator-error.ts";
import {
  noToken,
  type OfficeWatcher,
  type Proposed,
  type RootJournal,
  type RootStatus,
  type RootToken,
} from "./journal.ts";
import {
  createJournalFile,
  enterJournalDirectory,
  type JournalSurvey,
  removeFiles,
  surveyJournal,
} from "./journal-directory.ts";
import { type JournalFile, journalFileName, journalTempName } from "./journal-file.ts";
import { type JournalImage, readJournal } from "./journal-reader.ts";
import { reduce } from "./reduce.ts";
import type { RootEvent } from "./root-event.ts";
import { type CoordinatorState, emptyState } from "./state.ts";

export interface LocalJournalOptions {
  /** Owner of the lock, for people. */
  readonly owner: string;
  /** A file beyond this is replaced by a checkpoint, unless most of it is one already. */
  readonly fileBytesMax: number;
  /** Called once, when the disk refused: from then on nothing can be decided, and only another opening mends that. */
  readonly failed?: (error: DiskError) => void;
}

export const journalFileBytesMax = 1_048_576;

interface Pending {
  /** Null: changes nothing. */
  readonly event: RootEvent | null;
  readonly assessment: Assessment;
  /** After this event and all before it. */
  readonly state: CoordinatorState;
  readonly done: (proposed: Proposed) => void;
}

/**
 * The journal of a single process: a checkpoint and the events since, one frame and one sync for all that gathered
 * during the sync before. Every opening begins a new file with what it recovered, so nothing is ever appended behind a
 * torn tail, and nothing rests on pages whose sync may have failed.
 *
 * After any error nothing more is written: what failed may be durable or not, and only the next opening can tell.
 */
export class LocalJournal implements RootJournal {
  readonly #env: Env;
  readonly #directory: DirectorySync;
  readonly #lock: DiskLock;
  readonly #fileBytesMax: number;
  readonly #failed: (error: DiskError) => void;
  #file: JournalFile;
  #state: CoordinatorState;
  #token: RootToken;
  /** After everything proposed so far, durable or not. */
  #staged: CoordinatorState;
  #gathering: Pending[] = [];
  #writing: Pending[] = [];
  #scheduled = false;
  #failure: DiskError | null = null;
  #closing = false;
  #released = false;
  readonly #closeWaiters: (() => void)[] = [];

  // oxlint-disable-next-line max-params
  private constructor(
    env: Env,
    directory: DirectorySync,
    lock: DiskLock,
    file: JournalFile,
    opened: JournalImage,
    { fileBytesMax, failed = () => {} }: LocalJournalOptions,
  ) {
    this.#env = env;
    this.#directory = directory;
    this.#lock = lock;
    this.#file = file;
    this.#state = opened.state;
    this.#staged = opened.state;
    this.#token = opened.token;
    this.#fileBytesMax = fileBytesMax;
    this.#failed = failed;
  }

  /** Throws `NokvError`. */
  static async open(env: Env, directory: string, options: LocalJournalOptions): Promise<LocalJournal> {
    let lock: DiskLock | null = null;
    try {
      await enterJournalDirectory(env, directory);
      lock = lockDirectory(env, directory, options.owner);
      const found = surveyJournal(env, directory);
      const before = found.newest === 0 ? null : readJournal(env.disk, directory, found.newest);
      const { state, token } = before ?? { state: emptyState, token: noToken };
      // A new term, although nothing happened: places of this opening are above all that were told before.
      const opened = { state, token: { term: token.term + 1, index: token.index }, tornBytes: 0 };
      const torn = before?.tornBytes ?? 0;
      env.trace.emit("coordinator/opened", { term: opened.token.term, index: token.index, torn });
      const directorySync = new DirectorySync(env.disk, directory);
      const file = await beginFile(env, directorySync, found, opened);
      removeFiles(env, directory, found.obsolete);
      return new LocalJournal(env, directorySync, lock, file, opened, options);
    } catch (error) {
      if (lock !== null) release(lock);
      if (error instanceof DiskError) throw refusal(error, `opening the Coordinator's journal in ${directory}`);
      throw error;
    }
  }

  get state(): CoordinatorState {
    return this.#state;
  }

  get token(): RootToken {
    return this.#token;
  }

  get status(): RootStatus {
    const role = this.#failure === null && !this.#closing ? "leader" : "none";
    return { role, newest: this.#token, lag: 0, bootstrapRequired: false, leader: 0 };
  }

  propose(event: RootEvent, done: (proposed: Proposed) => void): void {
    const refused = this.#refusal();
    if (refused !== null) {
      this.#env.clock.soon(() => done({ error: refused }));
      return;
    }
    const { state, assessment } = reduce(this.#staged, event);
    this.#staged = state;
    // What changes nothing rests on events that may not be durable yet: it waits for them.
    const applied = assessment.decision === "APPLY" ? event : null;
    this.#gathering.push({ event: applied, assessment, state, done });
    this.#schedule();
  }

  /** One process that holds the lock is always alone. */
  confirm(done: (error: CoordinatorError | null) => void): void {
    this.#env.clock.soon(() => done(this.#refusal()));
  }

  /** It decides from its opening to its end. */
  watchOffice(watcher: OfficeWatcher): void {
    this.#env.clock.soon(() => watcher.lead());
  }

  /** Lets go of the directory once what is under way has ended. What is proposed from now on is refused. */
  close(): Promise<void> {
    this.#closing = true;
    return new Promise((resolve) => {
      this.#closeWaiters.push(resolve);
      this.#finishClose();
    });
  }

  #finishClose(): void {
    if (!this.#closing || this.#writing.length > 0 || this.#gathering.length > 0) return;
    if (!this.#released) {
      this.#released = true;
      this.#file.close();
      release(this.#lock);
    }
    for (const resolve of this.#closeWaiters.splice(0)) resolve();
  }

  #refusal(): CoordinatorError | null {
    if (this.#closing) return new CoordinatorError("STOPPED", "the Coordinator is shutting down");
    if (this.#failure === null) return null;
    const message = `the Coordinator's journal takes nothing after ${this.#failure.message}; restart it`;
    return new CoordinatorError("ROOT_UNAVAILABLE", message);
  }

  /** On the next turn: what is proposed in one turn goes into one frame. */
  #schedule(): void {
    if (this.#scheduled || this.#writing.length > 0) return;
    this.#scheduled = true;
    this.#env.clock.soon(() => {
      this.#scheduled = false;
      this.#write();
    });
  }

  #write(): void {
    if (this.#failure !== null || this.#gathering.length === 0) return;
    assert(this.#writing.length === 0, "one frame is under way at a time");
    this.#writing = this.#gathering;
    this.#gathering = [];
    const events = this.#writing.map(({ event }) => event).filter((event) => event !== null);
    if (events.length === 0) return this.#written(null);
    if (this.#file.sizeBytes > this.#fileBytesMax && this.#file.hasGrown()) this.#startNewFile(events);
    else this.#append(events, spaceRetriesMax);
  }

  #append(events: readonly RootEvent[], retriesLeft: number): void {
    try {
      this.#file.append({ kind: "events", events });
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (error.code !== "ENOSPC" || retriesLeft === 0) return this.#written(error);
      this.#env.clock.after(spaceRetryUs, () => this.#append(events, retriesLeft - 1));
      return;
    }
    this.#file.sync((error) => this.#written(error));
  }

  /** The state, these events included, becomes the checkpoint of a new file. */
  #startNewFile(events: readonly RootEvent[]): void {
    const { path } = this.#directory;
    const number = this.#file.number + 1;
    const index = this.#token.index + events.length;
    const state = this.#writing.at(-1)?.state ?? this.#state;
    const checkpoint = { kind: "checkpoint", term: this.#token.term, index, state } as const;
    const content = { number, epoch: this.#file.epoch, checkpoint };
    createJournalFile(this.#env, this.#directory, content, (error, file, removable) => {
      if (file === null) {
        if (error?.code !== "ENOSPC" || !removable) return this.#written(error);
        // A refused write, not a failed sync: the old file is as good as before.
        removeFiles(this.#env, path, [journalTempName(number)]);
        return this.#append(events, spaceRetriesMax);
      }
      const old = this.#file;
      this.#file = file;
      old.close();
      removeFiles(this.#env, path, [journalFileName(old.number)]);
      this.#written(null);
    });
  }

  #written(error: DiskError | null): void {
    if (error !== null) return this.#fail(error);
    const told = this.#writing;
    this.#writing = [];
    for (const { event, state, assessment, done } of told) {
      if (event !== null) this.#token = { term: this.#token.term, index: this.#token.index + 1 };
      this.#state = state;
      done({ error: null, assessment, token: this.#token });
    }
    if (this.#gathering.length > 0) this.#schedule();
    else if (told.some(({ event }) => event !== null)) this.#witness();
    this.#finishClose();
  }

  #witness(): void {
    try {
      this.#file.writeWitness();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      // A full disk takes no witness, and nothing is lost by that.
      if (error.code !== "ENOSPC") this.#fail(error);
    }
  }

  /** What was on its way may be durable; what was only gathered is not. */
  #fail(error: DiskError): void {
    this.#failure = error;
    this.#env.trace.emit("coordinator/journal-failed", { code: error.code, path: error.path });
    const undetermined = `the event may or may not be kept: ${error.message}`;
    for (const { done } of this.#writing.splice(0)) {
      done({ error: new CoordinatorError("ROOT_UNDETERMINED", undetermined) });
    }
    const refused = this.#refusal() ?? new CoordinatorError("STOPPED", "the Coordinator is shutting down");
    for (const { done } of this.#gathering.splice(0)) done({ error: refused });
    this.#failed(error);
    this.#finishClose();
  }
}

function beginFile(
  env: Env,
  directory: DirectorySync,
  found: JournalSurvey,
  { state, token }: JournalImage,
): Promise<JournalFile> {
  const number = found.nextNumber;
  const epoch = env.random.u32("coordinator/journal-epoch", number, Math.max(0, env.clock.wallMs()));
  const checkpoint = { kind: "checkpoint", term: token.term, index: token.index, state } as const;
  return new Promise((resolve, reject) => {
    createJournalFile(env, directory, { number, epoch, checkpoint }, (error, file) => {
      if (file !== null) resolve(file);
      else reject(error ?? new DiskError("EIO", "create", directory.path));
    });
  });
}

function release(lock: DiskLock): void {
  try {
    lock.release();
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
  }
}
