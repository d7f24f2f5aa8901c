import { DiskError } from "../env/disk.ts";
import type { Env } from "../env/env.ts";
import { NokvError } from "../errors.ts";
import { tablePath } from "../lsm/table-meta.ts";
import type { Version } from "../lsm/version.ts";
import { currentName, currentTempName, manifestName, switchCurrent } from "../manifest/current.ts";
import type { ManifestEdit } from "../manifest/edit.ts";
import type { FormatGate } from "../manifest/format-gate.ts";
import { createManifest, type ManifestLog } from "../manifest/log.ts";
import { valueFilePath } from "../vlog/value-file.ts";
import { DirectorySync } from "../wal/directory-sync.ts";
import { enterEmptyDirectory, lockDirectory } from "./directory.ts";
import { refusal } from "./failure.ts";

/** What a checkpoint is taken of: everything up to `version` is in the tables of `tables`. */
export interface CheckpointSource {
  readonly directory: string;
  readonly tables: Version;
  readonly version: number;
  readonly gate: FormatGate;
}

/** A checkpoint that is complete and durable. */
export interface Checkpoint {
  readonly directory: string;
  /** It holds every write up to this version, and none after it. */
  readonly version: number;
  readonly tables: number;
  /** Bytes of all files, shared with the database until it merges them. */
  readonly bytes: number;
}

/**
 * Makes `target` a database of its own with the tables and value files of `take()`, as hard links: they never
 * change, so both databases may go on independently. CURRENT comes last, so that a crash leaves a checkpoint or
 * a directory that is refused, never half of one that opens.
 *
 * `take` brings everything into tables and says which they are; they are linked before anything else runs.
 * Rejects with `NokvError`; then what was made is removed again as far as the disk lets it.
 */
export async function writeCheckpoint(
  env: Env,
  target: string,
  take: () => Promise<CheckpointSource>,
): Promise<Checkpoint> {
  const made: string[] = [];
  try {
    await enterEmptyDirectory(env, target, "a checkpoint");
    const lock = lockDirectory(env, target, "a checkpoint in the making");
    try {
      return await make(env, await take(), target, made);
    } finally {
      lock.release();
    }
  } catch (error) {
    if (!(error instanceof DiskError) && !(error instanceof NokvError)) throw error;
    removeMade(env, made);
    if (error instanceof NokvError) throw error;
    throw refusal(error, `the checkpoint in ${target} failed`);
  }
}

async function make(env: Env, source: CheckpointSource, target: string, made: string[]): Promise<Checkpoint> {
  const tables = source.tables.tables();
  let bytes = 0;
  for (const table of tables) {
    const path = tablePath(target, table.number);
    env.disk.link(tablePath(source.directory, table.number), path);
    made.push(path);
    bytes += table.sizeBytes;
  }
  for (const file of source.tables.valueFiles()) {
    const path = valueFilePath(target, file);
    env.disk.link(valueFilePath(source.directory, file), path);
    made.push(path);
    bytes += file.sizeBytes;
  }
  await publish(env, source, target, made);
  return { directory: target, version: source.version, tables: tables.length, bytes };
}

/** Manifest and CURRENT; the manifest's number is above every other file's, as in any database. */
async function publish(env: Env, source: CheckpointSource, target: string, made: string[]): Promise<void> {
  const directory = new DirectorySync(env.disk, target);
  const tables = [...source.tables.tables()].sort((a, b) => a.number - b.number);
  const values = source.tables.valueFiles();
  const number = Math.max(tables.at(-1)?.number ?? 0, values.at(-1)?.number ?? 0) + 1;
  const wallMs = Math.max(0, Math.floor(env.clock.wallMs()));
  const epoch = env.random.u32("core/engine/checkpoint", number, wallMs);
  const base: ManifestEdit = {
    kind: "base",
    logNumber: number + 1,
    nextFile: number + 1,
    lastVersion: source.version,
    closedBytes: 0,
    listed: [],
    removed: [],
    added: tables,
    valuesRemoved: [],
    valuesAdded: values,
    gate: source.gate.mode === "standalone" ? null : source.gate,
  };
  made.push(`${target}/${manifestName(number)}`, `${target}/${currentTempName}`, `${target}/${currentName}`);
  const log = await new Promise<ManifestLog>((resolve, reject) => {
    createManifest(env, directory, { number, epoch, base }, (error, manifest) => {
      if (manifest === null) reject(error);
      else resolve(manifest);
    });
  });
  log.close();
  await new Promise<void>((resolve, reject) => {
    switchCurrent(env, directory, log, (error) => (error === null ? resolve() : reject(error)));
  });
}

/** In reverse: without CURRENT nobody takes the rest for a database. */
function removeMade(env: Env, made: readonly string[]): void {
  for (const path of [...made].reverse()) {
    try {
      if (env.disk.kind(path) !== null) env.disk.remove(path);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    }
  }
}
