import { expect, test } from "vitest";
import { TestWorld } from "../core/engine/test-world.test-support.ts";
import type { RegionMeta } from "../raft/region.ts";
import type { NumberRange } from "./allocators.ts";
import { Coordinator, coordinatorDefaults, type Published } from "./coordinator.ts";
import { CoordinatorError } from "./coordinator-error.ts";
import { LocalJournal } from "./local-journal.ts";
import type { Operator } from "./operator.ts";
import type { RegionHeartbeat, RegionReport } from "./region-report.ts";
import type { RootEvent } from "./root-event.ts";
import type { RouteAnswer, RouteRequest } from "./route.ts";
import type { StoreHeartbeat } from "./store-view.ts";

// Goal: what the Coordinator promises to its callers, through a crash and through the loss of its disk.

const none = new Uint8Array(0);
const voters = [1, 2, 3].map((storeId) => ({ peerId: 100 + storeId, storeId, role: "voter" as const }));
const whole: RegionMeta = { id: 1, start: none, end: none, epoch: { version: 1, confVer: 1 }, peers: voters };
const anywhere: RouteRequest = {
  key: none, freshness: "STRONG", requiredToken: { term: 0, index: 0 }, maxRootLag: 0,
};

class Cluster {
  readonly world = new TestWorld();
  journal: LocalJournal | null = null;
  coordinator: Coordinator | null = null;

  async start(options = coordinatorDefaults): Promise<Coordinator> {
    const env = this.world.boot();
    this.journal = await this.world.run(LocalJournal.open(env, "/root", { owner: "test", fileBytesMax: 65_536 }));
    this.coordinator = new Coordinator(env, this.journal, options);
    return this.coordinator;
  }

  get live(): Coordinator {
    if (this.coordinator === null) throw new Error("nothing was started");
    return this.coordinator;
  }

  timestamps(count: number): Promise<NumberRange> {
    return this.#answered((reply) => this.live.timestamps(count, reply));
  }

  ids(count: number): Promise<NumberRange> {
    return this.#answered((reply) => this.live.allocateIds(count, reply));
  }

  publish(event: RootEvent, expected = 0): Promise<Published> {
    return this.#answered((reply) => this.live.publish(event, expected, reply));
  }

  heartbeat(heartbeat: RegionHeartbeat): Promise<CoordinatorError | null> {
    return this.world.run(new Promise((resolve) => this.live.regionHeartbeat(heartbeat, resolve)));
  }

  route(request: Partial<RouteRequest>): RouteAnswer {
    const answer = this.live.route({ ...anywhere, ...request });
    if (answer instanceof CoordinatorError) throw answer;
    return answer;
  }

  async bootstrap(): Promise<void> {
    await this.publish({ kind: "ClusterBootstrapped", clusterId: 9, clusterVersion: 1 });
    await this.publish({ kind: "RegionBootstrap", region: whole });
    await this.heartbeat({ region: whole, leaderPeerId: 102, term: 5 });
  }

  #answered<T>(ask: (reply: (error: CoordinatorError | null, value: T | null) => void) => void): Promise<T> {
    const asked = new Promise<T>((resolve, reject) => {
      ask((error, value) => (value === null ? reject(error ?? new Error("no answer")) : resolve(value)));
    });
    return this.world.run(asked);
  }
}

test("timestamps and ids of one turn cost one sync, and never come again after a crash", async () => {
  const cluster = new Cluster();
  await cluster.start();
  const all = await Promise.all([cluster.timestamps(3), cluster.timestamps(2), cluster.ids(2), cluster.ids(1)]);
  const [first, second, ids, id] = all;
  expect(second.first).toBe(first.first + 3);
  expect([ids.first, id.first]).toEqual([1, 3]);
  cluster.world.powerLoss();
  cluster.world.wallMs -= 10_000;
  await cluster.start();
  expect((await cluster.timestamps(1)).first).toBeGreaterThan(second.first + 1);
  expect((await cluster.ids(1)).first).toBeGreaterThan(3);
});

test("a request of no sense, and one too many, are told so", async () => {
  const cluster = new Cluster();
  await cluster.start();
  await expect(cluster.timestamps(0)).rejects.toMatchObject({ code: "INVALID" });
  await expect(cluster.ids(1e9)).rejects.toMatchObject({ code: "INVALID" });
});

