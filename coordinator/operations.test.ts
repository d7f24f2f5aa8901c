import { expect, test } from "vitest";
import { TestWorld } from "../core/engine/test-world.test-support.ts";
import type { RegionMeta } from "../raft/region.ts";
import { Coordinator, coordinatorDefaults } from "./coordinator.ts";
import type { RegionHeartbeat } from "./region-report.ts";
import { LocalJournal } from "./local-journal.ts";
import type { Operator } from "./operator.ts";
import { mergesEntry, replicasEntry } from "./operations.ts";
import type { RootEvent } from "./root-event.ts";

// Goal: what the Coordinator decided by itself is durable before anybody is asked for it, and asked for again, with the
// same ids, by a Coordinator that began anew. Method: a Coordinator over its journal, heartbeats by hand.

const none = new Uint8Array(0);
const voters = [1, 2, 3].map((storeId) => ({ peerId: 100 + storeId, storeId, role: "voter" as const }));
const region: RegionMeta = { id: 1, start: none, end: none, epoch: { version: 1, confVer: 1 }, peers: voters };
const downAfterMs = 60_000;
const beat = {
  incarnation: 1, writes: 0, capacityBytes: 0, availableBytes: 0, regionCount: 1, leaderCount: 0, readBytesPerSecond: 0,
  writtenBytesPerSecond: 0, snapshotsSending: 0, snapshotsReceiving: 0, slowScore: 1,
};

function told(of: RegionMeta, silent: number, silentMs = 40_000): RegionHeartbeat {
  const peers = of.peers.map(({ peerId, storeId }) => {
    return { peerId, silentMs: storeId === silent ? silentMs : 0, caughtUp: storeId !== silent };
  });
  const report = { sizeBytes: 0, entriesPerSecond: 0, commandsPerSecond: 0, peers };
  return { region: of, leaderPeerId: 101, term: 5, report };
}

class Stage {
  readonly world = new TestWorld();
  planUsPerRegion = 0;
  operatorsMax = coordinatorDefaults.scheduler.operatorsMax;
  #coordinator: Coordinator | null = null;

  async start(): Promise<void> {
    const env = this.world.boot();
    const journal = await this.world.run(LocalJournal.open(env, "/root", { owner: "test", fileBytesMax: 65_536 }));
    const liveness = { disconnectedAfterMs: 1_000, downAfterMs };
    const { planUsPerRegion, operatorsMax } = this;
    const scheduler = { ...coordinatorDefaults.scheduler, planUsPerRegion, operatorsMax };
    this.#coordinator = new Coordinator(env, journal, { ...coordinatorDefaults, liveness, scheduler });
  }

