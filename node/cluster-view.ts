import { compareKeys } from "../core/bytes/record.ts";
import type { RegionMeta } from "../raft/region.ts";
import type { RegionStatus, StoreStatusAnswer } from "../raft/store/status-messages.ts";
import type { StoreLiveness, StoreStatus } from "../coordinator/store-view.ts";
import { type MemberStatus, type ToldReplica, leaderAmong, membersOf, replicasByRegion } from "./survey.ts";

/** A region's replica on one store, seen from its leader where there is one. */
export interface ReplicaView extends MemberStatus {
  readonly isLeader: boolean;
  /** Entries of the leader's log that it does not have, as far as the leader knows; null: nobody knows. */
  readonly lag: number | null;
  /** What its leader does about it: probe, replicate, snapshot; null: nobody knows. */
  readonly state: string | null;
}

export interface RegionView {
  readonly region: RegionMeta;
  /** 0: nobody leads, as far as the stores that answered know. */
  readonly leaderStore: number;
  readonly term: number;
  readonly bytes: number;
  readonly records: number;
  readonly reads: number;
  readonly writes: number;
  /** In order of their stores. */
  readonly replicas: readonly ReplicaView[];
}

export interface StoreView {
  readonly storeId: number;
  readonly address: string;
  readonly liveness: StoreLiveness;
  /** What it said of itself; null: it did not answer. */
  readonly status: StoreStatusAnswer | null;
}

/** The cluster at about one moment, put together from what its stores and the Coordinator say. */
export interface ClusterView {
  readonly stores: readonly StoreView[];
  /** By start key. Where stores contradict each other, the newest epoch counts. */
  readonly regions: readonly RegionView[];
  /** Who could not be asked, and why. */
  readonly silent: readonly { readonly who: string; readonly why: string }[];
}

export function clusterView(
  stores: readonly StoreStatus[],
  answers: ReadonlyMap<number, StoreStatusAnswer>,
  silent: ClusterView["silent"],
): ClusterView {
  const told = replicasByRegion(new Map([...answers].map(([storeId, { regions }]) => [storeId, regions])));
  return {
    stores: stores.map(({ storeId, address, liveness }) => {
      return { storeId, address, liveness, status: answers.get(storeId) ?? null };
    }),
    regions: [...told.values()].map(regionView).toSorted(byStart),
    silent,
  };
}

function regionView(told: readonly ToldReplica<RegionStatus>[]): RegionView {
  const newest = told.reduce((best, other) => (isNewer(other.replica.region, best.replica.region) ? other : best));
  const { region } = newest.replica;
  const leader = leaderAmong(told);
  const { bytes, records } = (leader ?? newest).replica;
  return {
    region,
    leaderStore: leader?.storeId ?? 0,
    term: Math.max(...told.map(({ replica }) => replica.term)),
    bytes,
    records,
    // Former leaders served some of them.
    reads: told.reduce((sum, { replica }) => sum + replica.reads, 0),
    writes: told.reduce((sum, { replica }) => sum + replica.writes, 0),
    replicas: membersOf(region, told).map((member) => replicaView(member, leader)),
  };
}

function replicaView(member: MemberStatus, leader: ToldReplica<RegionStatus> | null): ReplicaView {
  const progress = leader?.replica.progress.find(({ peerId }) => peerId === member.peerId);
  const lag = progress === undefined || leader === null ? null : Math.max(0, leader.replica.last - progress.match);
  return { ...member, isLeader: member.storeId === leader?.storeId, lag, state: progress?.state ?? null };
}

function isNewer({ epoch: a }: RegionMeta, { epoch: b }: RegionMeta): boolean {
  return a.version === b.version ? a.confVer > b.confVer : a.version > b.version;
}

function byStart({ region: a }: RegionView, { region: b }: RegionView): number {
  return compareKeys(a.start, b.start) || a.id - b.id;
}
