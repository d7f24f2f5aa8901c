/** A cluster that does what the planner asks for: descriptors by the real rules, stores that come and go. */
import type { RegionMeta, RegionPeer } from "../raft/region.ts";
import { confChangeOf, leaveJointOf, type PeerChange, regionAfterPeers } from "../raft/store/peer-change.ts";
import { isJointRegion, voterConfiguration } from "../raft/voter-configuration.ts";
import type { RegionLeader } from "./leader-view.ts";
import type { Operator } from "./operator.ts";
import { type Decision, planDefaults, type PlanLimits, transitionIdOf } from "./plan-view.ts";
import type { RegionReport } from "./region-report.ts";
import type { RootEvent } from "./root-event.ts";
import { reduce } from "./reduce.ts";
import { Scheduler } from "./scheduler.ts";
import { type CoordinatorState, emptyState } from "./state.ts";
import type { StoreStatus } from "./store-view.ts";

export const modelLimits: PlanLimits = { ...planDefaults, replicas: 3, silentMs: 1_000 };

export type Health = "alive" | "silent" | "dead";

export interface FirstRegionOf {
  readonly stores: readonly number[];
  readonly leader: number;
  readonly sizeBytes: number;
}

const roundUs = 1_000_000;

const schedulerLimits = { ...modelLimits, coolingMs: 0, stuckMs: 20_000, mergeQuietMs: 0, planUsPerRegion: 0 };

/** Time goes by in rounds: everybody reports, the planner plans, some of it is done. */
export class PlanModel {
  state: CoordinatorState = { ...emptyState, clusterId: 1 };
  readonly health = new Map<number, Health>();
  readonly leaders = new Map<number, RegionLeader>();
  readonly sizes = new Map<number, number>();
  /** Learners whose log follows. */
  readonly caughtUp = new Set<number>();
  scheduler = new Scheduler(schedulerLimits);
  changes = 0;
  round = 0;
  #lastPeerId = 10_000;

  constructor(stores: readonly number[], regions: readonly FirstRegionOf[]) {
    for (const storeId of stores) this.join(storeId);
    regions.forEach(({ stores: on, leader, sizeBytes }, i) => {
      const id = i + 1;
      const peers = on.map((storeId): RegionPeer => ({ peerId: 100 * id + storeId, storeId, role: "voter" }));
      peers.sort((a, b) => a.peerId - b.peerId);
      const start = i === 0 ? new Uint8Array(0) : Uint8Array.of(i);
      const end = i === regions.length - 1 ? new Uint8Array(0) : Uint8Array.of(id);
      this.event({ kind: "RegionBootstrap", region: { id, start, end, epoch: { version: 1, confVer: 1 }, peers } });
      this.sizes.set(id, sizeBytes);
      const first = peers[leader % peers.length];
      if (first !== undefined) this.leaders.set(id, { storeId: first.storeId, peerId: first.peerId, term: 5 });
    });
  }

  join(storeId: number): void {
    this.health.set(storeId, "alive");
    this.event({ kind: "StoreJoined", storeId, address: `s:${storeId}`, labels: [] });
  }

  event(event: RootEvent): void {
    this.state = reduce(this.state, event).state;
  }

  region(id: number): RegionMeta {
    const region = this.state.regions.find((candidate) => candidate.id === id);
    if (region === undefined) throw new Error(`there is no region ${id}`);
    return region;
  }

  /** A Coordinator that starts anew has forgotten all but its state. */
  restart(): void {
    this.scheduler = new Scheduler(schedulerLimits);
  }

  alive(storeId: number): boolean {
    return this.health.get(storeId) === "alive";
  }

  stores(): StoreStatus[] {
    return this.state.stores.map(({ storeId, address, membership }) => {
      const health = this.health.get(storeId) ?? "dead";
      const held = this.state.regions.filter(({ peers }) => peers.some((peer) => peer.storeId === storeId)).length;
      const heartbeat = {
        storeId, incarnation: 1, writes: 0,
        capacityBytes: 0, availableBytes: 0, regionCount: held, leaderCount: 0, readBytesPerSecond: 0,
        writtenBytesPerSecond: 0, snapshotsSending: 0, snapshotsReceiving: 0, slowScore: 1,
      };
      const known = { alive: "up", silent: "disconnected", dead: "down" } as const;
      const liveness = membership === "left" ? "left" : known[health];
      return { storeId, address, liveness, membership, heartbeat };
    });
  }

