import { type ContentSum, contentSumLayout } from "../../core/bytes/content-hash.ts";
import { type Layout, blob, bool, list, nullable, oneOf, struct, u53 } from "../../core/bytes/layout.ts";
import { type RegionMeta, regionLayout } from "../region.ts";
import { type ApplyState, applyStateLayout } from "./local-records.ts";
import type { PeerChange } from "./peer-change.ts";
import type { SnapshotProgress } from "./snapshot-senders.ts";

/**
 * Methods 64 to 95 are those of a store's administration. A number is never given to another one. The first three are
 * for one region: the request has its header.
 */
export const raftAdminMethod = {
  changePeers: 64,
  transferLeader: 65,
  campaign: 66,
  regions: 67,
  split: 68,
  replicaHash: 69,
  storeStatus: 73,
  merge: 70,
  replicaProgress: 74,
} as const;

/** The code of an "application" error from here: the change does not apply, and nothing happened. */
export const refusedCode = 1;

export interface ChangePeersRequest {
  readonly changes: readonly PeerChange[];
}

/** To the leader of the left one: into its right neighbour. Answered when it is over. */
export interface MergeRequest {
  readonly targetId: number;
}

export interface TransferRequest {
  readonly storeId: number;
}

/** A replica that serves on the store that was asked. */
export interface ReplicaStatus {
  readonly region: RegionMeta;
  readonly peerId: number;
  /** 0: it does not lead. */
  readonly leadingTerm: number;
  /** 0: nobody knows. */
  readonly leaderStore: number;
  readonly applied: number;
}

export interface RegionsAnswer {
  readonly replicas: readonly ReplicaStatus[];
}

const peerChangeLayout: Layout<PeerChange> = struct({
  op: oneOf(["addVoter", "addLearner", "remove", "promote", "demote"]),
  peerId: u53,
  storeId: u53,
});
export const changePeersLayout: Layout<ChangePeersRequest> = struct({ changes: list(peerChangeLayout) });
/** The region after the change. */
export const changedLayout: Layout<{ readonly region: RegionMeta }> = struct({ region: regionLayout });
export const mergeLayout: Layout<MergeRequest> = struct({ targetId: u53 });
export const transferLayout: Layout<TransferRequest> = struct({ storeId: u53 });
export const nothingLayout: Layout<object> = struct({});
/** Regions from this id on, as many as fit an answer. */
export const regionsRequestLayout: Layout<{ readonly from: number }> = struct({ from: u53 });
export const regionsLayout: Layout<RegionsAnswer> = struct({
  replicas: list(
    struct({ region: regionLayout, peerId: u53, leadingTerm: u53, leaderStore: u53, applied: u53 }),
  ),
});

/** Where a region is to be divided: ascending, behind its start. The request has its header, whose epoch counts. */
export const splitRequestLayout: Layout<{ readonly keys: readonly Uint8Array[] }> = struct({ keys: list(blob) });
/** The region and its children, in the order of their keys. */
export const splitAnswerLayout: Layout<{ readonly regions: readonly RegionMeta[] }> = struct({
  regions: list(regionLayout),
});

/** `replicaHash`: the replica is not as far as the caller wants it to be; nothing else is wrong. */
export const behindCode = 2;

/**
 * The entries of one replica that are visible at `readTs`, whoever leads, once it has applied `appliedMin`. They are
 * equal on all replicas when a reader at `readTs` has passed the whole range on the leader, and `appliedMin` is what
 * that one had applied afterwards: nothing commits below it any more.
 */
export interface ReplicaHashRequest {
  readonly readTs: number;
  readonly appliedMin: number;
  readonly start: Uint8Array;
  /** Empty: to the region's end. */
  readonly end: Uint8Array;
  readonly entriesMax: number;
}

export interface ReplicaHashAnswer {
  readonly applied: number;
  readonly content: ContentSum;
  /** Where to go on; null: that was all. */
  readonly next: Uint8Array | null;
}

/** Of a replica, for those who wait for it to be as far as another one. */
export interface ReplicaProgress {
  readonly term: number;
  readonly commit: number;
  readonly last: number;
  /** Where the last runs of entries ended, and the history hash there. */
  readonly recent: readonly ApplyState[];
  /** Of a leader: its members, itself included. */
  readonly members: readonly {
    readonly peerId: number;
    readonly state: "probe" | "replicate" | "snapshot";
    readonly match: number;
    readonly recentlyActive: boolean;
  }[];
  /** That it sends just now. */
  readonly snapshots: readonly SnapshotProgress[];
}

export const replicaHashRequestLayout: Layout<ReplicaHashRequest> = struct({
  readTs: u53, appliedMin: u53, start: blob, end: blob, entriesMax: u53,
});
export const replicaHashLayout: Layout<ReplicaHashAnswer> = struct({
  applied: u53, content: contentSumLayout, next: nullable(blob),
});
export const replicaProgressLayout: Layout<ReplicaProgress> = struct({
  term: u53,
  commit: u53,
  last: u53,
  recent: list(applyStateLayout),
  members: list(
    struct({ peerId: u53, state: oneOf(["probe", "replicate", "snapshot"]), match: u53, recentlyActive: bool }),
  ),
  snapshots: list(struct({ peerId: u53, sentBytes: u53, totalBytes: u53 })),
});
