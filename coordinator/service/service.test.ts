// Goal: a Coordinator over the network is the Coordinator: every method carries its questions, answers and errors, and
// silence is told in the same words. Method: both sides of a transport over a network in memory, moved by one clock.
import { expect, test } from "vitest";
import { TestWorld } from "../../core/engine/test-world.test-support.ts";
import { MemoryNetwork } from "../../net/redis/memory-network.test-support.ts";
import { messageClass } from "../../net/rpc/wire.ts";
import { Transport } from "../../net/rpc/transport.ts";
import type { RegionMeta } from "../../raft/region.ts";
import { Coordinator } from "../coordinator.ts";
import type { CoordinatorError } from "../coordinator-error.ts";
import { LocalJournal } from "../local-journal.ts";
import { CoordinatorClient } from "./client.ts";
import { coordinatorId, coordinatorMethod } from "./methods.ts";
import { serveCoordinator } from "./server.ts";

const none = new Uint8Array(0);
const address = { host: "here", port: 2379 };
const region: RegionMeta = {
  id: 1,
  start: none,
  end: none,
  epoch: { version: 1, confVer: 1 },
  peers: [{ peerId: 11, storeId: 1, role: "voter" }],
};
const heartbeat = {
  storeId: 1, incarnation: 1, writes: 0,
  capacityBytes: 100, availableBytes: 50, regionCount: 1, leaderCount: 1, readBytesPerSecond: 2,
  writtenBytesPerSecond: 3, snapshotsSending: 0, snapshotsReceiving: 0, slowScore: 1,
};

type Ask<T> = (done: (error: CoordinatorError | null, value: T) => void) => void;

class Stage {
  readonly world = new TestWorld();
  readonly env = this.world.boot();
  readonly network = new MemoryNetwork(this.env.clock);
  readonly client: CoordinatorClient;
  readonly transport: Transport;

  constructor() {
    this.transport = this.#transport("gateway", 0);
    this.client = new CoordinatorClient(this.env.clock, this.transport);
  }

  async serve(): Promise<{ readonly coordinator: Coordinator; stop(): Promise<void> }> {
    const journal = await this.world.run(
      LocalJournal.open(this.env, "root", { owner: "test", fileBytesMax: 1_000_000 }),
    );
    const coordinator = new Coordinator(this.env, journal);
    const transport = this.#transport("coordinator", coordinatorId);
    serveCoordinator(transport, coordinator);
    transport.listen(address, { onListening: () => {}, onError: (error) => expect(error).toBeNull() });
    return {
      coordinator,
      stop: async () => {
        coordinator.stop();
        transport.close();
        await this.world.run(journal.close());
      },
    };
  }

  /** The value, or the code of the error. */
  ask<T>(ask: Ask<T>): Promise<T | string> {
    return this.world.run(
      new Promise((resolve) => {
        let returned = false;
        ask((error, value) => {
          expect(returned).toBe(true);
          resolve(error === null ? value : error.code);
        });
        returned = true;
      }),
    );
  }

  #transport(role: "gateway" | "coordinator", storeId: number): Transport {
    const { env, network } = this;
    return new Transport(
      { clock: env.clock, random: env.random, trace: env.trace, network },
      {
        identity: { clusterId: "c", storeId, incarnation: 1, role, features: 0 },
        options: {},
        resolve: (_, done) => done(address),
        hooks: { onMessage: () => {}, onUnreachable: () => {} },
        streams: null,
      },
    );
  }
}

test("a cluster from its first name to its routes", async () => {
  const stage = new Stage();
  const { client } = stage;
  const { stop } = await stage.serve();
  expect(await stage.ask((done) => client.regionHeartbeat({ region, leaderPeerId: 11, term: 1 }, done))).toBe(
    "BOOTSTRAP_REQUIRED",
  );
  const wanted = { clusterId: 7, clusterVersion: 1 };
  const named = (clusterId: number): Promise<unknown> =>
    stage.ask((done) => client.bootstrap({ ...wanted, clusterId }, done));
  expect(await named(0)).toEqual({ clusterId: 0, clusterVersion: 0 });
  expect(await Promise.all([named(7), named(8)])).toEqual([wanted, wanted]);
  expect(await stage.ask((done) => client.storeHeartbeat(heartbeat, done))).toBe("UNKNOWN_STORE");
  const joined = { kind: "StoreJoined", storeId: 1, address: "here:1", labels: ["zone=a"] } as const;
  for (const reason of ["OPEN_APPLY", "ALREADY_COMPLETED"]) {
    expect(await stage.ask((done) => client.publish(joined, 0, done))).toMatchObject({
      accepted: true, assessment: { reason }, token: { term: 1 },
    });
  }
  expect(await stage.ask((done) => client.publish(joined, 77, done))).toBe("EPOCH_MISMATCH");
  expect(await stage.ask((done) => client.storeHeartbeat(heartbeat, done))).toEqual([]);
  expect(await stage.ask((done) => client.stores(done))).toEqual([
    { storeId: 1, address: "here:1", liveness: "up", membership: "member", heartbeat },
  ]);
  expect(await stage.ask((done) => client.regionHeartbeat({ region, leaderPeerId: 11, term: 3 }, done))).toBeNull();
  expect(await stage.ask((done) => client.route({ key: Uint8Array.of(5) }, done))).toMatchObject({
    region, leader: { peerId: 11, storeId: 1, term: 3 }, servedFreshness: "STRONG", degradedMode: "HEALTHY",
    catchUpState: "FRESH",
  });
  const plan = { transitionId: "t", regionId: 1, base: region.epoch, otherIds: [2], splitKeys: [Uint8Array.of(9)] };
  await stage.ask((done) => client.publish({ kind: "RegionSplitPlanned", ...plan }, 0, done));
  expect(await stage.ask((done) => client.transitions(done))).toEqual({
    peerChanges: [], rangeChanges: [{ ...plan, change: "split" }], settled: [],
  });
  expect(await stage.ask((done) => client.allocateIds(3, 1_000, done))).toEqual({ first: 12, count: 3 });
  await stop();
});

