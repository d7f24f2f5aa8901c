import { DiskError } from "../core/env/disk.ts";
import type { Env } from "../core/env/env.ts";
import { syncDirectory } from "../core/engine/directory.ts";
import { type Engine, openEngine } from "../core/engine/engine.ts";
import { refusal } from "../core/engine/failure.ts";
import { raftDirectoryName, snapshotsDirectoryName } from "../core/engine/file-names.ts";
import type { EngineOptions } from "../core/engine/options.ts";
import { openReadOnly } from "../core/engine/read-only.ts";
import { corruption, NokvError } from "../core/errors.ts";
import { currentName } from "../core/manifest/current.ts";
import { beginIncarnation, readIdent, type StoreIdent } from "../raft/store/ident.ts";
import { RaftLog, raftLogOptionsDefault } from "../raft/store/raft-log.ts";
import { enterSnapshotDirectory } from "../raft/store/snapshot-directories.ts";
import type { RaftLogOptions } from "../raft/store/log-writer.ts";
import { refuseDamaged } from "./damage-note.ts";
import { admit, lookAt } from "./migrate/look.ts";
import { type ModeFile, readMode, writeMode } from "./mode/mode-file.ts";

export interface StoreDirectoryConfig {
  readonly workDir: string;
  readonly clusterId: string;
  readonly storeId: number;
  readonly engine: Partial<EngineOptions>;
  readonly raftLog?: Partial<RaftLogOptions>;
  /** Called at most once: the disk refused what may not be refused. */
  readonly failed: (error: NokvError) => void;
}

/** What a store keeps: the engine in its directory, and the Raft log in a directory within. */
export interface StoreDirectory {
  readonly engine: Engine;
  readonly log: RaftLog;
  readonly ident: StoreIdent;
  /** Where regions lie that come from other stores, until they are whole. */
  readonly snapshots: string;
  /** No life of it has joined: whatever is known of this store was another directory's. */
  readonly isNew: boolean;
  /** What a migration made, and nobody has served yet; null: it is a store's already. */
  readonly seed: ModeFile | null;
}

/**
 * Opens or begins the directory of a store, and another incarnation of it, which is durable when this resolves. Rejects
 * with `NOKV_FOREIGN_DIRECTORY` for what is another's, a standalone database included, and with what the openings of
 * engine and log reject with. Nothing is open then.
 */
export async function openStoreDirectory(env: Env, config: StoreDirectoryConfig): Promise<StoreDirectory> {
  const { workDir, clusterId, storeId, failed } = config;
  lookForDamage(env, workDir);
  const seed = await admitDirectory(env, config);
  // What is applied can be applied again from the Raft log, which is cut only behind what was asked to be durable.
  const given = { durability: "none", versions: "given" } as const;
  const engine = await openEngine(env, workDir, { ...config.engine, ...given });
  engine.onPoisoned(failed);
  let log: RaftLog | null = null;
  try {
    const path = `${workDir}/${raftDirectoryName}`;
    await makeRaftDirectory(env, workDir, path);
    log = await RaftLog.open(env, path, { ...raftLogOptionsDefault, ...config.raftLog }, (error) => {
      failed(refusal(error, `the Raft log in ${path} failed`));
    });
    const isBlank = readIdent(log) === null;
    if (isBlank) refuseForgotten(engine, seed, path);
    const ident = await beginIncarnation(log, clusterId, storeId);
    const known = readMode(env.disk, workDir);
    const isNew = isBlank || known === null || known.step === "joining";
    if (seed === null) await becomeStore(env, engine, config, { seed, step: isNew ? "joining" : "done" });
    const snapshots = enterSnapshotDirectory(env.disk, workDir, snapshotsDirectoryName);
    return { engine, log, ident, snapshots, isNew, seed };
  } catch (error) {
    if (!(error instanceof NokvError) && !(error instanceof DiskError)) throw error;
    await log?.close();
    await engine.close();
    throw error instanceof DiskError ? refusal(error, `opening the store in ${workDir}`) : error;
  }
}

