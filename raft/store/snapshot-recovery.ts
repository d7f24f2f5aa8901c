import { VersionedBatch } from "../../core/engine/versioned-batch.ts";
import type { VersionedStore } from "../../core/engine/versioned-store.ts";
import { DiskError } from "../../core/env/disk.ts";
import { refusal } from "../../core/engine/failure.ts";
import type { NokvError } from "../../core/errors.ts";
import type { RegionMeta } from "../region.ts";
import {
  putApplyState,
  putMergeState,
  putRegionState,
  readApplyStates,
  readMergeStates,
  readRegionStates,
} from "./local-records.ts";
import { clearMachineState } from "./machine-state.ts";
import { coversSource } from "./merge-rules.ts";
import type { LogChange } from "./log-change.ts";
import { noteKey } from "./log-notes.ts";
import type { RaftLog } from "./raft-log.ts";
import { type SnapshotIntent, contentOf, decodeIntent, regionOfSnapshot } from "./snapshot-intent.ts";
import type { SnapshotTransfer } from "./snapshot-transfer.ts";

interface Recovering {
  readonly engine: VersionedStore;
  readonly log: RaftLog;
}

/** What a store knows of a region when a snapshot of it is installed: goes in together with its records (R8). */
export function stateOfSnapshot(store: VersionedStore, intent: SnapshotIntent, region: RegionMeta): VersionedBatch {
  const { peerId, snapshot } = intent;
  const { index, term, historyHash } = snapshot;
  const batch = new VersionedBatch();
  const states = readRegionStates(store);
  for (const [id, merge] of readMergeStates(store)) {
    const source = states.get(id);
    // The snapshot has the merge in it: the source's replica here ends as if the entry had been applied.
    const isTaken = source?.state === "merging" && coversSource(region, source.region, merge);
    if (id !== region.id && !isTaken) continue;
    putMergeState(batch, store, id, null);
    if (source === undefined || !isTaken) continue;
    putRegionState(batch, store, { ...source, state: "tombstone" });
    clearMachineState(batch, store, id);
  }
  putRegionState(batch, store, { state: "normal", peerId, region });
  putApplyState(batch, store, region.id, { index, term, high: historyHash[0], low: historyHash[1] });
  return batch;
}

/**
 * Snapshots that were being installed when the process ended: done to the end where the engine has them or their files
 * are whole, else forgotten, and the peer is what it was before. Rejects with `NOKV_CORRUPTION` and what the disk says.
 */
export async function finishSnapshots(store: Recovering, transfer: SnapshotTransfer): Promise<void> {
  for (const regionId of store.log.groups()) {
    const note = store.log.group(regionId)?.notes.get(noteKey.snapshotIntent);
    if (note !== undefined && regionId !== 0) await finish(store, transfer, regionId, decodeIntent(note));
  }
  try {
    transfer.sweep([]);
  } catch (error) {
    if (error instanceof DiskError) throw refusal(error, "removing the files of former snapshots failed");
    throw error;
  }
}

// oxlint-disable-next-line max-params
async function finish(
  store: Recovering,
  transfer: SnapshotTransfer,
  regionId: number,
  intent: SnapshotIntent,
): Promise<void> {
  const { engine, log } = store;
  const { snapshot, name, files, peerId } = intent;
  const state = readRegionStates(engine).get(regionId);
  const applied = readApplyStates(engine).get(regionId)?.index ?? 0;
  let isThere = state?.state === "normal" && state.peerId === peerId && applied >= snapshot.index;
  const region = regionOfSnapshot(snapshot);
  const content = contentOf(snapshot, files);
  if (!isThere && region !== null && transfer.has(name, content)) {
    const error = await new Promise<NokvError | null>((resolve) => {
      transfer.replace(name, content, region, stateOfSnapshot(engine, intent, region), resolve);
    });
    if (error !== null && error.code !== "NOKV_CORRUPTION") throw error;
    isThere = error === null;
  }
  const changes: LogChange[] = [{ op: "note", group: regionId, key: noteKey.snapshotIntent, value: null }];
  if (isThere) {
    const { term, vote, commit } = log.group(regionId)?.hard ?? { term: 0, vote: 0, commit: 0 };
    const kept = term >= snapshot.term ? { term, vote } : { term: snapshot.term, vote: 0 };
    const start = { index: snapshot.index, term: snapshot.term };
    changes.push({ op: "snapshot", group: regionId, start, meta: snapshot.context });
    changes.push({ op: "hard", group: regionId, hard: { ...kept, commit: Math.max(commit, snapshot.index) } });
    changes.push({ op: "note", group: regionId, key: noteKey.peer, value: null });
  }
  await log.submitted(changes);
}