test("a stale heartbeat is told the descriptor that is newer", async () => {
  const stage = new Stage();
  const { client } = stage;
  const { stop } = await stage.serve();
  await stage.ask((done) => client.bootstrap({ clusterId: 7, clusterVersion: 1 }, done));
  const newer = { ...region, epoch: { version: 3, confVer: 1 } };
  await stage.ask((done) => client.regionHeartbeat({ region: newer, leaderPeerId: 11, term: 3 }, done));
  const known = await stage.ask<RegionMeta | null>((done) => {
    client.regionHeartbeat({ region, leaderPeerId: 11, term: 2 }, (error, by) => {
      expect(error?.code).toBe("STALE_HEARTBEAT");
      done(null, by);
    });
  });
  expect(known).toEqual(newer);
  await stop();
});

test("timestamps of one turn share a request; those who come meanwhile share the next", async () => {
  const stage = new Stage();
  const { client } = stage;
  const { coordinator, stop } = await stage.serve();
  let requests = 0;
  const { timestamps } = coordinator;
  coordinator.timestamps = (count, reply) => {
    requests++;
    timestamps.call(coordinator, count, reply);
  };
  const firsts: number[] = [];
  const turn = (): Promise<unknown> =>
    Promise.all(
      [1, 5, 2].map((count) =>
        stage.ask((done) => {
          client.timestamps(count, 5_000, (error, range) => {
            if (range !== null) firsts.push(range.first, range.first + range.count - 1);
            done(error, range);
          });
        }),
      ),
    );
  await turn();
  expect(requests).toBe(1);
  await turn();
  expect(requests).toBe(2);
  // One for each, not two for those who asked for one.
  expect(firsts.length).toBe(12);
  expect(firsts).toEqual(firsts.toSorted((a, b) => a - b));
  expect(await stage.ask((done) => client.timestamps(0, 5_000, done))).toBe("INVALID");
  expect(client.waiting).toBe(0);
  await stop();
});

test("without a Coordinator, each request ends in the words of the degraded mode, and comes back with it", async () => {
  const stage = new Stage();
  const { client } = stage;
  const unavailable = await Promise.all([
    stage.ask((done) => client.timestamps(1, 700, done)),
    stage.ask((done) => client.allocateIds(1, 700, done)),
    stage.ask((done) => client.route({ key: none, timeoutMs: 700 }, done)),
    stage.ask((done) => client.publish({ kind: "ConfigSet", name: "a", value: "b" }, 0, done)),
    stage.ask((done) => client.storeHeartbeat(heartbeat, done)),
    stage.ask((done) => client.stores(done)),
  ]);
  expect(unavailable).toEqual([
    "TSO_UNAVAILABLE", "ID_UNAVAILABLE", "ROUTE_UNAVAILABLE", "ROOT_UNAVAILABLE", "ROOT_UNAVAILABLE",
    "ROOT_UNAVAILABLE",
  ]);
  const patient = stage.ask((done) => client.timestamps(2, 60_000, done));
  const { stop } = await stage.serve();
  expect(await patient).toMatchObject({ count: 2 });
  await stop();
});

test("a client that closes tells who waits; a request that nobody understands is refused", async () => {
  const stage = new Stage();
  const { client, transport } = stage;
  const waiting = stage.ask((done) => client.timestamps(1, 60_000, done));
  client.close();
  expect(await waiting).toBe("STOPPED");
  expect(await stage.ask((done) => client.timestamps(1, 60_000, done))).toBe("STOPPED");
  const { stop } = await stage.serve();
  const order = {
    method: coordinatorMethod.route, payload: Uint8Array.of(1), timeoutMs: 5_000, cls: messageClass.coordinator,
    traceId: 0, region: null,
  };
  const kinds: unknown[] = [];
  for (const method of [coordinatorMethod.route, 63]) {
    await stage.world.run(
      new Promise<void>((resolve) => {
        transport.call(coordinatorId, { ...order, method }, (error) => {
          kinds.push(error?.kind);
          resolve();
        });
      }),
    );
  }
  expect(kinds).toEqual(["malformed", "unknown-method"]);
  await stop();
});
