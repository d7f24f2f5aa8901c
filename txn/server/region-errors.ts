import type { RegionHint, RpcError } from "../../net/rpc/rpc-error.ts";
import { type RegionMeta, peerOnStore } from "../../raft/region.ts";

/** What a caller needs to route again. `leaderStore` 0: nobody knows. */
export function hintOf({ id, epoch, start, end }: RegionMeta, leaderStore: number): RegionHint {
  return { regionId: id, confVer: epoch.confVer, version: epoch.version, start, end, leaderStore };
}

export function notLeader(region: RegionMeta, leaderStore: number): RpcError {
  const leaderPeer = peerOnStore(region, leaderStore)?.peerId ?? 0;
  return { kind: "not-leader", regionId: region.id, leaderStore, leaderPeer };
}

export function staleEpoch(...current: readonly RegionHint[]): RpcError {
  return { kind: "epoch-not-match", current };
}
