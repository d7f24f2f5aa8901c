import { peerById, type RegionMeta } from "../raft/region.ts";
import type { RegionLeader } from "./leader-view.ts";
import type { MergeRegion, Operator, TransferLeader } from "./operator.ts";
import { isOwnTransition, type PlanLimits } from "./plan-view.ts";
import { type Plan, plan } from "./planner.ts";
import { type RegionReport, reportOfPeer } from "./region-report.ts";
import type { PendingPeerChange } from "./state.ts";
import type { StoreStatus } from "./store-view.ts";

export interface SchedulerLimits extends PlanLimits {
  /** A region that was given a transfer gets nothing else for so long: a futile one is not repeated at once. */
  readonly coolingMs: number;
  /** A replica that should be there, or should have caught up, is given up after so long. */
  readonly stuckMs: number;
  /** A region is merged when its range has been the same for so long, as far as this Coordinator has seen. */
  readonly mergeQuietMs: number;
  /** A plan goes through all regions, and holds for so long for each: drawing takes a bounded share of the time. */
  readonly planUsPerRegion: number;
}

/** What is known for certain, and what is heard. */
export interface SchedulerView {
  readonly stores: readonly StoreStatus[];
  readonly regions: readonly RegionMeta[];
  readonly peerChanges: readonly PendingPeerChange[];
  leaderOf(regionId: number): RegionLeader | null;
  reportOf(regionId: number): RegionReport | null;
  /** Somebody else's change is under way there. */
  isTaken(regionId: number): boolean;
  /** Sources of the merges that somebody has planned. */
  readonly merging: readonly number[];
}

/** What the cluster's configuration asks for. */
export interface Wanted {
  /** Of each region; 0: as they are. */
  readonly replicas: number;
  /** Small neighbours are merged. */
  readonly merges: boolean;
}

interface Given {
  readonly operator: TransferLeader | MergeRegion;
  readonly atUs: number;
}

/** A range, and since when it is known. */
interface Seen {
  readonly version: number;
  readonly sinceUs: number;
}

/** A replica on its way. */
interface Newcomer {
  readonly regionId: number;
  readonly storeId: number;
  readonly sinceUs: number;
}

/**
 * Hands out what the planner wants, to the stores that have to do it and to the Coordinator. Forgotten with the
 * process: what it remembers only keeps it from doing too much, and from waiting for ever.
 */
export class Scheduler {
  readonly #limits: SchedulerLimits;
  /** By region; times are of the monotonic clock. */
  readonly #given = new Map<number, Given>();
  /** By peer. */
  readonly #newcomers = new Map<number, Newcomer>();
  /** By region and store: until when no replica goes there. */
  readonly #avoided = new Map<string, number>();
  /** By region, where regions are merged. */
  #ranges = new Map<number, Seen>();
  #wakesUs = Number.MAX_SAFE_INTEGER;
  #lastPlan: Plan = { operators: [], decisions: [] };

  constructor(limits: SchedulerLimits) {
    this.#limits = limits;
  }

  /** Of the last plan. */
  get planned(): readonly Operator[] {
    return this.#lastPlan.operators;
  }

  /** Nothing that it remembers will be over by itself. */
  get isAtRest(): boolean {
    return this.#given.size + this.#newcomers.size + this.#avoided.size === 0;
  }

  /** When some region will have rested for so long that it may be merged; until then it may not. */
  get wakesUs(): number {
    return this.#wakesUs;
  }

  /** Everything that is to be done now; `take` hands a part of it to one store. */
  plan(view: SchedulerView, wanted: Wanted, nowUs: number): Plan {
    const { replicas } = wanted;
    const mergeBytesMax = wanted.merges ? this.#limits.mergeBytesMax : 0;
    const isIdle = this.#limits.operatorsMax === 0 && replicas === 0 && mergeBytesMax === 0;
    if (isIdle) {
      this.#lastPlan = { operators: [], decisions: [] };
      return this.#lastPlan;
    }
    this.#forget(nowUs);
    this.#watch(view, nowUs);
    this.#watchRanges(mergeBytesMax === 0 ? [] : view.regions, nowUs);
    const additions = new Map<number, PendingPeerChange>();
    for (const change of view.peerChanges) {
      if (isOwnTransition(change.transitionId)) additions.set(change.regionId, change);
    }
    this.#lastPlan = plan(
      {
        stores: view.stores,
        regions: view.regions,
        leaderOf: (id) => this.#leaderAfter(id, view.leaderOf(id)),
        reportOf: (id) => view.reportOf(id),
        additionOf: (id) => additions.get(id) ?? null,
        isBusy: (id) => this.#given.has(id) || (!additions.has(id) && view.isTaken(id)),
        isStuck: (peerId) => this.#isStuck(peerId, nowUs),
        avoids: (regionId, storeId) => this.#avoided.has(`${regionId}/${storeId}`),
        isQuiet: (id) => nowUs >= this.#quietUs(id),
        merging: this.#merging(view),
      },
      { ...this.#limits, replicas, mergeBytesMax },
    );
    return this.#lastPlan;
  }

