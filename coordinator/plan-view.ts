import type { RegionMeta } from "../raft/region.ts";
import type { RegionLeader } from "./leader-view.ts";
import type { RegionReport } from "./region-report.ts";
import type { PendingPeerChange } from "./state.ts";
import type { StoreStatus } from "./store-view.ts";

/** Everything a plan rests on. */
export interface PlanView {
  readonly stores: readonly StoreStatus[];
  /** By start key. */
  readonly regions: readonly RegionMeta[];
  leaderOf(regionId: number): RegionLeader | null;
  reportOf(regionId: number): RegionReport | null;
  /** The planner's own addition that is under way there: its peer has its id. */
  additionOf(regionId: number): PendingPeerChange | null;
  /** An operator was given for it lately, or somebody else changes it. */
  isBusy(regionId: number): boolean;
  /** That peer should be there, or should have caught up, and too much time has passed. */
  isStuck(peerId: number): boolean;
  /** A replica of the region did not get there lately. */
  avoids(regionId: number, storeId: number): boolean;
  /** It has had its range for so long that it may be merged. */
  isQuiet(regionId: number): boolean;
  /** Merges under way. */
  readonly merging: number;
}

export interface PlanLimits {
  /** Handing over of leaders, in one plan. */
  readonly operatorsMax: number;
  /** Stores at or above it are given no leaders and no replicas. */
  readonly slowScoreMax: number;
  /** Of each region; 0: replicas are nobody's business here, only leaders are. */
  readonly replicas: number;
  /** A voter is given up when its store is down and the leader has not heard of it for so long either. */
  readonly silentMs: number;
  /** The same, where the Coordinator began later than the silence: by the leader's word alone. */
  readonly downMs: number;
  /** Replicas on their way to a store, and from the stores that lead them, at most. */
  readonly incomingMax: number;
  readonly outgoingMax: number;
  /** Replicas on their way for balance alone, in all. */
  readonly balancingMax: number;
  /** Neighbours that each take less are merged; 0: none are. At most a quarter of what regions are divided at. */
  readonly mergeBytesMax: number;
  /** The two together are asked for less: well below what a region is divided at. */
  readonly mergeCommandsPerSecondMax: number;
  /** At a time, in all. */
  readonly mergingMax: number;
  /** As many regions stay for each store, so that each has something to lead. */
  readonly regionsPerStoreMin: number;
}

export const planDefaults: PlanLimits = {
  operatorsMax: 4,
  slowScoreMax: 80,
  replicas: 0,
  silentMs: 30_000,
  downMs: 30 * 60_000,
  incomingMax: 2,
  outgoingMax: 2,
  balancingMax: 2,
  mergeBytesMax: 0,
  mergeCommandsPerSecondMax: 5_000,
  mergingMax: 2,
  regionsPerStoreMin: 1,
};

/**
 * What the Coordinator does by itself: reserve a peer's id and say so durably, give such a plan up, take note that
 * a store has left.
 */
export type Decision =
  | { readonly kind: "reserve"; readonly region: RegionMeta; readonly storeId: number }
  | { readonly kind: "cancel"; readonly transitionId: string }
  | { readonly kind: "leave"; readonly storeId: number };

/** The planner's own transitions are told from those of others by their ids. */
const ownPrefix = "planner/";

export function transitionIdOf(regionId: number, peerId: number): string {
  return `${ownPrefix}${regionId}/${peerId}`;
}

export function isOwnTransition(transitionId: string): boolean {
  return transitionId.startsWith(ownPrefix);
}
