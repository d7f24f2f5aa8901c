import { type RegionMeta, peerOnStore } from "../../raft/region.ts";
import type { PeerChange } from "../../raft/store/peer-change.ts";
import type { TargetProgress } from "./expand-journal.ts";

/** What an operator wants of one region. */
export interface ExpandWish {
  /** The stores that are to have a voter. */
  readonly stores: readonly number[];
  /** Two voters are both needed for everything: one store's end stops the region. */
  readonly allowTwo: boolean;
}

/** What is known beyond the region's own descriptor. */
export interface ExpandFacts {
  readonly journal: readonly TargetProgress[];
  /** Peers of which this process has found that they have what the leader has. */
  readonly verified: readonly number[];
}

/** The first thing whose outcome is not there yet. */
export type ExpandStep =
  | { readonly kind: "wait"; readonly why: string }
  /** The region has these peers: the journal is to say so. */
  | { readonly kind: "note"; readonly entries: readonly TargetProgress[] }
  /** Ids that an abort has burnt, or a removal, are of no use: others are reserved. */
  | { readonly kind: "reserve"; readonly stores: readonly number[] }
  | { readonly kind: "add"; readonly change: PeerChange }
  | { readonly kind: "verify"; readonly peers: readonly { readonly peerId: number; readonly storeId: number }[] }
  | { readonly kind: "promote"; readonly changes: readonly PeerChange[] }
  | { readonly kind: "settle" }
  | { readonly kind: "refuse"; readonly why: string };

/**
 * The step after which the region is nearer to the wish: a pure function of what is there, so that a process that
 * begins anew goes on where an earlier one ended, wherever that was.
 */
export function nextExpandStep(region: RegionMeta, wish: ExpandWish, facts: ExpandFacts): ExpandStep {
  const joint = region.peers.some(({ role }) => role === "incoming-voter" || role === "demoting-voter");
  if (joint) return { kind: "wait", why: "the region leaves its joint configuration" };
  const missing = wish.stores.filter((storeId) => peerOnStore(region, storeId) === null);
  const entryOf = (storeId: number): TargetProgress | null => {
    return facts.journal.find((at) => at.regionId === region.id && at.storeId === storeId) ?? null;
  };
  const problem = votersProblem(region, wish);
  if (problem !== null) return { kind: "refuse", why: problem };
  const entries = unnotedEntries(region, wish, facts.journal);
  if (entries.length > 0) return { kind: "note", entries };
  const unreserved = missing.filter((storeId) => entryOf(storeId)?.step !== "reserved");
  if (unreserved.length > 0) return { kind: "reserve", stores: unreserved };
  for (const storeId of missing) {
    const peerId = entryOf(storeId)?.peerId ?? 0;
    return { kind: "add", change: { op: "addLearner", peerId, storeId } };
  }
  const learners = region.peers.filter(({ role, storeId }) => role === "learner" && wish.stores.includes(storeId));
  if (learners.length === 0) return { kind: "settle" };
  const unverified = learners.filter(({ peerId }) => !facts.verified.includes(peerId));
  if (unverified.length > 0) return { kind: "verify", peers: unverified };
  // All in one change: between one voter and three there is no configuration of two.
  const changes = learners.map(({ peerId, storeId }) => ({ op: "promote" as const, peerId, storeId }));
  return { kind: "promote", changes };
}

/** Of peers that are there and of which the journal does not know, or does not know that they are. */
function unnotedEntries(
  region: RegionMeta,
  wish: ExpandWish,
  journal: readonly TargetProgress[],
): readonly TargetProgress[] {
  return wish.stores.flatMap((storeId) => {
    const peer = peerOnStore(region, storeId);
    if (peer === null) return [];
    const { peerId } = peer;
    const known = journal.find((at) => at.regionId === region.id && at.storeId === storeId);
    const isNoted = known?.peerId === peerId && (known.step === "added" || known.step === "done");
    return isNoted ? [] : [{ regionId: region.id, storeId, peerId, step: "added" as const }];
  });
}

/** Null: so many voters are what somebody may want. */
export function votersProblem(region: RegionMeta, { stores, allowTwo }: ExpandWish): string | null {
  const voting = new Set(region.peers.filter(({ role }) => role === "voter").map(({ storeId }) => storeId));
  for (const storeId of stores) voting.add(storeId);
  if (voting.size !== 2 || allowTwo) return null;
  const what = `region ${region.id} would have two voters, and stop when either store does`;
  return `${what}: name one more store, or say --allow-two`;
}
