import { type Layout, list, oneOf, struct, u53 } from "../../core/bytes/layout.ts";
import { type RegionMeta, regionLayout } from "../region.ts";
import type { PeerChange } from "./peer-change.ts";

/**
 * Methods 64 to 95 are those of a store's administration. A number is never given to another one. The first three are
 * for one region: the request has its header.
 */
export const raftAdminMethod = { changePeers: 64, transferLeader: 65, campaign: 66, regions: 67 } as const;

/** The code of an "application" error from here: the change does not apply, and nothing happened. */
export const refusedCode = 1;

export interface ChangePeersRequest {
  readonly changes: readonly PeerChange[];
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
export const transferLayout: Layout<TransferRequest> = struct({ storeId: u53 });
export const nothingLayout: Layout<object> = struct({});
/** Regions from this id on, as many as fit an answer. */
export const regionsRequestLayout: Layout<{ readonly from: number }> = struct({ from: u53 });
export const regionsLayout: Layout<RegionsAnswer> = struct({
  replicas: list(
    struct({ region: regionLayout, peerId: u53, leadingTerm: u53, leaderStore: u53, applied: u53 }),
  ),
});
