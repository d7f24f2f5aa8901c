import type { Env } from "../core/env/env.ts";
import { peerById, type RegionMeta, regionProblem } from "../raft/region.ts";
import type { RangeReply } from "./allocators.ts";
import { type Assessment, assess } from "./assess.ts";
import { CoordinatorError } from "./coordinator-error.ts";
import type { RootJournal, RootToken } from "./journal.ts";
import { Office, type OfficeOptions } from "./office.ts";
import type { Operations } from "./operations.ts";
import type { Operator } from "./operator.ts";
import { planDefaults } from "./plan-view.ts";
import { dominance, regionById } from "./region-map.ts";
import { type RootEvent, takenId } from "./root-event.ts";
import { route, type RouteAnswer, type RouteRequest } from "./route.ts";
import type { RegionHeartbeat, RegionReport } from "./region-report.ts";
import type { CoordinatorState, PendingPeerChange, PendingRangeChange, SettledTransition } from "./state.ts";
import { livenessDefaults, type StoreHeartbeat, type StoreStatus } from "./store-view.ts";
import { clockLimitsDefault } from "./timestamp-oracle.ts";

export type CoordinatorOptions = OfficeOptions;

export const coordinatorDefaults: CoordinatorOptions = {
  clock: clockLimitsDefault,
  liveness: livenessDefaults,
  scheduler: {
    ...planDefaults, coolingMs: 5_000, stuckMs: 10 * 60_000, mergeQuietMs: 3_600_000, planUsPerRegion: 200,
  },
};

/**
 * `known`: the descriptor that made the heartbeat stale, for a peer that has missed something. `office`: of the
 * Coordinator that has heard it (`Coordinator.office`); 0: none has.
 */
export type HeartbeatReply = (error: CoordinatorError | null, known: RegionMeta | null, office: number) => void;

export interface Published {
  readonly accepted: boolean;
  readonly assessment: Assessment;
  /** Reads from here on see the event. */
  readonly token: RootToken;
}

/** What the store is asked to do, and by which Coordinator; none and 0 when it was refused. */
export type StoreReply = (error: CoordinatorError | null, operators: readonly Operator[], office: number) => void;

/** Exactly one of the two is null. */
export type PublishReply = (error: CoordinatorError | null, published: Published | null) => void;

export interface Transitions {
  readonly peerChanges: readonly PendingPeerChange[];
  readonly rangeChanges: readonly PendingRangeChange[];
  readonly settled: readonly SettledTransition[];
}

/**
 * The control plane of one cluster: timestamps, ids, routes and the view of stores and regions. It never changes what
 * stores hold. Everything it promises is in the journal first; what heartbeats say beyond descriptors is volatile.
 * Replies never come inside the call that asked.
 */
export class Coordinator {
  readonly #env: Env;
  readonly #journal: RootJournal;
  readonly #options: CoordinatorOptions;
  readonly #beganUs: number;
  #office: Office;
  /** A journal of one process that takes nothing any more says so itself: it is nobody else's to decide then. */
  #leads: boolean;
  #stopped = false;

