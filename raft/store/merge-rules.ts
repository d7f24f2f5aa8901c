import { compareKeys } from "../../core/bytes/record.ts";
import {
  type RegionEpoch,
  epochAfterBump,
  epochAfterCommitMerge,
  epochAfterPrepareMerge,
  epochAfterRollbackMerge,
  epochAllows,
  epochCovers,
  epochEquals,
} from "../epoch.ts";
import { type RegionMeta, peerOnStore } from "../region.ts";
import type { CommitMerge, MergeState, PrepareMerge, RollbackMerge } from "./merge-state.ts";

/**
 * Merge by unanimous freeze. The source is the left neighbour of its target. That is more than a convention: a split
 * leaves a region its left part, so that a region's start never grows, and once it has taken its left neighbour it
 * begins below where that one ended for ever. Any later descriptor of the target therefore tells whether the merge
 * happened, and no list of past merges has to be kept (`fateOf`).
 */

/** What becomes of a merge, as a descriptor of its target tells. */
export type Fate = "open" | "merged" | "never";

/** Why `source` can not be merged into `target` as the two are; null: it can. */
export function mergeProblem(source: RegionMeta, target: RegionMeta): string | null {
  if (source.id === target.id) return "a region is not merged into itself";
  // Where the key space ends, and where it begins, the same empty key stands.
  if (source.end.length === 0) return `region ${source.id} is the last one, and has no right neighbour`;
  if (compareKeys(source.end, target.start) !== 0) {
    return `region ${target.id} does not begin where region ${source.id} ends`;
  }
  if (source.peers.length !== target.peers.length) return "the two have not the same number of peers";
  for (const region of [source, target]) {
    const other = region.peers.find(({ role }) => role !== "voter");
    if (other !== undefined) return `peer ${other.peerId} of region ${region.id} is no voter`;
  }
  const alone = source.peers.find(({ storeId }) => peerOnStore(target, storeId) === null);
  return alone === undefined ? null : `region ${target.id} has no peer on store ${alone.storeId}`;
}

/** The source behind the entry that freezes it, which was made at `asked`; a string: why the entry does nothing. */
// oxlint-disable-next-line max-params
export function frozenBy(
  source: RegionMeta,
  isMerging: boolean,
  asked: RegionEpoch,
  { target }: PrepareMerge,
): RegionMeta | string {
  if (isMerging) return "the region is being merged already";
  if (!epochAllows("prepare-merge", asked, source.epoch)) return "the region has changed since";
  return mergeProblem(source, target) ?? { ...source, epoch: epochAfterPrepareMerge(source.epoch) };
}

/** The target behind the entry that commits the merge, made at its epoch `asked`; a string: why it does nothing. */
// oxlint-disable-next-line max-params
export function mergedBy(
  target: RegionMeta,
  isMerging: boolean,
  asked: RegionEpoch,
  { source }: CommitMerge,
): RegionMeta | string {
  if (isMerging) return "the region is being merged itself";
  if (!epochAllows("commit-merge", asked, target.epoch)) return "the region has changed since";
  return { ...target, start: source.start, epoch: epochAfterCommitMerge(source.epoch, target.epoch) };
}

/** The source behind the entry that takes the freeze back; a string: why the entry does nothing. */
// oxlint-disable-next-line max-params
export function thawedBy(
  source: RegionMeta,
  merge: MergeState | null,
  asked: RegionEpoch,
  { freezeIndex }: RollbackMerge,
): RegionMeta | string {
  if (merge === null || merge.freezeIndex !== freezeIndex) return "the region is not frozen by that entry";
  if (!epochAllows("rollback-merge", asked, source.epoch)) return "the region has changed since";
  return { ...source, epoch: epochAfterRollbackMerge(source.epoch) };
}

/** The region behind an entry that does nothing but move its version. */
export function bumpedBy(region: RegionMeta, asked: RegionEpoch): RegionMeta | string {
  if (!epochAllows("bump-version", asked, region.epoch)) return "the region has changed since";
  return { ...region, epoch: epochAfterBump(region.epoch) };
}

/**
 * What an applied descriptor of the target says about the merge of `source`. "never": the target has left the epoch at
 * which it could have been committed, and not by it. Time says nothing of the kind: an entry may be late.
 */
export function fateOf(source: RegionMeta, merge: MergeState, target: RegionMeta): Fate {
  const { epoch } = merge.target;
  if (target.id !== merge.target.id || epochEquals(target.epoch, epoch)) return "open";
  if (!epochCovers(target.epoch, epoch)) return "open";
  return compareKeys(target.start, source.end) < 0 ? "merged" : "never";
}

/** What a leader of the source knows of the others. */
export interface MergeSight {
  /** Peers of the source that hold the freeze durably. */
  readonly frozen: ReadonlySet<number>;
  readonly fate: Fate;
  /** It has waited long enough for somebody. */
  readonly isLate: boolean;
}

/**
 * ask: who is frozen, and what the target says. commit, bump: ask the target's leader to take the source, or to move on
 * without it. rollback: propose it. over: the source's peers go one by one, by their store's replica of the target.
 */
export type MergeMove = "ask" | "commit" | "bump" | "rollback" | "over";

export function moveOf(source: RegionMeta, { frozen, fate, isLate }: MergeSight): MergeMove {
  if (fate === "merged") return "over";
  if (fate === "never") return "rollback";
  // Not a majority: whoever is missing would meet the target's entry without what it takes over.
  if (source.peers.every(({ peerId }) => frozen.has(peerId))) return "commit";
  return isLate ? "bump" : "ask";
}

/**
 * A replica of the source leaves its store by the target's replica there, in whose log the entry stands that takes
 * its records. Only where there is no such replica it goes by itself, when it hears that the merge happened.
 */
export function isOrphan(fate: Fate, isTargetHere: boolean): boolean {
  return fate === "merged" && !isTargetHere;
}

/** A snapshot of `region` may come over a frozen source: the merge is in it. */
export function coversSource(region: RegionMeta, source: RegionMeta, merge: MergeState): boolean {
  return fateOf(source, merge, region) === "merged" && compareKeys(region.start, source.start) <= 0;
}

