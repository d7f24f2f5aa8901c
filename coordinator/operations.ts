import type { RegionMeta } from "../raft/region.ts";
import type { Allocators } from "./allocators.ts";
import { openChange } from "./assess.ts";
import type { RootJournal } from "./journal.ts";
import type { LeaderView } from "./leader-view.ts";
import type { Operator } from "./operator.ts";
import { type Decision, transitionIdOf } from "./plan-view.ts";
import type { RegionReport, RegionReports } from "./region-report.ts";
import type { RootEvent } from "./root-event.ts";
import { Scheduler, type SchedulerLimits } from "./scheduler.ts";
import type { CoordinatorState } from "./state.ts";
import type { StoreStatus, StoreView } from "./store-view.ts";

/** The entry of the configuration that says how many replicas each region is to have; "0": nobody changes them. */
export const replicasEntry = "replicas";
/** The entry that says whether small neighbours are merged: "on", or "off"; "on" where it is missing. */
export const mergesEntry = "merges";

export interface OperationParts {
  readonly journal: RootJournal;
  readonly allocators: Allocators;
  readonly leaders: LeaderView;
  readonly reports: RegionReports;
  readonly stores: StoreView;
  readonly limits: SchedulerLimits;
}

/**
 * What the Coordinator does so that regions have their replicas: it reserves ids of peers, durably, and asks the
 * leaders' stores for one step after the other.
 */
export class Operations {
  readonly #parts: OperationParts;
  readonly #scheduler: Scheduler;
  /** A decision is on its way into the journal: what follows from it is planned after it. */
  #deciding = 0;
  /** Words of leaders that said something new. */
  #told = 0;
  /** Until when the last plan holds. */
  #holdsUntilUs = 0;
  /** What the last plan rested on, if it had nothing to do and would not for being asked again; "": it may have. */
  #settled = "";

  constructor(parts: OperationParts) {
    this.#parts = parts;
    this.#scheduler = new Scheduler(parts.limits);
  }

  /** Of the last plan. */
  get planned(): readonly Operator[] {
    return this.#scheduler.planned;
  }

  /** What each region is to have; 0: as it is. */
  get replicas(): number {
    return wantedReplicas(this.#parts.journal.state, this.#parts.limits.replicas);
  }

  /** A leader has said something of its region. */
  toldOfRegion(): void {
    this.#told++;
  }

  /** What its leader said of it last, as it is now. Null: nothing. */
  reportOf(regionId: number): RegionReport | null {
    const { leaders, reports, stores } = this.#parts;
    return reports.of(regionId, stores.heardUs(leaders.of(regionId)?.storeId ?? 0));
  }

  /** What the store whose heartbeat has come is asked to do. Nobody moves anything for one who cannot decide. */
  heard(storeId: number, nowUs: number): readonly Operator[] {
    const { journal, leaders, stores } = this.#parts;
    const { state, status } = journal;
    if (status.role !== "leader" || this.#deciding > 0) return [];
    const list = stores.list(state, nowUs);
    const basis = this.#basisOf(list);
    if (basis !== "" && basis === this.#settled && nowUs < this.#scheduler.wakesUs) return [];
    if (nowUs < this.#holdsUntilUs) return this.#scheduler.take(storeId, nowUs);
    this.#settled = "";
    this.#holdsUntilUs = nowUs + state.regions.length * this.#parts.limits.planUsPerRegion;
    const view = {
      stores: list,
      regions: state.regions,
      peerChanges: state.pendingPeerChanges,
      leaderOf: (id: number) => leaders.of(id),
      reportOf: (id: number) => this.reportOf(id),
      isTaken: (id: number) => openChange(state, id) !== null,
      merging: state.pendingRangeChanges.filter(({ change }) => change === "merge").map(({ regionId }) => regionId),
    };
    const plan = this.#scheduler.plan(view, { replicas: this.replicas, merges: wantsMerges(state) }, nowUs);
    const isEmpty = plan.operators.length + plan.decisions.length === 0;
    if (isEmpty && this.#scheduler.isAtRest) this.#settled = basis;
    for (const decision of plan.decisions) this.#decide(decision);
    return this.#scheduler.take(storeId, nowUs);
  }

  /**
   * Everything that a plan rests on, but for time: a plan goes through all regions, and thousands that sleep need none
   * with every heartbeat. "": some store is silent or leaves, and time counts.
   */
  #basisOf(list: readonly StoreStatus[]): string {
    const present = list.filter(({ liveness }) => liveness !== "left");
    if (present.some(({ liveness, membership }) => liveness !== "up" || membership !== "member")) return "";
    const { slowScoreMax } = this.#parts.limits;
    const stores = present.map(({ storeId, heartbeat }) => {
      const speed = heartbeat === null ? "unheard" : heartbeat.slowScore < slowScoreMax ? "fast" : "slow";
      return `${storeId} ${speed}`;
    });
    const { term, index } = this.#parts.journal.token;
    return `${term}/${index} ${this.#told} ${stores.join()}`;
  }

  #decide(decision: Decision): void {
    switch (decision.kind) {
      case "reserve":
        this.#reserve(decision.region, decision.storeId);
        return;
      case "cancel":
        this.#propose({ kind: "PeerAdditionCancelled", transitionId: decision.transitionId });
        return;
      case "leave":
        this.#propose({ kind: "StoreLeft", storeId: decision.storeId });
    }
  }

  /** The id comes first: whoever reads the plan, after whatever restart, adds the same peer. */
  #reserve({ id, epoch }: RegionMeta, storeId: number): void {
    this.#deciding++;
    this.#parts.allocators.allocateIds(1, (error, range) => {
      this.#deciding--;
      if (error !== null || range === null) return;
      const peerId = range.first;
      const transitionId = transitionIdOf(id, peerId);
      const peer = { peerId, storeId, role: "learner" } as const;
      this.#propose({ kind: "PeerAdditionPlanned", transitionId, regionId: id, base: epoch, peer });
    });
  }

  /** What contradicts the state when its turn comes is refused there, and planned anew. */
  #propose(event: RootEvent): void {
    this.#deciding++;
    this.#parts.journal.propose(event, () => {
      this.#deciding--;
    });
  }
}

function wantsMerges({ config }: CoordinatorState): boolean {
  return config.find(({ name }) => name === mergesEntry)?.value !== "off";
}

/** `fallback` where the cluster's configuration does not say. */
export function wantedReplicas({ config }: CoordinatorState, fallback: number): number {
  const entry = config.find(({ name }) => name === replicasEntry);
  const value = entry === undefined ? fallback : Number(entry.value);
  return Number.isSafeInteger(value) && value >= 0 ? value : fallback;
}