  constructor(env: Env, journal: RootJournal, options: CoordinatorOptions = coordinatorDefaults) {
    this.#env = env;
    this.#journal = journal;
    this.#options = options;
    this.#beganUs = env.clock.monotonicUs();
    this.#office = this.#newOffice();
    this.#leads = journal.status.role === "leader";
    if (this.#leads) return;
    journal.watchOffice({ lead: () => this.#lead(), stepDown: () => this.#stepDown() });
  }

  get state(): CoordinatorState {
    return this.#journal.state;
  }

  get token(): RootToken {
    return this.#journal.token;
  }

  /**
   * What heartbeats told is of one office: a process that began anew, or another member of a group, knows none of it
   * and has a later one. Whoever told anything to an earlier one tells it again.
   */
  get office(): number {
    return this.#office.id;
  }

  timestamps(count: number, reply: RangeReply): void {
    const refused = this.#refusal();
    if (refused !== null) this.#env.clock.soon(() => reply(refused, null));
    else this.#office.allocators.timestamps(count, reply);
  }

  /** `reply(null)` once nobody, after whatever crash, gives out a timestamp up to `through`. */
  fenceTimestamps(through: number, reply: (error: CoordinatorError | null) => void): void {
    if (this.#stopped) this.#env.clock.soon(() => reply(stopping()));
    else this.#office.allocators.fenceTimestamps(through, reply);
  }

  allocateIds(count: number, reply: RangeReply): void {
    const refused = this.#refusal();
    if (refused !== null) this.#env.clock.soon(() => reply(refused, null));
    else this.#office.allocators.allocateIds(count, reply);
  }

  /** `done(null)` when what is answered from then on has everything that anybody published before the call. */
  confirm(done: (error: CoordinatorError | null) => void): void {
    this.#journal.confirm(done);
  }

  /** `expectedClusterEpoch` 0: whatever it is. */
  publish(event: RootEvent, expectedClusterEpoch: number, reply: PublishReply): void {
    const refused = this.#refusePublish(event, expectedClusterEpoch);
    if (refused !== null) {
      this.#env.clock.soon(() => reply(refused, null));
      return;
    }
    this.#journal.propose(event, (proposed) => {
      if (proposed.error !== null) return reply(proposed.error, null);
      this.#office.prune();
      const { assessment, token } = proposed;
      this.#office.allocators.passById(takenId(event));
      reply(null, { accepted: assessment.accepted, assessment, token });
    });
  }

  /** What `event` would do now, without doing it. */
  assess(event: RootEvent): Assessment {
    return assess(this.state, event);
  }

  regionHeartbeat(heartbeat: RegionHeartbeat, reply: HeartbeatReply): void {
    const { region, term } = heartbeat;
    const refused = this.#refusal();
    if (refused !== null) return this.#answer(reply, refused, null);
    const problem = heartbeatProblem(heartbeat);
    if (problem !== null) return this.#answer(reply, new CoordinatorError("INVALID", problem), null);
    if (this.state.clusterId === 0) return this.#answer(reply, notBootstrapped(), null);
    const found = dominance(this.state, region);
    if (found.kind === "stale") return this.#answer(reply, stale("a newer descriptor is known"), found.by);
    if (found.kind === "known") {
      const heard = this.#office.hear(heartbeat);
      return this.#answer(reply, heard ? null : stale(saidSince), null);
    }
    // A newer descriptor stands later in the log than what is known: its leader's term is not lower.
    if (term < this.#office.leaders.termOf(region.id)) return this.#answer(reply, stale("a later term is known"), null);
    const event: RootEvent = { kind: "RegionDescriptorPublished", region };
    this.#journal.propose(event, (proposed) => {
      if (proposed.error !== null) return reply(proposed.error, null, 0);
      this.#office.prune();
      this.#office.allocators.passById(takenId(event));
      if (!proposed.assessment.accepted) return reply(stale(proposed.assessment.detail), null, 0);
      const heard = this.#office.hear(heartbeat);
      reply(heard ? null : stale(saidSince), null, heard ? this.#office.id : 0);
    });
  }

  storeHeartbeat(heartbeat: StoreHeartbeat, reply: StoreReply): void {
    const refused = this.#refusal();
    if (refused !== null) {
      this.#env.clock.soon(() => reply(refused, [], 0));
      return;
    }
    const store = this.state.stores.find(({ storeId }) => storeId === heartbeat.storeId);
    if (store === undefined || store.membership === "left") {
      const message = `store ${heartbeat.storeId} ${store === undefined ? "has not joined" : "has left"}`;
      this.#env.clock.soon(() => reply(new CoordinatorError("UNKNOWN_STORE", message), [], 0));
      return;
    }
    const nowUs = this.#env.clock.monotonicUs();
    this.#office.stores.hear(heartbeat, nowUs);
    const operators = this.#office.operations.heard(heartbeat.storeId, nowUs);
    const office = this.#office.id;
    this.#env.clock.soon(() => reply(null, operators, office));
  }

  /** By id. */
  stores(): readonly StoreStatus[] {
    return this.#office.stores.list(this.state, this.#env.clock.monotonicUs());
  }

  route(request: RouteRequest): RouteAnswer | CoordinatorError {
    const { state, token, status } = this.#journal;
    return route({ state, token, status, leaderOf: (id) => this.#office.leaders.of(id) }, request);
  }

  /**
   * Null: no such region is known. A member that is behind may answer: what it knows was true, and its epoch says
   * of when it is.
   */
  descriptor(regionId: number): RegionMeta | null {
    return regionById(this.state, regionId);
  }

  /** For people. */
  get operations(): Pick<Operations, "planned" | "replicas"> {
    return this.#office.operations;
  }

  /** What its leader said of it last, as it is now. Null: nothing. */
  reportOf(regionId: number): RegionReport | null {
    return this.#office.operations.reportOf(regionId);
  }

  transitions(): Transitions {
    const { pendingPeerChanges, pendingRangeChanges, settled } = this.state;
    return { peerChanges: pendingPeerChanges, rangeChanges: pendingRangeChanges, settled };
  }

  /** Answers everybody who waits for a number, and gives none from now on. The journal is its owner's to close. */
  stop(): void {
    this.#stopped = true;
    this.#office.allocators.stop(stopping());
  }

  #lead(): void {
    this.#leads = true;
    this.#office = this.#newOffice();
  }

  #newOffice(): Office {
    const { clock, random } = this.#env;
    const uptimeMs = Math.floor((clock.monotonicUs() - this.#beganUs) / 1_000);
    const drawn = random.u32("coordinator/office", this.#journal.token.term, Math.max(0, Math.floor(clock.wallMs())));
    return new Office(clock, this.#journal, this.#options, uptimeMs, drawn);
  }

  /** Whoever waits for a number asks whoever decides now. */
  #stepDown(): void {
    this.#leads = false;
    this.#office.allocators.stop(this.#notLeading());
  }

  /** Null: this member decides. */
  #refusal(): CoordinatorError | null {
    if (this.#stopped) return stopping();
    return this.#leads ? null : this.#notLeading();
  }

  #notLeading(): CoordinatorError {
    const { leader } = this.#journal.status;
    return new CoordinatorError("NOT_LEADER", "this member of the Coordinator's group does not lead", leader);
  }

  #refusePublish(event: RootEvent, expectedClusterEpoch: number): CoordinatorError | null {
    if (event.kind === "IDAllocatorFenced" || event.kind === "TSOAllocatorFenced") {
      return new CoordinatorError("INVALID", `${event.kind} is the Coordinator's own event`);
    }
    const { clusterEpoch, clusterId } = this.state;
    if (expectedClusterEpoch !== 0 && expectedClusterEpoch !== clusterEpoch) {
      const message = `the cluster's epoch is ${clusterEpoch}, not ${expectedClusterEpoch}`;
      return new CoordinatorError("EPOCH_MISMATCH", message);
    }
    if (clusterId !== 0 || event.kind === "ClusterBootstrapped") return null;
    return notBootstrapped();
  }

  #answer(reply: HeartbeatReply, error: CoordinatorError | null, known: RegionMeta | null): void {
    const office = error === null ? this.#office.id : 0;
    this.#env.clock.soon(() => reply(error, known, office));
  }
}

function heartbeatProblem({ region, leaderPeerId, term }: RegionHeartbeat): string | null {
  const problem = regionProblem(region);
  if (problem !== null) return `region ${region.id}: ${problem}`;
  const leader = peerById(region, leaderPeerId);
  if (leader === null) return `region ${region.id} has no peer ${leaderPeerId} that could lead it`;
  if (leader.role === "learner") return `peer ${leaderPeerId} of region ${region.id} is a learner`;
  return Number.isSafeInteger(term) && term >= 1 ? null : `a leader has a positive term, not ${term}`;
}

const saidSince = "a leader of a later term is known, or that one has said more since";

function stale(why: string): CoordinatorError {
  return new CoordinatorError("STALE_HEARTBEAT", why);
}

function notBootstrapped(): CoordinatorError {
  return new CoordinatorError("BOOTSTRAP_REQUIRED", "the cluster has no id yet: bootstrap it first");
}

function stopping(): CoordinatorError {
  return new CoordinatorError("STOPPED", "the Coordinator is shutting down");
}
