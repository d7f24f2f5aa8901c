import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Db, openDb } from "../core/engine/db.ts";
import type { EngineOptions } from "../core/engine/options.ts";
import { openReadOnly as openReadOnlyDb, type ReadOnlyDb, type ReadOnlyOptions } from "../core/engine/read-only.ts";
import { NokvError } from "../core/errors.ts";
import { warnOfClock } from "./clock-warning.ts";
import { openHostEnv } from "./env.ts";
import { HostJobs } from "./jobs.ts";
import { LeakTracker } from "./leak-tracker.ts";
import { ownerText } from "./owner-text.ts";

export type { Data, KeyBounds, Lifetime } from "../core/engine/arguments.ts";
export type { Checkpoint } from "../core/engine/checkpoint.ts";
export type {
  BatchOperation,
  Db,
  DbStats,
  ReadOptions,
  ScanOptions,
  SignalOptions,
  WriteOptions,
} from "../core/engine/db.ts";
export type { DbIterator, Entries } from "../core/engine/db-iterator.ts";
export type { OpenHandles } from "../core/engine/open-handles.ts";
export type { Durability, EngineOptions } from "../core/engine/options.ts";
export type { RangeSize } from "../core/engine/range-estimate.ts";
export type { Finding, Severity } from "../core/finding.ts";
export type { ReadOnlyDb, ReadOnlyOptions } from "../core/engine/read-only.ts";
export type { VerifyReport } from "../core/engine/verify.ts";
export type { Snapshot } from "../core/engine/snapshot.ts";
export type { WriteBatch } from "../core/engine/write-batch.ts";
export { NokvError, type NokvErrorCode } from "../core/errors.ts";

export interface OpenOptions extends Partial<EngineOptions> {
  /** What another process reads when it finds the directory locked; by default it names this one. */
  readonly owner?: string;
  /** An abort before or during the opening rejects with `NOKV_ABORTED`, and nothing stays open. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Remember where every iterator and snapshot is opened, so that `stats()`, `close()` and a warning of the
   * process can say who forgot to close one. Costs a stack for each.
   */
  readonly trackLeaks?: boolean | undefined;
}

/**
 * Opens the database in `directory`, created if missing, on this machine's disk. One process at a time: a
 * second one gets `NOKV_LOCKED` with the first one's name. Rejects with `NokvError`; nothing is open then.
 */
export async function open(directory: string | URL, options: OpenOptions = {}): Promise<Db> {
  if (typeof (options as unknown) !== "object" || (options as unknown) === null) {
    throw invalid("the options of open must be an object");
  }
  const { signal, trackLeaks = false, ...engineOptions } = options;
  if (typeof (trackLeaks as unknown) !== "boolean") throw invalid("trackLeaks must be true or false");
  const path = toPath(directory);
  const tracker = trackLeaks ? new LeakTracker(path) : null;
  const jobs = new HostJobs();
  const release = (): Promise<void> => jobs.close();
  const given = { owner: ownerText(), ...engineOptions };
  try {
    const db = await openDb(openHostEnv({ jobs }), path, given, { signal, tracker, release });
    warnOfClock(path, db.engine.nowMs(), Date.now());
    return db;
  } catch (error) {
    await release();
    throw error;
  }
}

/**
 * Opens the database in `directory` to look at it, and changes not one byte there: what a recovery would repair is
 * repaired in memory only. Refused with `NOKV_LOCKED` while a process has it open for writing; several may look at
 * once. With `damaged: "skip"` it shows what is left of a damaged directory, and `problems` lists the rest.
 */
export async function openReadOnly(directory: string | URL, options: ReadOnlyOptions = {}): Promise<ReadOnlyDb> {
  return await openReadOnlyDb(openHostEnv(), toPath(directory), options);
}

/** Absolute: a process that changes its working directory must go on in the directory that it opened. */
function toPath(directory: string | URL): string {
  if (directory instanceof URL && directory.protocol === "file:") return fileURLToPath(directory);
  if (typeof directory === "string" && directory !== "" && !directory.includes("\0")) return resolve(directory);
  throw invalid("directory must be a path or a file: URL, not empty");
}

function invalid(message: string): NokvError {
  return new NokvError("NOKV_INVALID_ARGUMENT", message);
}
