import { columnFamily, versionMax } from "../../core/bytes/record.ts";
import { DiskError } from "../../core/env/disk.ts";
import type { Env } from "../../core/env/env.ts";
import { syncDirectory } from "../../core/engine/directory.ts";
import type { Engine } from "../../core/engine/engine.ts";
import { refusal } from "../../core/engine/failure.ts";
import { raftDirectoryName } from "../../core/engine/file-names.ts";
import type { EngineOptions } from "../../core/engine/options.ts";
import { VersionedBatch } from "../../core/engine/versioned-batch.ts";
import { NokvError } from "../../core/errors.ts";
import { type FormatGate, standaloneGate } from "../../core/manifest/format-gate.ts";
import {
  rollbackAfterCatalog,
  rollbackAfterGate,
  rollbackAfterMode,
  rollbackAfterRaftLog,
} from "../../failpoints/catalog.ts";
import { type ModeFile, readMode, removeMode, writeMode } from "../mode/mode-file.ts";
import { admit, lookAt } from "./look.ts";
import { readMigrationRecord } from "./migration-record.ts";
import { applyDurably, writtenSince } from "./seed.ts";
import { withEngine, withRaftLog } from "./sessions.ts";

export interface RollbackOrder {
  readonly directory: string;
  readonly engine: Partial<EngineOptions>;
}

/**
 * Makes a seed that nobody has written to a standalone database again: true; false where it is one. What the
 * application wrote was never touched. Goes on wherever it was interrupted. Rejects with `NOKV_FOREIGN_DIRECTORY` where
 * anything was written through a region, or where the directory is a store's.
 */
export async function rollbackSeed(env: Env, order: RollbackOrder, step: (what: string) => void): Promise<boolean> {
  const { directory } = order;
  const look = lookAt(env, directory);
  admit("rollback", directory, look);
  const { mode, gate, state } = look;
  if (state === "standalone" && !look.hasDatabase) {
    throw new NokvError("NOKV_NOT_FOUND", `there is no database in ${directory}`, { path: directory });
  }
  if (state === "standalone") return false;
  if (gate.mode === "cluster" || mode?.mode === "cluster") throw written(directory, "it was served");
  const options = { ...order.engine, createIfMissing: false, durability: "none", versions: "given" } as const;
  await withEngine(env, directory, options, async (engine) => {
    if (state !== "undoing") {
      step("prove that nothing was written since");
      await begin(env, directory, engine, mode);
      env.failpoints.hit(rollbackAfterMode);
    }
    step("remove the regions and their logs");
    await removeCatalog(engine);
    env.failpoints.hit(rollbackAfterCatalog);
    await removeRaftLog(env, directory);
    env.failpoints.hit(rollbackAfterRaftLog);
    step("open it to everybody");
    if (engine.gate.mode !== "standalone") await engine.passGate(standaloneGate);
    env.failpoints.hit(rollbackAfterGate);
    await removeMode(env, directory);
  });
  return true;
}

/** Once MODE says so, nobody but a rollback goes on: the proof holds. */
// oxlint-disable-next-line max-params
async function begin(env: Env, directory: string, engine: Engine, mode: ModeFile | null): Promise<void> {
  const known = mode ?? recorded(engine, engine.gate);
  const raft = `${directory}/${raftDirectoryName}`;
  const inLog = env.disk.kind(raft) === null ? null : await withRaftLog(env, raft, async (log) => {
    return await Promise.resolve(writtenSince(log, known));
  });
  const why = inLog ?? writtenInEngine(engine);
  if (why !== null) throw written(directory, why);
  if (readMode(env.disk, directory)?.mode === "cluster") throw written(directory, "it was served");
  await writeMode(env, directory, { ...known, step: "rollback" });
}

function recorded(engine: Engine, { migrationId }: FormatGate): ModeFile {
  const nothing = { migrationId, clusterId: "", storeId: 0, regions: [], baseTs: 0, verify: null };
  return { ...(readMigrationRecord(engine) ?? nothing), mode: "preparing", step: "init" };
}

/** Every write of a transaction leaves a lock, or the record of how it ended. */
function writtenInEngine(engine: Engine): string | null {
  const { lock, txn, prewrite } = columnFamily;
  for (const family of [lock, txn, prewrite]) {
    const wish = { family, start: new Uint8Array(0), end: null, versionMax, limit: 1, live: false };
    if (engine.scan(wish).length > 0) return "it holds records of transactions";
  }
  return null;
}

function written(directory: string, why: string): NokvError {
  const what = `${directory} can not be made standalone again: ${why}, and what was written since would be lost`;
  return new NokvError("NOKV_FOREIGN_DIRECTORY", what, { path: directory });
}

/** Everything that is the store's own: a standalone database has nothing in that family. */
async function removeCatalog(engine: Engine): Promise<void> {
  for (;;) {
    const everything = { family: columnFamily.local, start: new Uint8Array(0), end: null, versionMax };
    const found = engine.scan({ ...everything, limit: 1_000, live: true });
    if (found.length === 0) return;
    const batch = new VersionedBatch();
    for (const { key } of found) batch.delete(columnFamily.local, key, engine.nextVersion());
    await applyDurably(engine, batch);
  }
}

/** The directory itself stays, empty: none is ever removed. */
async function removeRaftLog(env: Env, directory: string): Promise<void> {
  const path = `${directory}/${raftDirectoryName}`;
  try {
    if (env.disk.kind(path) === null) return;
    for (const name of env.disk.list(path)) env.disk.remove(`${path}/${name}`);
    await syncDirectory(env, path);
  } catch (error) {
    if (error instanceof DiskError) throw refusal(error, `removing ${path} failed`);
    throw error;
  }
}
