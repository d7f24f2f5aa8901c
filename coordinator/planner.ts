import { isJointRegion } from "../raft/voter-configuration.ts";
import type { RegionMeta } from "../raft/region.ts";
import type { RegionLeader } from "./leader-view.ts";
import type { StoreStatus } from "./store-view.ts";

/** What the leader's store is asked to do. It may refuse: only it knows how its region is. */
export interface TransferLeader {
  readonly kind: "transfer-leader";
  readonly regionId: number;
  /** The plan is for this term: a region that elected somebody else meanwhile is left alone. */
  readonly term: number;
  readonly source: { readonly storeId: number; readonly peerId: number };
  readonly target: { readonly storeId: number; readonly peerId: number };
}

export type Operator = TransferLeader;

/** Everything a plan rests on. */
export interface PlanView {
  readonly stores: readonly StoreStatus[];
  /** By start key. */
  readonly regions: readonly RegionMeta[];
  leaderOf(regionId: number): RegionLeader | null;
  /** An operator was given for it lately, or a change is under way. */
  isBusy(regionId: number): boolean;
}

export interface PlanLimits {
  /** In one plan. */
  readonly operatorsMax: number;
  /** Stores at or above it are given no leaders. */
  readonly slowScoreMax: number;
}

export const planDefaults: PlanLimits = { operatorsMax: 4, slowScoreMax: 80 };

/** A transfer between stores whose counts differ by less changes nothing. */
const differenceMin = 2;

/**
 * Transfers that bring the counts of leaders closer together. Each moves a leader to a store that has at least two
 * fewer, so the sum of the squared counts goes down with each and plans come to an end: nothing swings back and
 * forth. Pure, and the same for the same view: ties go to the region and the peer that come first.
 */
export function plan(view: PlanView, limits: PlanLimits = planDefaults): readonly Operator[] {
  const counts = leaderCounts(view);
  const able = new Set(
    view.stores
      .filter(({ liveness, heartbeat }) => liveness === "up" && (heartbeat?.slowScore ?? 1) < limits.slowScoreMax)
      .map(({ storeId }) => storeId),
  );
  const operators: Operator[] = [];
  const moved = new Set<number>();
  while (operators.length < limits.operatorsMax) {
    const best = bestTransfer(view, { counts, able, moved });
    if (best === null) break;
    operators.push(best);
    moved.add(best.regionId);
    counts.set(best.source.storeId, (counts.get(best.source.storeId) ?? 0) - 1);
    counts.set(best.target.storeId, (counts.get(best.target.storeId) ?? 0) + 1);
  }
  return operators;
}

interface Balance {
  readonly counts: ReadonlyMap<number, number>;
  readonly able: ReadonlySet<number>;
  readonly moved: ReadonlySet<number>;
}

/** The one between the stores that differ most; null: none is worth it. */
function bestTransfer(view: PlanView, { counts, able, moved }: Balance): TransferLeader | null {
  let best: TransferLeader | null = null;
  let bestDifference = differenceMin - 1;
  for (const region of view.regions) {
    const leader = view.leaderOf(region.id);
    // A joint configuration is the leader's to leave; somebody else would have to find out how.
    if (leader === null || moved.has(region.id) || view.isBusy(region.id) || isJointRegion(region)) continue;
    for (const { peerId, storeId, role } of region.peers) {
      if (role !== "voter" || !able.has(storeId)) continue;
      const difference = (counts.get(leader.storeId) ?? 0) - (counts.get(storeId) ?? 0);
      if (difference <= bestDifference) continue;
      bestDifference = difference;
      best = {
        kind: "transfer-leader",
        regionId: region.id,
        term: leader.term,
        source: { storeId: leader.storeId, peerId: leader.peerId },
        target: { storeId, peerId },
      };
    }
  }
  return best;
}

function leaderCounts(view: PlanView): Map<number, number> {
  const counts = new Map(view.stores.map(({ storeId }) => [storeId, 0]));
  for (const { id } of view.regions) {
    const leader = view.leaderOf(id);
    if (leader !== null) counts.set(leader.storeId, (counts.get(leader.storeId) ?? 0) + 1);
  }
  return counts;
}
