import type { Env } from "../../core/env/env.ts";
import { syncDirectory } from "../../core/engine/directory.ts";
import type { Engine } from "../../core/engine/engine.ts";
import { raftDirectoryName } from "../../core/engine/file-names.ts";
import { VersionedBatch } from "../../core/engine/versioned-batch.ts";
import { corruption } from "../../core/errors.ts";
import { identChange, readIdent } from "../../raft/store/ident.ts";
import { putApplyState, putRegionState, readRegionStates } from "../../raft/store/local-records.ts";
import type { LogChange } from "../../raft/store/log-change.ts";
import type { RaftLog } from "../../raft/store/raft-log.ts";
import { readEntries } from "../../raft/store/restored.ts";
import { bootstrapIndex, bootstrapTerm } from "../../raft/store/tombstone.ts";
import { putGcState } from "../../txn/server/region-state.ts";
import type { ModeFile } from "../mode/mode-file.ts";
import { putMigrationRecord, readMigrationRecord, recordOf, sameRecord } from "./migration-record.ts";
import { regionMeta } from "./seed-plan.ts";
import { withRaftLog } from "./sessions.ts";

const undo = 'undo it with "nokv migrate rollback"';

/**
 * I4: the regions, how far each has applied its log, and what this migration is, in one batch. Done before, it changes
 * nothing. Rejects with `NOKV_CORRUPTION` when something else was done before.
 */
export async function putCatalog(engine: Engine, directory: string, mode: ModeFile): Promise<void> {
  const known = readMigrationRecord(engine);
  if (known !== null) {
    if (sameRecord(known, recordOf(mode))) return;
    throw corruption(directory, 0, "it holds the seed of another migration", undo);
  }
  if (readRegionStates(engine).size > 0) {
    throw corruption(directory, 0, "it holds regions that no migration made", "give another directory");
  }
  const batch = new VersionedBatch();
  for (const region of mode.regions) {
    const { regionId, peerId } = region;
    const state = { index: bootstrapIndex, term: bootstrapTerm, high: 0, low: 0 };
    putRegionState(batch, engine, { state: "normal", peerId, region: regionMeta(region, mode.storeId) });
    putApplyState(batch, engine, regionId, state);
    // What was overwritten before has no history: nobody may read, nor begin, below the last of it.
    putGcState(batch, engine, regionId, { floor: mode.baseTs, safePoint: mode.baseTs });
  }
  putMigrationRecord(batch, engine, recordOf(mode));
  await applyDurably(engine, batch);
}

export async function applyDurably(engine: Engine, batch: VersionedBatch): Promise<void> {
  const ticket = engine.apply(batch);
  await new Promise<void>((resolve, reject) => {
    engine.whenDurable(ticket, (error) => (error === null ? resolve() : reject(error)));
  });
}

/**
 * I5: whose directory it is, and the beginning of each region's log, in one step of the log. Done before, it changes
 * nothing. Rejects with `NOKV_CORRUPTION` when the log says something else.
 */
export async function putRaftSeed(env: Env, directory: string, mode: ModeFile): Promise<void> {
  const path = `${directory}/${raftDirectoryName}`;
  if (env.disk.kind(path) === null) env.disk.mkdir(path);
  await syncDirectory(env, directory);
  await withRaftLog(env, path, async (log) => {
    const ident = readIdent(log);
    if (ident === null) {
      if (log.groups().length > 0) throw corruption(path, 0, "the log is nobody's, and not empty", undo);
      await log.submitted(seedChanges(mode));
      return;
    }
    const problem = seedProblem(log, mode);
    if (problem !== null) throw corruption(path, 0, problem, undo);
  });
}

function seedChanges({ clusterId, storeId, regions }: ModeFile): readonly LogChange[] {
  const start = { index: bootstrapIndex, term: bootstrapTerm };
  const hard = { term: bootstrapTerm, vote: 0, commit: bootstrapIndex };
  return [
    identChange({ clusterId, storeId, incarnation: 1 }),
    ...regions.flatMap(({ regionId: group }): LogChange[] => [
      { op: "snapshot", group, start, meta: new Uint8Array(0) },
      { op: "hard", group, hard },
    ]),
  ];
}

/** What a log holds beyond a seed that nobody has started; null: nothing. */
function seedProblem(log: RaftLog, { clusterId, storeId, regions }: ModeFile): string | null {
  const ident = readIdent(log);
  if (ident === null) return "the log is nobody's";
  if (ident.clusterId !== clusterId || ident.storeId !== storeId) {
    return `it is the log of store ${ident.storeId} of cluster ${JSON.stringify(ident.clusterId)}`;
  }
  if (ident.incarnation > 1) return `the store has been started ${ident.incarnation - 1} times`;
  const known = new Set(regions.map(({ regionId }) => regionId));
  const stranger = log.groups().find((id) => id !== 0 && !known.has(id));
  if (stranger !== undefined) return `it holds region ${stranger}, which is not of the seed`;
  for (const id of known) {
    const group = log.group(id);
    if (group === null) return `region ${id} has no log`;
    const { start, last, hard } = group;
    const isSeed = start.index === bootstrapIndex && start.term === bootstrapTerm && last === bootstrapIndex;
    if (!isSeed || hard.term !== bootstrapTerm || hard.vote !== 0) return `region ${id} has gone on beyond its seed`;
  }
  return null;
}

/** What was written through a region since the seed was made; null: elections only. */
export function writtenSince(log: RaftLog, { regions }: Pick<ModeFile, "regions">): string | null {
  for (const { regionId: id } of regions) {
    const group = log.group(id);
    if (group === null) continue;
    if (group.start.index > bootstrapIndex) return `the log of region ${id} was cut at ${group.start.index}`;
    for (let next = bootstrapIndex + 1; next <= group.last;) {
      const entries = readEntries(log, id, next, group.last + 1, scanBytesMax);
      const written = entries.find(({ kind }) => kind !== "noop");
      if (written !== undefined) return `entry ${written.index} of region ${id} is of kind ${written.kind}`;
      next += entries.length;
    }
  }
  return null;
}

const scanBytesMax = 1024 * 1024;
