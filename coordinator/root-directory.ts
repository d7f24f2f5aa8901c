import { DiskError, type DiskLock } from "../core/env/disk.ts";
import type { Env } from "../core/env/env.ts";
import { enterEmptyDirectory, lockDirectory, syncDirectory } from "../core/engine/directory.ts";
import { refusal } from "../core/engine/failure.ts";
import { lockName } from "../core/engine/file-names.ts";
import { NokvError } from "../core/errors.ts";
import { beginIncarnation, type StoreIdent } from "../raft/store/ident.ts";
import type { RaftLogOptions } from "../raft/store/log-writer.ts";
import { RaftLog, raftLogOptionsDefault } from "../raft/store/raft-log.ts";
import { beginBirth } from "./group-founding.ts";
import { journalFileNumber } from "./journal-file.ts";
import { memberIdOf } from "./service/methods.ts";

/** The Raft log of a group's member, within its directory. */
export const rootDirectoryName = "root";

export interface RootDirectoryConfig {
  readonly workDir: string;
  readonly clusterId: string;
  /** Where the member is reached: `coordinatorIdOf`. */
  readonly storeId: number;
  /** Owner of the lock, for people. */
  readonly owner: string;
  readonly raftLog?: Partial<RaftLogOptions>;
  /** Called at most once: the disk refused what may not be refused. */
  readonly failed: (error: NokvError) => void;
}

/** What a member of the Coordinator's group keeps: a Raft log, with a checkpoint of the state among its notes. */
export class RootDirectory {
  readonly log: RaftLog;
  /** Its incarnation is durable: no two processes of a member have the same. */
  readonly ident: StoreIdent;
  /** Of this directory, and of no other. */
  readonly birth: number;
  readonly #lock: DiskLock;

  // oxlint-disable-next-line max-params
  constructor(log: RaftLog, ident: StoreIdent, birth: number, lock: DiskLock) {
    this.log = log;
    this.ident = ident;
    this.birth = birth;
    this.#lock = lock;
  }

  /** Everything submitted is told first, unless the log failed. */
  async close(): Promise<void> {
    await this.log.close();
    release(this.#lock);
  }
}

/**
 * Opens or begins the directory of a member, and another incarnation of it. Rejects with `NOKV_FOREIGN_DIRECTORY` for
 * what is another's, a Coordinator that is alone included; `NOKV_LOCKED`; and what the log's opening rejects with.
 * Nothing is open then.
 */
export async function openRootDirectory(env: Env, config: RootDirectoryConfig): Promise<RootDirectory> {
  const { workDir, clusterId, storeId, owner, failed } = config;
  let lock: DiskLock | null = null;
  let log: RaftLog | null = null;
  try {
    await enterRootDirectory(env, workDir);
    lock = lockDirectory(env, workDir, owner);
    const path = `${workDir}/${rootDirectoryName}`;
    if (env.disk.kind(path) === null) env.disk.mkdir(path);
    // Also when a crash came between an earlier attempt's mkdir and its sync.
    await syncDirectory(env, workDir);
    log = await RaftLog.open(env, path, { ...raftLogOptionsDefault, ...config.raftLog }, (error) => {
      failed(refusal(error, `the Coordinator's log in ${path} failed`));
    });
    const ident = await beginIncarnation(log, clusterId, storeId);
    const drawn = 1 + env.random.u32("coordinator/birth", memberIdOf(storeId), Math.max(0, env.clock.wallMs()));
    return new RootDirectory(log, ident, await beginBirth(log, drawn), lock);
  } catch (error) {
    if (!(error instanceof NokvError) && !(error instanceof DiskError)) throw error;
    await log?.close();
    if (lock !== null) release(lock);
    throw error instanceof DiskError ? refusal(error, `opening the Coordinator's directory ${workDir}`) : error;
  }
}

async function enterRootDirectory(env: Env, workDir: string): Promise<void> {
  if (env.disk.kind(workDir) !== "directory") return enterEmptyDirectory(env, workDir, "a Coordinator");
  const names = env.disk.list(workDir);
  const foreign = names.find((name) => name !== lockName && name !== rootDirectoryName);
  if (foreign === undefined) return;
  const alone = journalFileNumber(foreign) !== null;
  const what = alone ? "is that of a Coordinator that is alone" : `holds other files (${foreign})`;
  const message = `${workDir} ${what}: give an empty directory to a member of a group`;
  throw new NokvError("NOKV_FOREIGN_DIRECTORY", message, { path: workDir });
}

function release(lock: DiskLock): void {
  try {
    lock.release();
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
  }
}
