import { type Layout, blob, list, oneOf, struct, text, u53 } from "../core/bytes/layout.ts";
import { type RegionEpoch } from "../raft/epoch.ts";
import { epochLayout, peerLayout, regionLayout, type RegionMeta, type RegionPeer } from "../raft/region.ts";

/**
 * What the Coordinator knows for certain: a pure function of the root events before it. Plain data, never changed in
 * place. What heartbeats say beyond it (leaders, loads, who is alive) is forgotten with the process.
 */
export interface CoordinatorState {
  /** 0: not bootstrapped. */
  readonly clusterId: number;
  /** Formats and protocols that every member understands: raised, never lowered. */
  readonly clusterVersion: number;
  /** Goes up by one with every event that changes regions, or plans to. */
  readonly clusterEpoch: number;
  /** Goes up by one whenever a store joins, moves or leaves. */
  readonly membershipEpoch: number;
  /** By id. */
  readonly stores: readonly StoreRecord[];
  /** By start key; never overlapping. While heartbeats are on their way there may be gaps. */
  readonly regions: readonly RegionMeta[];
  /** By start key: ranges of descriptors that are over, and whose successors are not known yet. */
  readonly vacated: readonly VacatedRange[];
  /** Regions taken out by hand, by id: a late heartbeat must not bring one back. */
  readonly tombstones: readonly RegionTombstone[];
  /** At most one per region; by region id. */
  readonly pendingPeerChanges: readonly PendingPeerChange[];
  /** By region id: of the parent, or of the source. */
  readonly pendingRangeChanges: readonly PendingRangeChange[];
  /** How the last transitions ended, oldest first: at most `settledTransitionsMax`. */
  readonly settled: readonly SettledTransition[];
  /** No id up to it is ever given out by a later incarnation. */
  readonly idFence: number;
  /** No timestamp up to it is ever given out by a later incarnation. */
  readonly tsoFence: number;
  /** Versions below it may be gone. */
  readonly gcSafePoint: number;
  /** What keeps the safe point back, by name. */
  readonly serviceSafePoints: readonly ServiceSafePoint[];
  /** By name. */
  readonly config: readonly ConfigEntry[];
}

export interface StoreRecord {
  readonly storeId: number;
  readonly address: string;
  /** "leaving": its replicas are to live elsewhere. "left" stays known: its id is never used again. */
  readonly membership: StoreMembership;
  /** Where it stands, for placement: `zone=a`. Sorted. */
  readonly labels: readonly string[];
}

export const storeMemberships = ["member", "left", "leaving"] as const;
export type StoreMembership = (typeof storeMemberships)[number];

/** Whatever comes here next is of a higher version. */
export interface VacatedRange {
  readonly start: Uint8Array;
  readonly end: Uint8Array;
  readonly version: number;
}

export interface RegionTombstone {
  readonly regionId: number;
  readonly epoch: RegionEpoch;
}

const peerChangeKinds = ["addition", "removal"] as const;
export type PeerChangeKind = (typeof peerChangeKinds)[number];

export interface PendingPeerChange {
  readonly transitionId: string;
  readonly change: PeerChangeKind;
  readonly regionId: number;
  /** What the plan was made for. */
  readonly base: RegionEpoch;
  readonly peer: RegionPeer;
}

const rangeChangeKinds = ["split", "merge"] as const;
export type RangeChangeKind = (typeof rangeChangeKinds)[number];

export interface PendingRangeChange {
  readonly transitionId: string;
  readonly change: RangeChangeKind;
  /** Of the parent, or of the source. */
  readonly regionId: number;
  readonly base: RegionEpoch;
  /** Split: the children, in key order. Merge: the target alone. */
  readonly otherIds: readonly number[];
  /** Split: where each child begins. Merge: none. */
  readonly splitKeys: readonly Uint8Array[];
}

const settledOutcomes = ["completed", "superseded", "cancelled"] as const;
export type SettledOutcome = (typeof settledOutcomes)[number];

export interface SettledTransition {
  readonly transitionId: string;
  readonly outcome: SettledOutcome;
}

export interface ServiceSafePoint {
  readonly service: string;
  readonly safePoint: number;
  /** A timestamp; from then on it holds nothing back. */
  readonly expiresAt: number;
}

export interface ConfigEntry {
  readonly name: string;
  readonly value: string;
}

export const settledTransitionsMax = 256;

export const emptyState: CoordinatorState = {
  clusterId: 0,
  clusterVersion: 0,
  clusterEpoch: 0,
  membershipEpoch: 0,
  stores: [],
  regions: [],
  vacated: [],
  tombstones: [],
  pendingPeerChanges: [],
  pendingRangeChanges: [],
  settled: [],
  idFence: 0,
  tsoFence: 0,
  gcSafePoint: 0,
  serviceSafePoints: [],
  config: [],
};

export const peerChangeLayout: Layout<Omit<PendingPeerChange, "change">> = struct({
  transitionId: text,
  regionId: u53,
  base: epochLayout,
  peer: peerLayout,
});

export const rangeChangeLayout: Layout<Omit<PendingRangeChange, "change">> = struct({
  transitionId: text,
  regionId: u53,
  base: epochLayout,
  otherIds: list(u53),
  splitKeys: list(blob),
});

export const pendingPeerChangeLayout: Layout<PendingPeerChange> = struct({
  change: oneOf(peerChangeKinds),
  transitionId: text,
  regionId: u53,
  base: epochLayout,
  peer: peerLayout,
});

export const pendingRangeChangeLayout: Layout<PendingRangeChange> = struct({
  change: oneOf(rangeChangeKinds),
  transitionId: text,
  regionId: u53,
  base: epochLayout,
  otherIds: list(u53),
  splitKeys: list(blob),
});

export const settledLayout: Layout<SettledTransition> = struct({
  transitionId: text,
  outcome: oneOf(settledOutcomes),
});

export const serviceSafePointLayout: Layout<ServiceSafePoint> = struct({
  service: text,
  safePoint: u53,
  expiresAt: u53,
});

/** A checkpoint of the journal, and a snapshot of its Raft group. */
export const stateLayout: Layout<CoordinatorState> = struct({
  clusterId: u53,
  clusterVersion: u53,
  clusterEpoch: u53,
  membershipEpoch: u53,
  stores: list(
    struct<StoreRecord>({ storeId: u53, address: text, membership: oneOf(storeMemberships), labels: list(text) }),
  ),
  regions: list(regionLayout),
  vacated: list(struct<VacatedRange>({ start: blob, end: blob, version: u53 })),
  tombstones: list(struct<RegionTombstone>({ regionId: u53, epoch: epochLayout })),
  pendingPeerChanges: list(pendingPeerChangeLayout),
  pendingRangeChanges: list(pendingRangeChangeLayout),
  settled: list(settledLayout),
  idFence: u53,
  tsoFence: u53,
  gcSafePoint: u53,
  serviceSafePoints: list(serviceSafePointLayout),
  config: list(struct<ConfigEntry>({ name: text, value: text })),
});