/**
 * From here on the directory is this store's for good, durably when it resolves: first the manifest says so, then MODE.
 * Called at every start, for the directories of before that have neither, and for those that lost MODE.
 */
// oxlint-disable-next-line max-params
export async function becomeStore(
  env: Env,
  engine: Engine,
  { workDir, clusterId, storeId }: Pick<StoreDirectoryConfig, "workDir" | "clusterId" | "storeId">,
  { seed, step }: { readonly seed: ModeFile | null; readonly step: "joining" | "done" },
): Promise<void> {
  const { migrationId } = seed ?? engine.gate;
  if (engine.gate.mode !== "cluster") await engine.passGate({ mode: "cluster", migrationId });
  const known = readMode(env.disk, workDir);
  if (known?.mode === "cluster" && (known.step === step || known.step === "done")) return;
  const blank = { regions: [], baseTs: 0, verify: null };
  const made = seed ?? { migrationId, clusterId, storeId, ...blank };
  await writeMode(env, workDir, { ...made, mode: "cluster", step });
}

function lookForDamage(env: Env, workDir: string): void {
  try {
    refuseDamaged(env.disk, workDir);
  } catch (error) {
    throw error instanceof DiskError ? refusal(error, `opening the store in ${workDir}`) : error;
  }
}

/** The seed that it is; null: a store, or nothing yet. Throws `NOKV_FOREIGN_DIRECTORY` for anything else. */
async function admitDirectory(env: Env, config: StoreDirectoryConfig): Promise<ModeFile | null> {
  const { workDir, clusterId, storeId } = config;
  if (env.disk.kind(workDir) !== "directory") return null;
  const look = lookAt(env, workDir);
  admit("serve", workDir, look);
  const { mode, state } = look;
  if (mode !== null && (mode.clusterId !== clusterId || mode.storeId !== storeId)) {
    const is = `store ${mode.storeId} of cluster ${JSON.stringify(mode.clusterId)}`;
    const asked = `store ${storeId} of cluster ${JSON.stringify(clusterId)}`;
    throw new NokvError("NOKV_FOREIGN_DIRECTORY", `${workDir} belongs to ${is}, not to ${asked}`, { path: workDir });
  }
  if (state === "standalone") await refuseStandalone(env, workDir);
  return state === "seeded" ? mode : null;
}

/**
 * A database without a Raft log is a standalone one, unless it is empty: then the first start of a store ended between
 * the two. Its keys would be nobody's in a cluster until a migration has made them a region's.
 */
async function refuseStandalone(env: Env, workDir: string): Promise<void> {
  const raft = `${workDir}/${raftDirectoryName}`;
  // A store of before MODE has a log; what is left of a seed that was undone is an empty directory.
  if (env.disk.kind(`${workDir}/${currentName}`) === null) return;
  if (env.disk.kind(raft) !== null && env.disk.list(raft).length > 0) return;
  const db = await openReadOnly(env, workDir);
  const keys = db.iterator({ limit: 1, keysOnly: true });
  const isEmpty = !keys.next();
  keys.close();
  await db.close();
  if (isEmpty) return;
  const remedy = `make it the seed of a cluster first: nokv migrate init --workdir ${workDir}`;
  const message = `${workDir} holds a standalone database: give an empty directory, or ${remedy}`;
  throw new NokvError("NOKV_FOREIGN_DIRECTORY", message, { path: workDir });
}

/**
 * Whose a log is was durable before the manifest said that this is a store's directory. A store whose log is gone has
 * forgotten what it voted and took, so it must not begin anew under its name.
 */
function refuseForgotten(engine: Engine, seed: ModeFile | null, path: string): void {
  if (engine.gate.mode !== "cluster" && seed === null) return;
  throw corruption(path, 0, "the store was begun, and its Raft log is gone", "restore it from its peers");
}

/** Durable in its parent, also when a crash came between an earlier attempt's mkdir and its sync. */
async function makeRaftDirectory(env: Env, workDir: string, path: string): Promise<void> {
  if (env.disk.kind(path) === null) env.disk.mkdir(path);
  await syncDirectory(env, workDir);
}
