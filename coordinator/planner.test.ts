import fc from "fast-check";
import { expect, test } from "vitest";
import type { RegionMeta, RegionPeer } from "../raft/region.ts";
import type { RegionLeader } from "./leader-view.ts";
import type { TransferLeader } from "./operator.ts";
import { planDefaults, type PlanView } from "./plan-view.ts";
import { plan } from "./planner.ts";
import type { StoreLiveness, StoreStatus } from "./store-view.ts";

// Goal: leaders spread over the stores that can take them, and the planner comes to rest.

const storeIds = [1, 2, 3, 4, 5];

interface Drawn {
  readonly stores: readonly number[];
  readonly leader: number;
}

const drawnRegions: fc.Arbitrary<readonly Drawn[]> = fc.array(
  fc.record({
    stores: fc.shuffledSubarray(storeIds, { minLength: 1, maxLength: 3 }),
    leader: fc.nat(),
  }),
  { minLength: 1, maxLength: 30 },
);

class Cluster implements PlanView {
  stores: StoreStatus[] = storeIds.map((storeId) => storeStatus(storeId, "up"));
  readonly regions: RegionMeta[];
  readonly leaders = new Map<number, RegionLeader>();
  busy: readonly number[] = [];

  constructor(drawn: readonly Drawn[]) {
    this.regions = drawn.map(({ stores, leader }, i) => {
      const peers = stores.map((storeId): RegionPeer => ({ peerId: 10 * i + storeId, storeId, role: "voter" }));
      const first = peers[leader % peers.length];
      if (first !== undefined) this.leaders.set(i + 1, { peerId: first.peerId, storeId: first.storeId, term: 5 });
      const start = i === 0 ? new Uint8Array(0) : Uint8Array.of(i);
      const end = i === drawn.length - 1 ? new Uint8Array(0) : Uint8Array.of(i + 1);
      return { id: i + 1, start, end, epoch: { version: 1, confVer: 1 }, peers };
    });
  }

  leaderOf(regionId: number): RegionLeader | null {
    return this.leaders.get(regionId) ?? null;
  }

  isBusy(regionId: number): boolean {
    return this.busy.includes(regionId);
  }

  reportOf(): null {
    return null;
  }

  additionOf(): null {
    return null;
  }

  isStuck(): boolean {
    return false;
  }

  avoids(): boolean {
    return false;
  }

  isQuiet(): boolean {
    return false;
  }

  readonly merging = 0;

  countOf(storeId: number): number {
    return [...this.leaders.values()].filter((leader) => leader.storeId === storeId).length;
  }
}

function storeStatus(storeId: number, liveness: StoreLiveness): StoreStatus {
  return { storeId, address: `s:${storeId}`, liveness, membership: "member", heartbeat: null };
}

function transfersOf(cluster: Cluster): TransferLeader[] {
  const { operators, decisions } = plan(cluster, planDefaults);
  expect(decisions).toEqual([]);
  return operators.filter((operator) => operator.kind === "transfer-leader");
}

test("carried out again and again, plans come to rest where no transfer helps, and never oscillate", () => {
  fc.assert(
    fc.property(drawnRegions, (drawn) => {
      const cluster = new Cluster(drawn);
      const moves = new Set<string>();
      for (;;) {
        const operators = transfersOf(cluster);
        if (operators.length === 0) break;
        expect(operators.length).toBeLessThanOrEqual(planDefaults.operatorsMax);
        for (const { regionId, source, target } of operators) {
          const picture = storeIds.map((id) => cluster.countOf(id)).join();
          expect(moves.has(`${picture}/${regionId}/${target.storeId}`)).toBe(false);
          moves.add(`${picture}/${regionId}/${target.storeId}`);
          expect(cluster.leaderOf(regionId)).toMatchObject(source);
          expect(cluster.countOf(source.storeId) - cluster.countOf(target.storeId)).toBeGreaterThanOrEqual(2);
          cluster.leaders.set(regionId, { ...target, term: 6 });
        }
      }
      for (const region of cluster.regions) {
        const leader = cluster.leaderOf(region.id);
        for (const { storeId } of region.peers) {
          expect(cluster.countOf(leader?.storeId ?? 0) - cluster.countOf(storeId)).toBeLessThan(2);
        }
      }
    }),
  );
});

const crowded: readonly Drawn[] = [0, 0, 0, 0].map(() => ({ stores: [1, 2], leader: 0 }));

test("one store has all leaders: half of them go, the same ones every time", () => {
  const cluster = new Cluster(crowded);
  expect(transfersOf(cluster).map(({ regionId, target }) => [regionId, target.storeId])).toEqual([[1, 2], [2, 2]]);
  expect(transfersOf(cluster)).toEqual(transfersOf(cluster));
});

test("no leader goes to a store that is silent, slow or a learner, nor out of a region that is busy or joint", () => {
  const cluster = new Cluster(crowded);
  const [first, second, ...others] = cluster.stores;
  if (first === undefined || second === undefined) throw new Error("five stores");
  cluster.stores = [first, { ...second, liveness: "disconnected" }, ...others];
  expect(transfersOf(cluster)).toEqual([]);
  const heartbeat = {
    storeId: 2, incarnation: 1, writes: 0,
    capacityBytes: 1, availableBytes: 1, regionCount: 0, leaderCount: 0, readBytesPerSecond: 0,
    writtenBytesPerSecond: 0, snapshotsSending: 0, snapshotsReceiving: 0, slowScore: 90,
  };
  cluster.stores = [first, { ...second, heartbeat }, ...others];
  expect(transfersOf(cluster)).toEqual([]);
  cluster.stores = [first, second, ...others];
  cluster.busy = [1, 2, 3];
  expect(transfersOf(cluster).map(({ regionId }) => regionId)).toEqual([4]);
  for (const role of ["learner", "demoting-voter"] as const) {
    const other = new Cluster(crowded);
    const peers = other.regions.map((region) => ({
      ...region, peers: region.peers.map((peer) => (peer.storeId === 2 ? { ...peer, role } : peer)),
    }));
    other.regions.splice(0, peers.length, ...peers);
    expect(transfersOf(other)).toEqual([]);
  }
});
