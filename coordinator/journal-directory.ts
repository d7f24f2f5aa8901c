import { assert } from "../core/assert.ts";
import { DiskError, type DiskFile } from "../core/env/disk.ts";
import type { Env } from "../core/env/env.ts";
import { NokvError } from "../core/errors.ts";
import { enterEmptyDirectory, syncDirectory } from "../core/engine/directory.ts";
import { lockName } from "../core/engine/file-names.ts";
import { closeFile } from "../core/wal/close-file.ts";
import type { DirectorySync } from "../core/wal/directory-sync.ts";
import {
  type JournalContent,
  JournalFile,
  journalFileName,
  journalFileNumber,
  journalTempName,
} from "./journal-file.ts";

/** The files of a journal, as found. */
export interface JournalSurvey {
  /** The one that counts; 0: none. */
  readonly newest: number;
  /** Above every number in use. */
  readonly nextNumber: number;
  /** Ours, and without a meaning any more once a newer file is durable. */
  readonly obsolete: readonly string[];
}

/** Makes sure of a directory that holds a journal or may become one, durable in its parent. */
export async function enterJournalDirectory(env: Env, directory: string): Promise<void> {
  const kind = env.disk.kind(directory);
  if (kind === null) return enterEmptyDirectory(env, directory, "a Coordinator");
  if (kind !== "directory") {
    throw new NokvError("NOKV_INVALID_ARGUMENT", `${directory} is a file; a Coordinator needs a directory`);
  }
  const names = env.disk.list(directory);
  if (names.some((name) => journalFileNumber(name)?.temporary === false)) return;
  const foreign = names.find((name) => name !== lockName && journalFileNumber(name) === null);
  if (foreign !== undefined) {
    const message = `${directory} holds other files (${foreign}) and no journal: give an empty directory`;
    throw new NokvError("NOKV_FOREIGN_DIRECTORY", message, { path: directory });
  }
  // A crash may have come between an earlier attempt's mkdir and its sync.
  const slash = directory.lastIndexOf("/");
  await syncDirectory(env, slash < 0 ? "." : slash === 0 ? "/" : directory.slice(0, slash));
}

export function surveyJournal(env: Env, directory: string): JournalSurvey {
  let newest = 0;
  let highest = 0;
  const obsolete: string[] = [];
  for (const name of env.disk.list(directory)) {
    const own = journalFileNumber(name);
    if (own === null) continue;
    highest = Math.max(highest, own.number);
    if (!own.temporary) newest = Math.max(newest, own.number);
    obsolete.push(name);
  }
  return { newest, nextNumber: highest + 1, obsolete };
}

/** `removable`: a refused write of a file that nothing names yet. */
type CreateDone = (error: DiskError | null, file: JournalFile | null, removable: boolean) => void;

/**
 * A new journal file with its checkpoint. It gets its name when its content is durable, and `done(null)` comes when
 * its name is. Until then a crash leaves the one before, or this one, which says the same. `done` may be called
 * inside the call.
 */
export function createJournalFile(
  env: Env,
  directory: DirectorySync,
  content: { readonly number: number; readonly epoch: number; readonly checkpoint: JournalContent },
  done: CreateDone,
): void {
  const { number, epoch, checkpoint } = content;
  const temp = `${directory.path}/${journalTempName(number)}`;
  const journal = new JournalFile(number, epoch);
  let file: DiskFile | null = null;
  const refuse = (error: DiskError, removable: boolean): void => {
    if (file !== null) closeFile(file);
    done(error, null, removable);
  };
  try {
    if (env.disk.kind(temp) !== null) env.disk.remove(temp);
    file = env.disk.open(temp, "create");
    journal.begin(file, checkpoint);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return refuse(error, true);
  }
  journal.sync((error) => {
    if (error !== null) return refuse(error, false);
    try {
      env.disk.rename(temp, `${directory.path}/${journalFileName(number)}`);
    } catch (failure) {
      if (!(failure instanceof DiskError)) throw failure;
      return refuse(failure, false);
    }
    directory.sync((failure) => (failure === null ? done(null, journal, false) : refuse(failure, false)));
  });
}

/** Files that say nothing any more. What a disk refuses to remove, the next opening does. */
export function removeFiles(env: Env, directory: string, names: readonly string[]): void {
  for (const name of names) {
    assert(journalFileNumber(name) !== null, "only our own files are removed");
    try {
      env.disk.remove(`${directory}/${name}`);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    }
  }
}