  plan(): { readonly operators: readonly Operator[]; readonly decisions: readonly Decision[] } {
    const view = {
      stores: this.stores(),
      regions: this.state.regions,
      peerChanges: this.state.pendingPeerChanges,
      leaderOf: (id: number) => this.leaders.get(id) ?? null,
      reportOf: (id: number) => this.report(id),
      isTaken: () => false,
      merging: [],
    };
    return this.scheduler.plan(view, { replicas: modelLimits.replicas, merges: false }, this.round * roundUs);
  }

  report(id: number): RegionReport {
    const peers = this.region(id).peers.map(({ peerId, storeId, role }) => ({
      peerId,
      silentMs: this.alive(storeId) ? 0 : 5_000,
      caughtUp: this.alive(storeId) && (role !== "learner" || this.caughtUp.has(peerId)),
    }));
    return { sizeBytes: this.sizes.get(id) ?? 0, entriesPerSecond: 0, commandsPerSecond: 0, peers };
  }

  /** `does`: whether this operator is carried out in this round; not all of them are, and some leaders die first. */
  step(does: (operator: Operator) => boolean): number {
    this.round++;
    this.#elect();
    for (const region of this.state.regions) if (isJointRegion(region) && this.#decides(region)) this.#leave(region);
    const { operators, decisions } = this.plan();
    for (const decision of decisions) this.#decide(decision);
    for (const operator of operators) if (does(operator)) this.#do(operator);
    return operators.length + decisions.length;
  }

  /** A majority of each half is alive. */
  #decides(region: RegionMeta): boolean {
    const { voters, votersOutgoing } = voterConfiguration(region);
    const live = (ids: readonly number[]): boolean => {
      const up = region.peers.filter(({ peerId, storeId }) => ids.includes(peerId) && this.alive(storeId)).length;
      return ids.length === 0 || up * 2 > ids.length;
    };
    return live(voters) && live(votersOutgoing);
  }

  /** Whether every region could elect and commit now. */
  everyRegionDecides(): boolean {
    return this.state.regions.every((region) => this.#decides(region));
  }

  #elect(): void {
    for (const region of this.state.regions) {
      const leader = this.leaders.get(region.id);
      const own = region.peers.find(({ peerId }) => peerId === leader?.peerId);
      const leads = own !== undefined && own.role !== "learner" && this.alive(own.storeId);
      if (leads || !this.#decides(region)) continue;
      const next = region.peers.find(({ storeId, role }) => role === "voter" && this.alive(storeId));
      if (next === undefined) continue;
      this.leaders.set(region.id, { storeId: next.storeId, peerId: next.peerId, term: (leader?.term ?? 0) + 1 });
    }
  }

  #leave(region: RegionMeta): void {
    const after = regionAfterPeers(region, leaveJointOf(region));
    if (typeof after === "string") throw new Error(after);
    this.event({ kind: "RegionDescriptorPublished", region: after });
  }

  #decide(decision: Decision): void {
    if (decision.kind === "cancel") {
      this.event({ kind: "PeerAdditionCancelled", transitionId: decision.transitionId });
    } else if (decision.kind === "leave") {
      this.event({ kind: "StoreLeft", storeId: decision.storeId });
    } else {
      const { id, epoch } = decision.region;
      const peerId = ++this.#lastPeerId;
      this.event({
        kind: "PeerAdditionPlanned", transitionId: transitionIdOf(id, peerId), regionId: id, base: epoch,
        peer: { peerId, storeId: decision.storeId, role: "learner" },
      });
    }
  }

  #do(operator: Operator): void {
    const { regionId, term } = operator;
    const leader = this.leaders.get(regionId);
    const region = this.region(regionId);
    if (leader?.term !== term || !this.alive(leader.storeId) || !this.#decides(region)) return;
    if (operator.kind === "transfer-leader") {
      if (!this.alive(operator.target.storeId)) throw new Error("a leader is sent to a store that is down");
      this.leaders.set(regionId, { ...operator.target, term: term + 1 });
      return;
    }
    if (operator.kind === "merge") throw new Error("nothing is merged here");
    const after = regionAfterPeers(region, confChangeOf(region, changesOf(operator)));
    if (typeof after === "string") throw new Error(`region ${regionId}: ${after}`);
    this.changes++;
    this.event({ kind: "RegionDescriptorPublished", region: after });
  }
}

function changesOf(operator: Exclude<Operator, { kind: "transfer-leader" | "merge" }>): PeerChange[] {
  if (operator.kind === "add-learner") return [{ op: "addLearner", ...operator.target }];
  if (operator.kind === "remove-peer") return [{ op: "remove", ...operator.target }];
  return [
    ...operator.promoted.map((peerId): PeerChange => ({ op: "promote", peerId, storeId: 0 })),
    ...operator.demoted.map((peerId): PeerChange => ({ op: "demote", peerId, storeId: 0 })),
  ];
}
