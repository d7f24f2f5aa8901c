// Goal: the clients that people use connect with their defaults and work. Method: ioredis and node-redis, in
// RESP2 and RESP3, against a node on this machine's disk and network; what they return is compared with Redis's
// documentation, and errors must reach the caller.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openRedisNode, type RedisNode } from "../node/redis-node.ts";
import { openHostEnv } from "./env.ts";

let root: string;
let node: RedisNode;
let guarded: RedisNode;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "nokv-clients-"));
  const address = { host: "127.0.0.1", port: 0 };
  const config = { address, engine: {}, gateway: {} };
  node = await openRedisNode(openHostEnv(), { ...config, workdir: join(root, "open") });
  guarded = await openRedisNode(openHostEnv(), {
    ...config,
    workdir: join(root, "guarded"),
    gateway: { password: "s3cret" },
  });
});

afterAll(async () => {
  await node.close();
  await guarded.close();
  rmSync(root, { recursive: true });
});

describe("ioredis", () => {
  let client: Redis;

  beforeEach(async () => {
    client = new Redis(node.address.port, node.address.host);
    await client.flushall();
    return async () => {
      await client.quit();
    };
  });

  test("strings, counters and lifetimes", async () => {
    expect(await client.set("a", "1")).toBe("OK");
    expect(await client.get("a")).toBe("1");
    expect(await client.get("none")).toBeNull();
    expect(await client.set("a", "2", "NX")).toBeNull();
    expect(await client.set("a", "2", "EX", 100, "GET")).toBe("1");
    expect(await client.ttl("a")).toBe(100);
    expect(await client.incrby("a", 40)).toBe(42);
    expect(await client.mset({ x: "1", y: "2" })).toBe("OK");
    expect(await client.mget("x", "none", "y")).toEqual(["1", null, "2"]);
    expect(await client.del("x", "y", "none")).toBe(2);
    expect(await client.append("a", "!")).toBe(3);
    await expect(client.incr("a")).rejects.toThrow("ERR value is not an integer or out of range");
  });

  test("bytes", async () => {
    const bytes = Buffer.from([0, 13, 10, 255, 128]);
    await client.set(bytes, bytes);
    expect(await client.getBuffer(bytes)).toEqual(bytes);
  });

  test("pipelines", async () => {
    const pipeline = client.pipeline();
    for (let i = 0; i < 1000; i++) pipeline.incr("n");
    pipeline.get("n").call("nope");
    const results = (await pipeline.exec()) ?? [];
    expect(results.slice(0, 1000).map(([, value]) => value)).toEqual(
      Array.from({ length: 1000 }, (_, i) => i + 1),
    );
    expect(results[1000]).toEqual([null, "1000"]);
    expect(results[1001]?.[0]?.message).toContain("unknown command 'nope'");
  });

  test("scan streams", async () => {
    await client.mset(Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`user:${i}`, "x"])));
    const seen: string[] = [];
    for await (const keys of client.scanStream({ match: "user:*", count: 50 }))
      seen.push(...(keys as string[]));
    expect(seen.length).toBe(250);
    expect(await client.dbsize()).toBe(250);
    expect((await client.keys("user:2?")).length).toBe(10);
  });

  test("a connection with a name, a database and RESP2", async () => {
    const other = new Redis({ ...portOf(node), connectionName: "worker", db: 0, protocol: 2 });
    expect(await other.client("GETNAME")).toBe("worker");
    expect(await other.ping()).toBe("PONG");
    await other.quit();
  });

  test("without the ready check", async () => {
    const other = new Redis({ ...portOf(node), enableReadyCheck: false });
    expect(await other.echo("x")).toBe("x");
    other.disconnect();
  });

  test("a password", async () => {
    const right = new Redis({ ...portOf(guarded), password: "s3cret" });
    expect(await right.set("a", "1")).toBe("OK");
    await right.quit();
    const wrong = new Redis({ ...portOf(guarded), password: "nope", retryStrategy: () => null });
    wrong.on("error", () => undefined);
    await expect(wrong.get("a")).rejects.toThrow(/WRONGPASS|NOAUTH|Connection is closed/);
    wrong.disconnect();
  });
});

function portOf({ address }: RedisNode): { host: string; port: number } {
  return { host: address.host, port: address.port };
}

describe.each([2, 3] as const)("node-redis with RESP%i", (protocol) => {
  test("strings, lifetimes, pipelines, scans", async () => {
    const client = createClient({ socket: portOf(node), RESP: protocol, name: "worker" });
    await client.connect();
    await client.flushAll();
    expect(await client.set("a", "1")).toBe("OK");
    expect(await client.get("a")).toBe("1");
    expect(await client.get("none")).toBeNull();
    expect(await client.set("a", "2", { condition: "NX" })).toBeNull();
    expect(await client.set("b", "x", { expiration: { type: "PX", value: 90_000 } })).toBe("OK");
    expect(await client.pTTL("b")).toBeGreaterThan(80_000);
    expect(await client.incrBy("a", 41)).toBe(42);
    expect(await client.mGet(["a", "none"])).toEqual(["42", null]);
    expect(await client.exists(["a", "b", "none"])).toBe(2);
    expect(await client.expire("a", 10, "NX")).toBe(1);
    expect(await client.persist("a")).toBe(1);
    const many = await Promise.all(Array.from({ length: 500 }, (_, i) => client.set(`k:${i}`, String(i))));
    expect(new Set(many)).toEqual(new Set(["OK"]));
    const seen: string[] = [];
    for await (const keys of client.scanIterator({ MATCH: "k:*", COUNT: 100 })) seen.push(...keys);
    expect(seen.length).toBe(500);
    expect(await client.dbSize()).toBe(502);
    expect(await client.clientGetName()).toBe("worker");
    expect(await client.configGet("maxmemory*")).toMatchObject({ "maxmemory-policy": "noeviction" });
    expect((await client.commandCount()) > 50).toBe(true);
    expect(await client.info("server")).toContain("server_name:nokv");
    await expect(client.incr("b")).rejects.toThrow("ERR value is not an integer or out of range");
    await expect(client.sendCommand(["NOPE"])).rejects.toThrow("unknown command 'NOPE'");
    await client.close();
  });

  test("a password", async () => {
    const right = createClient({ socket: portOf(guarded), RESP: protocol, password: "s3cret" });
    await right.connect();
    expect(await right.ping()).toBe("PONG");
    await right.close();
    const wrong = createClient({
      socket: { ...portOf(guarded), reconnectStrategy: false },
      RESP: protocol,
      password: "x",
    });
    wrong.on("error", () => undefined);
    await expect(wrong.connect()).rejects.toThrow("WRONGPASS");
  });
});

test("what one client wrote, the other reads", async () => {
  const [first, second] = [new Redis(portOf(node)), createClient({ socket: portOf(node) })];
  await second.connect();
  await first.set("shared", "é\u{1f600}");
  expect(await second.get("shared")).toBe("é\u{1f600}");
  await second.set("shared", "back");
  expect(await first.get("shared")).toBe("back");
  await first.quit();
  await second.close();
});