test("a clock that leaps is refused by name; after a start it is the time that has passed", async () => {
  const cluster = new Cluster();
  await cluster.start();
  await cluster.timestamps(1);
  cluster.world.wallMs += 40 * 3_600_000;
  await expect(cluster.timestamps(1)).rejects.toMatchObject({ code: "CLOCK_AHEAD", retriable: true });
  cluster.world.powerLoss();
  await cluster.start();
  await cluster.timestamps(1);
});

test("routes follow published events and heartbeats; what is stale is answered with what is known", async () => {
  const cluster = new Cluster();
  await cluster.start();
  await expect(cluster.publish({ kind: "RegionBootstrap", region: whole })).rejects.toMatchObject({
    code: "BOOTSTRAP_REQUIRED",
  });
  await cluster.bootstrap();
  expect(cluster.route({})).toMatchObject({ region: whole, leader: { peerId: 102, storeId: 2, term: 5 } });
  const left: RegionMeta = { ...whole, end: Uint8Array.of(5), epoch: { version: 2, confVer: 1 } };
  const right: RegionMeta = { ...left, id: 2, start: Uint8Array.of(5), end: none };
  const stale = { code: "STALE_HEARTBEAT" };
  expect(await cluster.heartbeat({ region: right, leaderPeerId: 101, term: 6 })).toBeNull();
  expect(cluster.route({ key: Uint8Array.of(1) }).region).toBeNull();
  expect(await cluster.heartbeat({ region: left, leaderPeerId: 103, term: 4 })).toMatchObject(stale);
  expect(await cluster.heartbeat({ region: left, leaderPeerId: 103, term: 6 })).toBeNull();
  expect(cluster.route({ key: Uint8Array.of(1) })).toMatchObject({ region: left, leader: { peerId: 103 } });
  expect(await cluster.heartbeat({ region: whole, leaderPeerId: 101, term: 9 })).toMatchObject(stale);
  expect(await cluster.heartbeat({ region: left, leaderPeerId: 9, term: 9 })).toMatchObject({ code: "INVALID" });
  // Routes are durable, leaders are not.
  cluster.world.powerLoss();
  await cluster.start();
  expect(cluster.route({ key: Uint8Array.of(1) })).toMatchObject({ region: left, leader: null });
});

test("the cluster's epoch guards what was decided on an older view", async () => {
  const cluster = new Cluster();
  await cluster.start();
  await cluster.bootstrap();
  const { clusterEpoch } = cluster.live.state;
  const event: RootEvent = { kind: "RegionTombstoned", regionId: 1 };
  await expect(cluster.publish(event, clusterEpoch + 1)).rejects.toMatchObject({ code: "EPOCH_MISMATCH" });
  await cluster.publish(event, clusterEpoch);
  expect(cluster.live.state.regions).toEqual([]);
});

const beat: StoreHeartbeat = {
  storeId: 1, incarnation: 1, writes: 0,
  capacityBytes: 100, availableBytes: 50, regionCount: 1, leaderCount: 1, readBytesPerSecond: 0,
  writtenBytesPerSecond: 0, snapshotsSending: 0, snapshotsReceiving: 0, slowScore: 1,
};

test("a silent store is disconnected, then down; silence counts from the Coordinator's start", async () => {
  const cluster = new Cluster();
  await cluster.start({ ...coordinatorDefaults, liveness: { disconnectedAfterMs: 1_000, downAfterMs: 5_000 } });
  const heard = (): Promise<CoordinatorError | null> =>
    cluster.world.run(new Promise((resolve) => cluster.live.storeHeartbeat(beat, resolve)));
  const liveness = (): readonly string[] => cluster.live.stores().map((store) => store.liveness);
  expect(await heard()).toMatchObject({ code: "UNKNOWN_STORE", retriable: false });
  await cluster.publish({ kind: "ClusterBootstrapped", clusterId: 9, clusterVersion: 1 });
  for (const storeId of [1, 2]) {
    await cluster.publish({ kind: "StoreJoined", storeId, address: `s:${storeId}`, labels: [] });
  }
  expect(liveness()).toEqual(["up", "up"]);
  await cluster.world.pass(1_500);
  expect(await heard()).toBeNull();
  expect(liveness()).toEqual(["up", "disconnected"]);
  await cluster.world.pass(4_000);
  expect(liveness()).toEqual(["disconnected", "down"]);
  await cluster.publish({ kind: "StoreLeft", storeId: 2 });
  expect(liveness()).toEqual(["disconnected", "left"]);
});

