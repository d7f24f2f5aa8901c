import type { RegionMeta, RegionPeer } from "../raft/region.ts";
import { isJointRegion } from "../raft/voter-configuration.ts";
import type { RegionLeader } from "./leader-view.ts";
import type { TransferLeader } from "./operator.ts";
import type { PlanLimits, PlanView } from "./plan-view.ts";
import { reportOfPeer } from "./region-report.ts";
import type { StoreRoles } from "./store-roles.ts";

/** A transfer between stores whose counts differ by less changes nothing. */
const differenceMin = 2;
/** Below it a region is not hot, however idle the others are. */
const hotEntriesMin = 100;

interface Candidate {
  readonly region: RegionMeta;
  readonly leader: RegionLeader;
  readonly target: RegionPeer;
  readonly load: number;
}

/**
 * Transfers that bring the counts of leaders closer together, and, where counts leave a choice, what they write. Each
 * moves a leader to a store that has at least two fewer, or one fewer and so much less to do that the sum of the
 * squared loads goes down while that of the counts stays: plans come to an end, nothing swings back and forth.
 */
export class LeaderPlan {
  readonly #view: PlanView;
  readonly #roles: StoreRoles;
  readonly #counts: Map<number, number>;
  readonly #loads = new Map<number, number>();
  readonly #moved = new Set<number>();

  constructor(view: PlanView, roles: StoreRoles) {
    this.#view = view;
    this.#roles = roles;
    this.#counts = new Map(view.stores.map(({ storeId }) => [storeId, 0]));
    for (const { id } of view.regions) {
      const leader = view.leaderOf(id);
      if (leader !== null) this.#add(leader.storeId, 1, this.#loadOf(id));
    }
  }

  /** `isFree`: nothing else is to be done in that region. */
  transfers(isFree: (regionId: number) => boolean, { operatorsMax }: PlanLimits): TransferLeader[] {
    const operators: TransferLeader[] = [];
    while (operators.length < operatorsMax) {
      const best = this.#best(isFree);
      if (best === null) break;
      const { region, leader, target, load } = best;
      this.#moved.add(region.id);
      this.#add(leader.storeId, -1, -load);
      this.#add(target.storeId, 1, load);
      operators.push({
        kind: "transfer-leader",
        regionId: region.id,
        term: leader.term,
        source: { storeId: leader.storeId, peerId: leader.peerId },
        target: { storeId: target.storeId, peerId: target.peerId },
      });
    }
    return operators;
  }

  /** Between the stores that differ most in number, else the hottest that finds a cooler store; null: nothing helps. */
  #best(isFree: (regionId: number) => boolean): Candidate | null {
    let best: Candidate | null = null;
    let bestDifference = differenceMin - 1;
    let hottest: Candidate | null = null;
    for (const candidate of this.#candidates(isFree)) {
      const from = candidate.leader.storeId;
      const to = candidate.target.storeId;
      const difference = this.#countOf(from) - this.#countOf(to);
      if (difference > bestDifference) {
        bestDifference = difference;
        best = candidate;
      }
      const { load } = candidate;
      const gap = this.#load(from) - this.#load(to);
      const helps = difference === 1 && load >= hotEntriesMin && gap >= 2 * load;
      if (helps && load > (hottest?.load ?? 0)) hottest = candidate;
    }
    return best ?? hottest;
  }

  *#candidates(isFree: (regionId: number) => boolean): Generator<Candidate> {
    const view = this.#view;
    for (const region of view.regions) {
      const leader = view.leaderOf(region.id);
      // A joint configuration is the leader's to leave; somebody else would have to find out how.
      if (leader === null || this.#moved.has(region.id) || isJointRegion(region)) continue;
      if (view.isBusy(region.id) || !isFree(region.id)) continue;
      const report = view.reportOf(region.id);
      const load = this.#loadOf(region.id);
      for (const target of region.peers) {
        const { peerId, storeId, role } = target;
        if (role !== "voter" || peerId === leader.peerId || !this.#roles.takes(storeId)) continue;
        if (reportOfPeer(report, peerId)?.caughtUp === false) continue;
        yield { region, leader, target, load };
      }
    }
  }

  #add(storeId: number, count: number, load: number): void {
    this.#counts.set(storeId, this.#countOf(storeId) + count);
    this.#loads.set(storeId, this.#load(storeId) + load);
  }

  #countOf(storeId: number): number {
    return this.#counts.get(storeId) ?? 0;
  }

  #load(storeId: number): number {
    return this.#loads.get(storeId) ?? 0;
  }

  #loadOf(regionId: number): number {
    return this.#view.reportOf(regionId)?.entriesPerSecond ?? 0;
  }
}
