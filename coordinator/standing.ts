import { type RegionMeta, type RegionPeer } from "../raft/region.ts";
import { isJointRegion } from "../raft/voter-configuration.ts";
import type { RegionLeader } from "./leader-view.ts";
import type { PeerPlace } from "./operator.ts";
import type { PlanLimits, PlanView } from "./plan-view.ts";
import { type RegionReport, reportOfPeer } from "./region-report.ts";
import type { PendingPeerChange } from "./state.ts";
import type { StoreRoles } from "./store-roles.ts";

/** A learner that is to vote, or whose place is reserved. */
export interface Newcomer extends PeerPlace {
  /** The descriptor names it. */
  readonly isThere: boolean;
  readonly isReady: boolean;
}

/**
 * Where one region stands on its way to the replicas that it is to have. It follows from the descriptor, from what is
 * reserved for it and from what is heard: nothing has to be remembered, so whoever starts anew goes on from here.
 */
export interface Standing {
  readonly region: RegionMeta;
  /** Null: nobody could carry anything out. */
  readonly leader: RegionLeader | null;
  readonly report: RegionReport | null;
  readonly addition: PendingPeerChange | null;
  /** Nothing is to be changed now: it has no leader, is being changed, or is between two configurations. */
  readonly rests: boolean;
  /** Voters to be replaced. */
  readonly gone: readonly RegionPeer[];
  /** Voters that stay where they are, as far as their stores are concerned. */
  readonly kept: readonly RegionPeer[];
  /** Learners that will never be of use. */
  readonly lost: readonly RegionPeer[];
  /** Newcomers that replicas are missing for: as many as are missing at most. */
  readonly needed: readonly Newcomer[];
  /** Newcomers beyond them. */
  readonly spare: readonly Newcomer[];
  /** Replicas for which there is no newcomer yet. */
  readonly missing: number;
}

export function standingOf(region: RegionMeta, view: PlanView, roles: StoreRoles, limits: PlanLimits): Standing {
  const leader = view.leaderOf(region.id);
  const report = view.reportOf(region.id);
  const addition = view.additionOf(region.id);
  const gone: RegionPeer[] = [];
  const kept: RegionPeer[] = [];
  const lost: RegionPeer[] = [];
  const newcomers: Newcomer[] = [];
  for (const peer of region.peers) {
    const { peerId, storeId, role } = peer;
    const isGone = roles.isGone(region, peer);
    if (role === "learner" || role === "demoting-voter") {
      const isReady = reportOfPeer(report, peerId)?.caughtUp === true;
      if (isGone || (!isReady && view.isStuck(peerId))) lost.push(peer);
      else newcomers.push({ peerId, storeId, isThere: true, isReady });
    } else if (isGone) gone.push(peer);
    else kept.push(peer);
  }
  if (addition !== null && !region.peers.some(({ peerId }) => peerId === addition.peer.peerId)) {
    const { peerId, storeId } = addition.peer;
    const isTaken = region.peers.some((peer) => peer.storeId === storeId);
    if (!isTaken && roles.takes(storeId) && !view.isStuck(peerId)) {
      newcomers.push({ peerId, storeId, isThere: false, isReady: false });
    }
  }
  // Those that are furthest come first: another one is of no use before them.
  newcomers.sort((a, b) => rank(a) - rank(b) || a.peerId - b.peerId);
  const places = Math.max(0, limits.replicas - kept.length);
  const rests = leader === null || isJointRegion(region) || view.isBusy(region.id);
  return {
    region, leader, report, addition, rests, gone, kept, lost,
    needed: newcomers.slice(0, places),
    spare: newcomers.slice(places),
    missing: Math.max(0, places - newcomers.length),
  };
}

function rank({ isThere, isReady }: Newcomer): number {
  return isReady ? 0 : isThere ? 1 : 2;
}