test("a store is asked to hand over leaders, once, and not again before it could have done so", async () => {
  const cluster = new Cluster();
  await cluster.start();
  await cluster.bootstrap();
  for (const storeId of [1, 2, 3]) {
    await cluster.publish({ kind: "StoreJoined", storeId, address: `s:${storeId}`, labels: [] });
  }
  const left: RegionMeta = { ...whole, end: Uint8Array.of(5), epoch: { version: 2, confVer: 1 } };
  const peers = voters.map((peer) => ({ ...peer, peerId: peer.peerId + 100 }));
  const right: RegionMeta = { ...left, id: 2, start: Uint8Array.of(5), end: none, peers };
  await cluster.heartbeat({ region: left, leaderPeerId: 101, term: 6 });
  await cluster.heartbeat({ region: right, leaderPeerId: 201, term: 6 });
  const asked = (storeId: number): Promise<readonly Operator[]> =>
    cluster.world.run(
      new Promise((resolve) => cluster.live.storeHeartbeat({ ...beat, storeId }, (_, operators) => resolve(operators))),
    );
  expect(await asked(2)).toEqual([]);
  expect(await asked(1)).toEqual([
    {
      kind: "transfer-leader", regionId: 1, term: 6, source: { storeId: 1, peerId: 101 },
      target: { storeId: 2, peerId: 102 },
    },
  ]);
  // What was asked for counts as done, although no heartbeat has shown it yet.
  expect(await asked(1)).toEqual([]);
  await cluster.world.pass(6_000);
  expect(await asked(1)).toMatchObject([{ regionId: 1 }]);
});

test("who waits when the Coordinator stops is answered", async () => {
  const cluster = new Cluster();
  await cluster.start();
  const waiting = cluster.timestamps(1);
  cluster.live.stop();
  await expect(waiting).rejects.toMatchObject({ code: "STOPPED" });
  await expect(cluster.timestamps(1)).rejects.toMatchObject({ code: "STOPPED" });
});

test("a word of a leader that comes after a later one of it does not count", async () => {
  const cluster = new Cluster();
  await cluster.start();
  await cluster.bootstrap();
  const said = (entriesPerSecond: number): RegionReport => ({
    sizeBytes: 0, entriesPerSecond, commandsPerSecond: 0, peers: [],
  });
  const word = { region: whole, leaderPeerId: 102, term: 6 };
  expect(await cluster.heartbeat({ ...word, seq: 9, report: said(90) })).toBeNull();
  expect(await cluster.heartbeat({ ...word, seq: 8, report: said(80) })).toMatchObject({ code: "STALE_HEARTBEAT" });
  // The same word twice: the second answer is as good as the first.
  expect(await cluster.heartbeat({ ...word, seq: 9, report: said(90) })).toBeNull();
  expect(cluster.live.reportOf(1)).toMatchObject({ entriesPerSecond: 90 });
  // The next leader counts its own.
  expect(await cluster.heartbeat({ ...word, leaderPeerId: 101, term: 7, seq: 1, report: said(1) })).toBeNull();
  expect(cluster.live.reportOf(1)).toMatchObject({ entriesPerSecond: 1 });
});

test("a Coordinator that began anew has a later office, and says so with each acknowledgement", async () => {
  const cluster = new Cluster();
  await cluster.start();
  await cluster.bootstrap();
  await cluster.publish({ kind: "StoreJoined", storeId: 1, address: "s:1", labels: [] });
  const offices = (): Promise<readonly number[]> => cluster.world.run(
    new Promise((resolve) => {
      const { live } = cluster;
      live.regionHeartbeat({ region: whole, leaderPeerId: 102, term: 6 }, (_error, _known, ofRegion) => {
        live.storeHeartbeat(beat, (_refused, _asked, ofStore) => {
          live.storeHeartbeat({ ...beat, storeId: 77 }, (_unknown, _none, ofNobody) => {
            resolve([ofRegion, ofStore, ofNobody]);
          });
        });
      });
    }),
  );
  const [first = 0, ...others] = await offices();
  expect(others).toEqual([first, 0]);
  await cluster.start();
  const [second = 0] = await offices();
  expect(second).toBeGreaterThan(first);
});