  /** Of the last plan, for the store whose heartbeat has come: what it was not given yet. */
  take(storeId: number, nowUs: number): readonly Operator[] {
    const own = this.planned.filter(({ source, regionId }) => {
      return source.storeId === storeId && !this.#given.has(regionId);
    });
    for (const operator of own) {
      if (operator.kind === "transfer-leader") this.#given.set(operator.regionId, { operator, atUs: nowUs });
      if (operator.kind !== "merge") continue;
      for (const id of [operator.regionId, operator.targetId]) {
        this.#given.set(id, { operator, atUs: nowUs });
        // One that comes to nothing is not tried again at once: each holds clients up for a while.
        this.#ranges.set(id, { version: this.#ranges.get(id)?.version ?? 0, sinceUs: nowUs });
      }
    }
    return own;
  }

  #quietUs(regionId: number): number {
    const sinceUs = this.#ranges.get(regionId)?.sinceUs;
    return sinceUs === undefined ? Number.MAX_SAFE_INTEGER : sinceUs + this.#limits.mergeQuietMs * 1_000;
  }

  #merging({ merging }: SchedulerView): number {
    const sources = new Set(merging);
    for (const { operator } of this.#given.values()) if (operator.kind === "merge") sources.add(operator.regionId);
    return sources.size;
  }

  #watchRanges(regions: readonly RegionMeta[], nowUs: number): void {
    const ranges = new Map<number, Seen>();
    this.#wakesUs = Number.MAX_SAFE_INTEGER;
    for (const { id, epoch: { version } } of regions) {
      const known = this.#ranges.get(id);
      ranges.set(id, known?.version === version ? known : { version, sinceUs: nowUs });
    }
    this.#ranges = ranges;
    for (const id of ranges.keys()) {
      const quietUs = this.#quietUs(id);
      if (quietUs > nowUs) this.#wakesUs = Math.min(this.#wakesUs, quietUs);
    }
  }

  #forget(nowUs: number): void {
    const coolingUs = this.#limits.coolingMs * 1_000;
    for (const [regionId, { atUs }] of this.#given) if (nowUs - atUs >= coolingUs) this.#given.delete(regionId);
    for (const [place, untilUs] of this.#avoided) if (nowUs >= untilUs) this.#avoided.delete(place);
  }

  /** Since when which replica is on its way: those that are reserved, and learners that have not caught up. */
  #watch(view: SchedulerView, nowUs: number): void {
    const { regions, peerChanges } = view;
    const seen = new Set<number>();
    const see = (regionId: number, peerId: number, storeId: number): void => {
      seen.add(peerId);
      if (!this.#newcomers.has(peerId)) this.#newcomers.set(peerId, { regionId, storeId, sinceUs: nowUs });
    };
    for (const region of regions) {
      for (const { peerId, storeId, role } of region.peers) {
        if (role !== "learner") continue;
        const isReady = reportOfPeer(view.reportOf(region.id), peerId)?.caughtUp === true;
        if (!isReady) see(region.id, peerId, storeId);
      }
    }
    for (const { transitionId, regionId, peer } of peerChanges) {
      const region = regions.find(({ id }) => id === regionId);
      const isThere = region !== undefined && peerById(region, peer.peerId) !== null;
      if (isOwnTransition(transitionId) && !isThere) see(regionId, peer.peerId, peer.storeId);
    }
    const stuckUs = this.#limits.stuckMs * 1_000;
    for (const [peerId, { regionId, storeId, sinceUs }] of this.#newcomers) {
      if (!seen.has(peerId)) this.#newcomers.delete(peerId);
      else if (nowUs - sinceUs >= stuckUs) this.#avoided.set(`${regionId}/${storeId}`, nowUs + stuckUs);
    }
  }

  #isStuck(peerId: number, nowUs: number): boolean {
    const sinceUs = this.#newcomers.get(peerId)?.sinceUs;
    return sinceUs !== undefined && nowUs - sinceUs >= this.#limits.stuckMs * 1_000;
  }

  /** What is under way counts as done: or every heartbeat until it is would send off one leader more. */
  #leaderAfter(regionId: number, leader: RegionLeader | null): RegionLeader | null {
    const given = this.#given.get(regionId);
    if (given === undefined || leader === null || given.operator.kind === "merge") return leader;
    return leader.term === given.operator.term ? { ...given.operator.target, term: leader.term } : leader;
  }
}

