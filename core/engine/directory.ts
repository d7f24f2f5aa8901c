import { DiskError, type DiskLock } from "../env/disk.ts";
import type { Env } from "../env/env.ts";
import { corruption, NokvError } from "../errors.ts";
import { closeFile } from "../wal/close-file.ts";
import { fileHeaderBytes } from "../wal/file-header.ts";
import { invalidArgument } from "./failure.ts";
import { lockName, type OwnFile, ownFile } from "./file-names.ts";
import type { EngineOptions } from "./options.ts";

/** What stands in a database's directory. */
export interface Survey {
  readonly files: readonly OwnFile[];
  /** Names that are not ours; never touched. */
  readonly foreign: readonly string[];
  readonly hasCurrent: boolean;
}

const createRemedy = "give another directory, or an empty one";

export function survey(env: Env, directory: string): Survey {
  const files: OwnFile[] = [];
  const foreign: string[] = [];
  for (const name of env.disk.list(directory)) {
    const own = ownFile(name);
    if (own === null) foreign.push(name);
    else files.push(own);
  }
  return { files, foreign, hasCurrent: files.some((file) => file.kind === "current") };
}

/**
 * Makes sure that there is a directory which holds a database or may become one, as the options allow, and
 * changes nothing otherwise. Asynchronous because a new directory must be durable in its parent.
 */
export async function enterDirectory(
  env: Env,
  directory: string,
  options: EngineOptions,
  admit: typeof checkSurvey,
): Promise<void> {
  const kind = env.disk.kind(directory);
  if (kind === "file") throw invalidArgument(`${directory} is a file; a database needs a directory`);
  if (kind === null) {
    if (!options.createIfMissing) throw missing(directory);
    await createDirectories(env, directory);
    return;
  }
  // Before LOCK is created: a directory that is refused stays as it was.
  const found = survey(env, directory);
  admit(env, directory, found, options);
  // A crash may have come between an earlier attempt's mkdir and its sync.
  if (!found.hasCurrent) await syncDirectory(env, parentOf(directory));
}

/**
 * What the options and the files present say about going on. `interrupted`: a first opening that a crash
 * ended.
 */
export function checkSurvey(env: Env, directory: string, found: Survey, options: EngineOptions): void {
  if (found.hasCurrent) {
    if (options.errorIfExists) throw invalidArgument(`a database exists in ${directory} (errorIfExists is true)`);
    return;
  }
  const data = found.files.filter((file) => isData(file));
  if (data.length > 0 && !data.every((file) => isUnfinished(env, directory, file))) {
    const names = data.map((file) => file.name).slice(0, 3).join(", ");
    // Never a fresh database over somebody's data.
    const what = `the file is missing although there are ${names}`;
    throw corruption(`${directory}/CURRENT`, 0, what, "restore it");
  }
  if (found.foreign.length > 0) {
    const names = found.foreign.slice(0, 3).join(", ");
    const message = `${directory} holds other files (${names}) and no database: ${createRemedy}`;
    throw new NokvError("NOKV_FOREIGN_DIRECTORY", message, { path: directory });
  }
  if (!options.createIfMissing) throw missing(directory);
}

export function lockDirectory(env: Env, directory: string, owner: string): DiskLock {
  return locked(directory, (path) => env.disk.lock(path, owner));
}

/** For those who only look: nothing is created or changed. Throws `NOKV_NOT_FOUND` when there is no directory. */
export function lookAtDirectory(env: Env, directory: string): DiskLock {
  const kind = env.disk.kind(directory);
  if (kind === null) throw missing(directory);
  if (kind !== "directory") throw invalidArgument(`${directory} is a file; a database needs a directory`);
  return locked(directory, (path) => env.disk.lockShared(path));
}

function locked(directory: string, lock: (path: string) => DiskLock): DiskLock {
  const path = `${directory}/${lockName}`;
  try {
    return lock(path);
  } catch (error) {
    if (!(error instanceof DiskError) || error.code !== "ELOCKED") throw error;
    const holder = error.holder === "" ? "somebody who left no name" : error.holder;
    throw new NokvError("NOKV_LOCKED", `${directory} is in use by ${holder}`, { path, cause: error });
  }
}

export function syncDirectory(env: Env, directory: string): Promise<void> {
  return new Promise((resolve, reject) => {
    env.disk.syncDir(directory, (error) => (error === null ? resolve() : reject(error)));
  });
}

function isData(file: OwnFile): boolean {
  return file.kind === "manifest" || file.kind === "wal" || file.kind === "table" || file.kind === "value";
}

/** What a first opening may leave before CURRENT is there: the first two files, with nothing in the log. */
function isUnfinished(env: Env, directory: string, file: OwnFile): boolean {
  if (file.kind === "manifest") return file.number === firstManifestNumber;
  if (file.kind !== "wal" || file.number !== firstWalNumber) return false;
  const path = `${directory}/${file.name}`;
  if (env.disk.kind(path) !== "file") return false;
  const opened = env.disk.open(path, "read");
  try {
    return opened.sizeBytes() <= fileHeaderBytes;
  } finally {
    closeFile(opened);
  }
}

export const firstManifestNumber = 1;
const firstWalNumber = 2;

function missing(directory: string): NokvError {
  const message = `a database does not exist in ${directory} (createIfMissing is false)`;
  return new NokvError("NOKV_NOT_FOUND", message, { path: directory });
}

/**
 * Makes sure of a directory for `what` that holds nothing but LOCK at most, and whose name is durable. Throws
 * `NokvError` for what is in the way, and `DiskError`.
 */
export async function enterEmptyDirectory(env: Env, directory: string, what: string): Promise<void> {
  if (directory === "") throw invalidArgument(`the directory of ${what} has no name`);
  const kind = env.disk.kind(directory);
  if (kind === null) return createDirectories(env, directory);
  if (kind !== "directory") throw invalidArgument(`${directory} is a file; ${what} needs a directory`);
  const first = env.disk.list(directory).find((name) => ownFile(name)?.kind !== "lock");
  if (first !== undefined) {
    const message = `${directory} is not empty (${first}): give a directory that does not exist yet`;
    throw new NokvError("NOKV_FOREIGN_DIRECTORY", message, { path: directory });
  }
  await syncDirectory(env, parentOf(directory));
}

/** Creates what is missing on the way to `directory`, and makes each name durable in its parent. */
async function createDirectories(env: Env, directory: string): Promise<void> {
  const absent: string[] = [];
  let path = directory;
  while (path !== "" && path !== "/" && path !== "." && env.disk.kind(path) === null) {
    absent.push(path);
    path = parentOf(path);
  }
  for (const created of absent.reverse()) {
    env.disk.mkdir(created);
    try {
      await syncDirectory(env, parentOf(created));
    } catch (error) {
      if (error instanceof DiskError) moveAway(env, created);
      throw error;
    }
  }
}

/**
 * An entry whose sync failed may vanish at the next power loss, even after a later sync that succeeds. The
 * next attempt must not find this empty directory and trust it.
 */
function moveAway(env: Env, created: string): void {
  try {
    env.disk.rename(created, `${created}.failed`);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
  }
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  if (slash < 0) return ".";
  return slash === 0 ? "/" : path.slice(0, slash);
}
