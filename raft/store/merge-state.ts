import { type Layout, struct, u32, u53 } from "../../core/bytes/layout.ts";
import type { LogIndex } from "../entry.ts";
import { type RegionMeta, regionLayout } from "../region.ts";

/** What a replica knows of the merge that its region is the source of, from the entry that froze it. */
export interface MergeState {
  /** As whoever proposed the merge knew it: only at exactly this epoch can the merge be committed. */
  readonly target: RegionMeta;
  /** Of the entry that froze the region: nothing behind it changes a record. */
  readonly freezeIndex: LogIndex;
  /** The history hash there. */
  readonly high: number;
  readonly low: number;
}

/** What the entry says that freezes a source. */
export interface PrepareMerge {
  readonly target: RegionMeta;
}

/** What the entry says by which a target takes its source: the source as the freeze left it. */
export interface CommitMerge {
  readonly source: RegionMeta;
  readonly freezeIndex: LogIndex;
  readonly high: number;
  readonly low: number;
}

/** What the entry says that gives a source back to itself. */
export interface RollbackMerge {
  readonly freezeIndex: LogIndex;
}

export const mergeStateLayout: Layout<MergeState> = struct({
  target: regionLayout,
  freezeIndex: u53,
  high: u32,
  low: u32,
});
export const prepareMergeLayout: Layout<PrepareMerge> = struct({ target: regionLayout });
export const commitMergeLayout: Layout<CommitMerge> = struct({
  source: regionLayout,
  freezeIndex: u53,
  high: u32,
  low: u32,
});
export const rollbackMergeLayout: Layout<RollbackMerge> = struct({ freezeIndex: u53 });
