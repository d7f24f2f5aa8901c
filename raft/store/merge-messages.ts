import { type Layout, nullable, struct, u53 } from "../../core/bytes/layout.ts";
import type { RegionEpoch } from "../epoch.ts";
import { type RegionMeta, epochLayout, regionLayout } from "../region.ts";
import { type CommitMerge, commitMergeLayout } from "./merge-state.ts";

/** From a store with a replica of a frozen source, to those with the others. Lost, late and repeated at no harm. */
export interface MergeAsk {
  readonly sourceId: number;
  readonly freezeIndex: number;
  readonly targetId: number;
}

/** What the store that was asked knows for certain. */
export interface MergeAnswer {
  readonly sourceId: number;
  readonly freezeIndex: number;
  /** Its peer of the source, which holds that freeze durably; 0: it has none that does. */
  readonly frozenPeer: number;
  /** The target as applied there, or as it was when its peer there left; null: nothing is known of it. */
  readonly target: RegionMeta | null;
}

/** To the target's leader: all replicas of the source are frozen, and it may have them. */
export interface CommitCall {
  readonly targetId: number;
  /** Of the target: the only one at which it may. */
  readonly epoch: RegionEpoch;
  readonly commit: CommitMerge;
}

/** To the target's leader: move on without the source, if you still stand at that epoch. */
export interface BumpCall {
  readonly targetId: number;
  readonly epoch: RegionEpoch;
}

export const mergeAskLayout: Layout<MergeAsk> = struct({ sourceId: u53, freezeIndex: u53, targetId: u53 });
export const mergeAnswerLayout: Layout<MergeAnswer> = struct({
  sourceId: u53,
  freezeIndex: u53,
  frozenPeer: u53,
  target: nullable(regionLayout),
});
export const commitCallLayout: Layout<CommitCall> = struct({
  targetId: u53,
  epoch: epochLayout,
  commit: commitMergeLayout,
});
export const bumpCallLayout: Layout<BumpCall> = struct({ targetId: u53, epoch: epochLayout });