  get live(): Coordinator {
    if (this.#coordinator === null) throw new Error("nothing was started");
    return this.#coordinator;
  }

  publish(event: RootEvent): Promise<void> {
    return this.world.run(new Promise((resolve) => this.live.publish(event, 0, () => resolve())));
  }

  async begin(): Promise<void> {
    await this.publish({ kind: "ClusterBootstrapped", clusterId: 9, clusterVersion: 1 });
    await this.publish({ kind: "RegionBootstrap", region });
    await this.publish({ kind: "ConfigSet", name: replicasEntry, value: "3" });
    for (const storeId of [1, 2, 3, 4]) {
      await this.publish({ kind: "StoreJoined", storeId, address: `s:${storeId}`, labels: [] });
    }
  }

  /** What the leader's store is asked to do after everybody but `silent` has been heard. */
  async hear(heartbeat: RegionHeartbeat, silent: number): Promise<readonly Operator[]> {
    await this.world.run(new Promise((resolve) => this.live.regionHeartbeat(heartbeat, resolve)));
    return this.hearStores(silent);
  }

  async hearStores(...silent: readonly number[]): Promise<readonly Operator[]> {
    let asked: readonly Operator[] = [];
    for (const storeId of [4, 3, 2, 1]) {
      if (silent.includes(storeId)) continue;
      asked = await this.world.run(
        new Promise((resolve) => this.live.storeHeartbeat({ storeId, ...beat }, (_, operators) => resolve(operators))),
      );
    }
    await this.world.pass(100);
    return asked;
  }
}

async function lose(stage: Stage, silent: number): Promise<void> {
  for (let i = 0; i < 80; i++) {
    await stage.world.pass(800);
    await stage.hear(told(region, silent), silent);
  }
}

test("an id is reserved before a store is asked; a Coordinator that begins anew asks for the same peer", async () => {
  const stage = new Stage();
  await stage.start();
  await stage.begin();
  await lose(stage, 3);
  const [change] = stage.live.transitions().peerChanges;
  expect(change).toMatchObject({ change: "addition", regionId: 1, peer: { storeId: 4, role: "learner" } });
  const peerId = change?.peer.peerId ?? 0;
  const operator = {
    kind: "add-learner", regionId: 1, term: 5, epoch: region.epoch, source: { storeId: 1, peerId: 101 },
    target: { storeId: 4, peerId },
  };
  expect(await stage.hear(told(region, 3), 3)).toEqual([operator]);
  await stage.start();
  expect(stage.live.transitions().peerChanges).toEqual([change]);
  // Whether it returns is not known yet; nothing is given up meanwhile, and the leader has not waited long enough.
  expect(await stage.hear(told(region, 3), 3)).toEqual([]);
  await lose(stage, 3);
  expect(stage.live.transitions().peerChanges).toEqual([change]);
  expect(await stage.hear(told(region, 3), 3)).toEqual([operator]);
  expect(stage.live.operations).toMatchObject({ replicas: 3, planned: [operator] });
});

test("a store that returns in time ends the plan, and one that is told to leave is replaced at once", async () => {
  const stage = new Stage();
  await stage.start();
  await stage.begin();
  await lose(stage, 3);
  expect(stage.live.transitions().peerChanges.length).toBe(1);
  await stage.hear(told(region, 0), 0);
  await stage.hear(told(region, 0), 0);
  expect(stage.live.transitions()).toMatchObject({ peerChanges: [], settled: [{ outcome: "cancelled" }] });
  await stage.publish({ kind: "StoreLeaving", storeId: 2, leaving: true });
  await stage.hear(told(region, 0), 0);
  expect(stage.live.transitions().peerChanges).toMatchObject([{ peer: { storeId: 4 } }]);
});

test("a store has left when no region and no plan names it, and it holds nothing itself", async () => {
  const stage = new Stage();
  await stage.start();
  await stage.begin();
  await stage.publish({ kind: "StoreLeaving", storeId: 4, leaving: true });
  await stage.hear(told(region, 0), 0);
  const membership = (): string | undefined => stage.live.stores().find(({ storeId }) => storeId === 4)?.membership;
  // It says that it holds a replica: it was not told of its removal yet.
  expect(membership()).toBe("leaving");
  await stage.world.run(
    new Promise<void>((resolve) => {
      stage.live.storeHeartbeat({ storeId: 4, ...beat, regionCount: 0 }, () => resolve());
    }),
  );
  await stage.world.pass(100);
  expect(membership()).toBe("left");
  await stage.publish({ kind: "StoreLeaving", storeId: 4, leaving: false });
  expect(membership()).toBe("left");
});

test("a Coordinator that begins anew believes the leader that a store was silent for long before", async () => {
  const stage = new Stage();
  await stage.start();
  await stage.begin();
  await stage.start();
  for (let i = 0; i < 3; i++) {
    await stage.world.pass(500);
    await stage.hear(told(region, 3, downAfterMs), 3);
  }
  expect(stage.live.transitions().peerChanges).toMatchObject([{ peer: { storeId: 4 } }]);
});

test("a leader says once who is silent: heartbeats of its store confirm it, and nothing else does", async () => {
  for (const alsoSilent of [0, 1]) {
    const stage = new Stage();
    await stage.start();
    await stage.begin();
    await stage.hear(told(region, 3, 1_000), 3);
    for (let i = 0; i < 80; i++) {
      await stage.world.pass(800);
      await stage.hearStores(3, alsoSilent);
    }
    const silentMs = stage.live.reportOf(1)?.peers.map((peer) => peer.silentMs);
    // The leader's store is not heard of either: what it would say now, nobody knows.
    if (alsoSilent === 1) expect(silentMs).toEqual([0, 0, 1_000]);
    else expect(silentMs?.slice(0, 2)).toEqual([0, 0]);
    if (alsoSilent === 0) expect(silentMs?.[2]).toBeGreaterThan(64_000);
    expect(stage.live.transitions().peerChanges.length).toBe(alsoSilent === 1 ? 0 : 1);
  }
});

test("a plan holds for a while, and then what has changed since counts", async () => {
  const stage = new Stage();
  stage.planUsPerRegion = 10_000_000;
  await stage.start();
  await stage.begin();
  const reserved = (): number => stage.live.transitions().peerChanges.length;
  expect(await stage.hear(told(region, 0), 0)).toEqual([]);
  await stage.publish({ kind: "StoreLeaving", storeId: 2, leaving: true });
  for (let i = 0; i < 9; i++) {
    await stage.hear(told(region, 0), 0);
    expect(reserved()).toBe(0);
    await stage.world.pass(900);
  }
  await stage.world.pass(2_000);
  await stage.hear(told(region, 0), 0);
  expect(reserved()).toBe(1);
  // The next step is a plan of its own.
  expect(await stage.hear(told(region, 0), 0)).toEqual([]);
  await stage.world.pass(10_000);
  expect(await stage.hear(told(region, 0), 0)).toMatchObject([{ kind: "add-learner", target: { storeId: 4 } }]);
});

test("who is to do nothing any more has nothing planned", async () => {
  const stage = new Stage();
  stage.operatorsMax = 0;
  await stage.start();
  await stage.begin();
  await stage.publish({ kind: "StoreLeaving", storeId: 2, leaving: true });
  await stage.hear(told(region, 0), 0);
  expect(await stage.hear(told(region, 0), 0)).toMatchObject([{ kind: "add-learner" }]);
  await stage.publish({ kind: "ConfigSet", name: replicasEntry, value: "0" });
  await stage.publish({ kind: "ConfigSet", name: mergesEntry, value: "off" });
  expect(await stage.hear(told(region, 0), 0)).toEqual([]);
  expect(stage.live.operations.planned).toEqual([]);
});
