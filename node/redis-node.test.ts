// Goal: a standalone node is its engine behind its gateway: what it acknowledged survives, what failed is
// told, and it ends in order. Method: the simulator's disk and a network in memory, moved by one clock by hand.
import { expect, test } from "vitest";
import type { Env } from "../core/env/env.ts";
import { TestWorld } from "../core/engine/test-world.test-support.ts";
import { NokvError } from "../core/errors.ts";
import { walBeforeSync } from "../failpoints/catalog.ts";
import { RedisClient } from "../net/redis/client.ts";
import { MemoryNetwork } from "../net/redis/memory-network.test-support.ts";
import { showReply } from "../net/redis/reply.ts";
import { openRedisNode, type RedisNode, type RedisNodeConfig } from "./redis-node.ts";

const address = { host: "127.0.0.1", port: 6380 };

interface Running {
  readonly world: TestWorld;
  readonly env: Env;
  readonly node: RedisNode;
  readonly fatal: NokvError[];
  /** Outcomes in the order of the requests, one line each. */
  ask(...requests: string[]): Promise<string[]>;
  close(): Promise<void>;
}

function bootEnv(world: TestWorld): Env {
  const { clock, disk, random, jobs, failpoints, trace } = world.boot();
  return { clock, disk, random, jobs, failpoints, trace, network: new MemoryNetwork(clock) };
}

async function start(world: TestWorld, config: Partial<RedisNodeConfig> = {}): Promise<Running> {
  const env = bootEnv(world);
  const fatal: NokvError[] = [];
  const node = await world.run(
    openRedisNode(env, {
      workdir: "db",
      address,
      engine: {},
      gateway: {},
      onFatal: (error) => fatal.push(error),
      ...config,
    }),
  );
  const client = new RedisClient(env, node.address);
  return {
    world,
    env,
    node,
    fatal,
    ask: (...requests) => world.run(Promise.all(requests.map((line) => ask(client, line)))),
    close: () => world.run(node.close()),
  };
}

async function ask(client: RedisClient, line: string): Promise<string> {
  const outcome = await client.request(line.split(" "));
  if (outcome.kind === "reply") return showReply(outcome.reply);
  return outcome.kind === "error" ? outcome.code : outcome.kind;
}

test("what was acknowledged is there after closing, after a crash and after a power loss", async () => {
  const world = new TestWorld();
  const first = await start(world);
  expect(await first.ask("SET a 1", "INCR a", "SET gone x", "DEL gone")).toEqual([
    "OK",
    "(integer) 2",
    "OK",
    "(integer) 1",
  ]);
  await first.close();
  const second = await start(world);
  expect(await second.ask("GET a", "EXISTS gone", "INCR a", "DBSIZE")).toEqual([
    '"2"',
    "(integer) 0",
    "(integer) 3",
    "(integer) 1",
  ]);
  world.processCrash();
  const third = await start(world);
  expect(await third.ask("INCR a")).toEqual(["(integer) 4"]);
  world.powerLoss();
  const fourth = await start(world);
  expect(await fourth.ask("GET a", "INFO keyspace")).toEqual([
    '"4"',
    '"# Keyspace\\r\\ndb0:keys=1,expires=0,avg_ttl=0\\r\\n"',
  ]);
  await fourth.close();
});

test("when durability fails, clients get the truth, reads go on, and the process learns of it", async () => {
  const world = new TestWorld();
  const running = await start(world);
  await running.ask("SET a old");
  running.env.failpoints.arm(walBeforeSync, { kind: "error", percent: 100, count: 1 });
  expect(await running.ask("SET a new", "SET a x NX", "GET a", "SET b 1")).toEqual([
    "undetermined",
    "MISCONF",
    '"old"',
    "undetermined",
  ]);
  expect(running.fatal.map(({ code }) => code)).toEqual(["NOKV_POISONED"]);
  expect(await running.ask("SET b 1", "GET a", "DBSIZE", "PING")).toEqual([
    "MISCONF",
    '"old"',
    "(integer) 1",
    "PONG",
  ]);
  await running.close();
  const again = await start(world);
  expect(['"new"', '"old"']).toContain((await again.ask("GET a"))[0]);
  expect(await again.ask("SET b 1")).toEqual(["OK"]);
});

test("an address in use is refused and leaves the directory free", async () => {
  const world = new TestWorld();
  const env = bootEnv(world);
  const config = { address, engine: {}, gateway: {} };
  const node = await world.run(openRedisNode(env, { ...config, workdir: "db1" }));
  await expect(world.run(openRedisNode(env, { ...config, workdir: "db2" }))).rejects.toThrow(
    "cannot listen on 127.0.0.1:6380: EADDRINUSE",
  );
  const other = { ...config, workdir: "db2", address: { host: "127.0.0.1", port: 0 } };
  const free = await world.run(openRedisNode(env, other));
  expect(free.address.port).toBeGreaterThan(0);
  await world.run(Promise.all([node.close(), node.close(), free.close()]));
});

test("options are checked before anything is opened", async () => {
  const world = new TestWorld();
  const env = bootEnv(world);
  const open = (config: Partial<RedisNodeConfig>): Promise<RedisNode> =>
    openRedisNode(env, { workdir: "db", address, engine: {}, gateway: {}, ...config });
  for (const [config, message] of [
    [{ gateway: { clientsMax: 0 } }, "gateway option clientsMax must be an integer of at least 1"],
    [{ gateway: { clientsMax: 1.5 } }, "gateway option clientsMax must be an integer of at least 1"],
    [{ gateway: { requestBytesMax: 10 } }, "gateway option requestBytesMax must be at least bulkBytesMax"],
    [{ gateway: { password: 1 as unknown as string } }, "gateway option password must be a string"],
    [{ gateway: { color: 1 } as object }, "gateway option color is not an option of the gateway"],
    [{ engine: { memtableBytes: -1 } }, "memtableBytes"],
  ] as const) {
    const refused = await open(config).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(NokvError);
    expect((refused as NokvError).code).toBe("NOKV_INVALID_ARGUMENT");
    expect((refused as NokvError).message).toContain(message);
  }
  expect(env.disk.kind("db")).toBeNull();
});

test("a value may grow up to the longest argument", async () => {
  const running = await start(new TestWorld(), { gateway: { bulkBytesMax: 10 } });
  expect(await running.ask("APPEND k 0123456789", "APPEND k x", "GET k")).toEqual([
    "(integer) 10",
    "ERR",
    '"0123456789"',
  ]);
  await running.close();
});
