// Goal: a Coordinator's process keeps what it promised over restarts, belongs to one cluster, tells when its disk
// fails, and lets go of everything. Method: the simulator's disk and a network in memory, moved by one clock by hand.
import { expect, test } from "vitest";
import { CoordinatorClient } from "../coordinator/service/client.ts";
import { coordinatorId } from "../coordinator/service/methods.ts";
import type { Env } from "../core/env/env.ts";
import { TestWorld } from "../core/engine/test-world.test-support.ts";
import type { NokvError } from "../core/errors.ts";
import { MemoryNetwork } from "../net/redis/memory-network.test-support.ts";
import { Transport } from "../net/rpc/transport.ts";
import type { RegionMeta } from "../raft/region.ts";
import { type CoordinatorNode, type CoordinatorNodeConfig, openCoordinatorNode } from "./coordinator-node.ts";

const none = new Uint8Array(0);
const listen = { host: "127.0.0.1", port: 2379 };
const region: RegionMeta = {
  id: 1, start: none, end: none, epoch: { version: 1, confVer: 1 },
  peers: [{ peerId: 101, storeId: 1, role: "voter" }],
};
const config: CoordinatorNodeConfig = {
  workDir: "root", listen, clusterId: "c", firstRegions: [region], owner: "test",
  diagnostics: { host: "127.0.0.1", port: 9000 },
};

function boot(world: TestWorld): Env {
  const { clock, disk, random, jobs, failpoints, trace } = world.boot();
  return { clock, disk, random, jobs, failpoints, trace, network: new MemoryNetwork(clock) };
}

function clientOf(env: Env, clusterId = "c"): CoordinatorClient {
  const transport = new Transport(env, {
    identity: { clusterId, storeId: 0, incarnation: 1, role: "gateway", features: 0 },
    options: {},
    resolve: (id, done) => done(id === coordinatorId ? listen : null),
    hooks: { onMessage: () => {}, onUnreachable: () => {} },
    streams: null,
  });
  return new CoordinatorClient(env.clock, transport);
}

function timestamp(world: TestWorld, client: CoordinatorClient): Promise<number | string> {
  return world.run(
    new Promise((resolve) => {
      client.timestamps(1, 2_000, (error, range) => resolve(range?.first ?? error?.code ?? ""));
    }),
  );
}

function get(world: TestWorld, env: Env, path: string): Promise<string> {
  return world.run(
    new Promise((resolve) => {
      let text = "";
      const connection = env.network.connect({ host: "127.0.0.1", port: 9000 }, {
        onOpen: () => void connection.write(new TextEncoder().encode(`GET ${path} HTTP/1.1\r\n\r\n`)),
        onData: (bytes) => {
          text += new TextDecoder().decode(bytes);
        },
        onEnd: () => connection.end(),
        onDrain: () => {},
        onClose: () => resolve(text),
      });
    }),
  );
}

function open(world: TestWorld, env: Env, change: Partial<CoordinatorNodeConfig> = {}): Promise<CoordinatorNode> {
  return world.run(openCoordinatorNode(env, { ...config, ...change }));
}

test("a new cluster has its first regions; a restart goes on above what was given out", async () => {
  const world = new TestWorld();
  const env = boot(world);
  const node = await open(world, env);
  const client = clientOf(env);
  const first = await timestamp(world, client);
  const route = await world.run(
    new Promise((resolve) => client.route({ key: none }, (error, answer) => resolve(answer?.region ?? error))),
  );
  expect(route).toEqual(region);
  const ids = await world.run(
    new Promise((resolve) => client.allocateIds(1, 1_000, (error, range) => resolve(range?.first ?? error))),
  );
  expect(ids).toBe(102);
  await world.run(Promise.all([node.close(), node.close()]));
  const again = boot(world);
  const second = await open(world, again, { firstRegions: [] });
  expect(second.coordinator.state.clusterId).toBe(node.coordinator.state.clusterId);
  expect(await timestamp(world, clientOf(again))).toBeGreaterThan(Number(first));
  expect(await timestamp(world, clientOf(again, "other"))).toBe("TSO_UNAVAILABLE");
  await world.run(second.close());
});

test("the directory of another cluster is refused, and is free afterwards", async () => {
  const world = new TestWorld();
  const env = boot(world);
  await world.run((await open(world, env)).close());
  await expect(open(world, env, { clusterId: "d" })).rejects.toThrow('the Coordinator\'s of cluster "c", not of "d"');
  const node = await open(world, env);
  await expect(open(world, env, { workDir: "root2" })).rejects.toThrow("cannot listen on 127.0.0.1:9000");
  const refused = open(world, env, { workDir: "root2", diagnostics: null });
  await expect(refused).rejects.toThrow("cannot listen on 127.0.0.1:2379: EADDRINUSE");
  await world.run(node.close());
});

test("it tells of itself, and when its disk fails", async () => {
  const world = new TestWorld();
  const env = boot(world);
  const fatal: NokvError[] = [];
  const node = await open(world, env, { onFatal: (error) => fatal.push(error) });
  const client = clientOf(env);
  await timestamp(world, client);
  expect(await get(world, env, "/healthz")).toMatch(/^HTTP\/1\.1 200 OK[^]*\r\n\r\nok\n$/);
  expect(await get(world, env, "/readyz")).toMatch(/200 OK/);
  expect(await get(world, env, "/metrics")).toMatch(/^nokv_coordinator_regions 1$/m);
  expect(await get(world, env, "/debug/vars")).toMatch(/"role": "coordinator"/);
  expect(await get(world, env, "/")).toMatch(/404 Not Found/);
  Object.assign(world.faults, { syncFailed: 1_000_000 });
  const answer = await world.run(
    new Promise((resolve) => {
      client.publish({ kind: "ConfigSet", name: "a", value: "b" }, 0, (error) => resolve(error?.code));
    }),
  );
  expect(answer).toBe("ROOT_UNDETERMINED");
  expect(fatal.map(({ code }) => code)).toEqual(["NOKV_IO"]);
  expect(await get(world, env, "/healthz")).toMatch(/503[^]*journal in root failed/);
  expect(await timestamp(world, client)).toBe("TSO_UNAVAILABLE");
  await world.run(node.close());
});
