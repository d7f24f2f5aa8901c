import { compareKeys } from "../core/bytes/record.ts";
import type { RegionMeta } from "../raft/region.ts";
import type { RegionStatus, StoreStatusAnswer } from "../raft/store/status-messages.ts";
import type { StoreLiveness, StoreStatus } from "../coordinator/store-view.ts";

/** A region's replica on one store, seen from its leader where there is one. */
export interface ReplicaView {
  readonly storeId: number;
  readonly peerId: number;
  readonly role: string;
  readonly isLeader: boolean;
  /** As its own store says; null: the store did not answer. */
  readonly applied: number | null;
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

/** A replica and the store that told of it. */
interface Told {
  readonly storeId: number;
  readonly status: RegionStatus;
}

export function clusterView(
  stores: readonly StoreStatus[],
  answers: ReadonlyMap<number, StoreStatusAnswer>,
  silent: ClusterView["silent"],
): ClusterView {
  const told = new Map<number, Told[]>();
  for (const [storeId, { regions }] of [...answers].toSorted(([a], [b]) => a - b)) {
    for (const status of regions) {
      const others = told.get(status.region.id);
      if (others === undefined) told.set(status.region.id, [{ storeId, status }]);
      else others.push({ storeId, status });
    }
  }
  const regions = [...told.values()].map(regionView).toSorted(byStart);
  return {
    stores: stores.map(({ storeId, address, liveness }) => {
      return { storeId, address, liveness, status: answers.get(storeId) ?? null };
    }),
    regions,
    silent,
  };
}

function regionView(told: readonly Told[]): RegionView {
  const newest = told.reduce((best, other) => (isNewer(other.status.region, best.status.region) ? other : best));
  const { region } = newest.status;
  const leaders = told.filter(({ status }) => status.leadingTerm > 0);
  // Who was deposed and has not heard of it leads in an earlier term.
  const leader = leaders.toSorted((a, b) => b.status.leadingTerm - a.status.leadingTerm)[0] ?? null;
  const source = leader ?? newest;
  return {
    region,
    leaderStore: leader?.storeId ?? 0,
    term: Math.max(...told.map(({ status }) => status.term)),
    bytes: source.status.bytes,
    records: source.status.records,
    // Former leaders served some of them.
    reads: told.reduce((sum, { status }) => sum + status.reads, 0),
    writes: told.reduce((sum, { status }) => sum + status.writes, 0),
    replicas: region.peers
      .map(({ peerId, storeId, role }): ReplicaView => {
        const own = told.find((other) => other.storeId === storeId && other.status.peerId === peerId);
        const progress = leader?.status.progress.find((other) => other.peerId === peerId);
        const lag = progress === undefined || leader === null ? null : Math.max(0, leader.status.last - progress.match);
        const isLeader = storeId === leader?.storeId;
        return {
          storeId, peerId, role, isLeader, applied: own?.status.applied ?? null, lag, state: progress?.state ?? null,
        };
      })
      .toSorted((a, b) => a.storeId - b.storeId),
  };
}

function isNewer({ epoch: a }: RegionMeta, { epoch: b }: RegionMeta): boolean {
  return a.version === b.version ? a.confVer > b.confVer : a.version > b.version;
}

function byStart({ region: a }: RegionView, { region: b }: RegionView): number {
  return compareKeys(a.start, b.start) || a.id - b.id;
}
