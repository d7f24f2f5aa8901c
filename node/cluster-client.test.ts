// Goal: the facade of promises says what the client says, and nothing else. Method: stores in memory, and a clock that
// runs while a promise is awaited.
import { expect, test } from "vitest";
import { NokvError } from "../core/errors.ts";
import { MemoryCluster } from "../txn/remote/memory-cluster.test-support.ts";
import { ClusterClient } from "./cluster-client.ts";

const text = (value: Uint8Array | null): string | null => (value === null ? null : new TextDecoder().decode(value));

class Stage {
  readonly cluster = new MemoryCluster({ attemptMs: 200, operationMs: 2_000 }, "m");
  readonly client = new ClusterClient(this.cluster.client, () => {});

  /** Lets time pass until `promise` is settled. */
  async of<T>(promise: Promise<T>): Promise<T | string> {
    let settled: T | string | undefined;
    let isSettled = false;
    const note = (value: T | string): void => {
      settled = value;
      isSettled = true;
    };
    promise.then(note, (error: unknown) => note(error instanceof NokvError ? error.code : String(error)));
    for (let i = 0; i < 20_000 && !isSettled; i++) {
      this.cluster.clock.advance(1);
      await Promise.resolve();
    }
    return settled as T | string;
  }
}

test("values, counters and lifetimes", async () => {
  const stage = new Stage();
  const { client } = stage;
  expect(await stage.of(client.get("a"))).toBeNull();
  await stage.of(client.set("a", "1"));
  await stage.of(client.set("z", "brief", { ttlMs: 100 }));
  const values = (await stage.of(client.getMany(["a", "z", "none"]))) as (Uint8Array | null)[];
  expect(values.map(text)).toEqual(["1", "brief", null]);
  expect(await stage.of(client.increment("a", 4n))).toBe(5n);
  stage.cluster.clock.advance(200);
  expect(await stage.of(client.get("z"))).toBeNull();
  expect(await stage.of(client.delete("a"))).toBe(true);
  expect(await stage.of(client.delete("a"))).toBe(false);
});

test("a transaction that meets another runs again, and what its body throws ends it", async () => {
  const stage = new Stage();
  const { client } = stage;
  await stage.of(client.set("a", "10"));
  let runs = 0;
  const moved = await stage.of(
    client.transact(async (txn) => {
      const seen = Number(text(await txn.get("a")));
      if (++runs === 1) await client.set("a", "7");
      txn.set("a", String(seen - 1));
      txn.set("z", String(seen));
      expect((await txn.scan("", null, 9)).map(([key]) => text(key))).toEqual(["a", "z"]);
      return seen;
    }),
  );
  expect([moved, runs]).toEqual([7, 2]);
  const after = (await stage.of(client.getMany(["a", "z"]))) as (Uint8Array | null)[];
  expect(after.map(text)).toEqual(["6", "7"]);
  const thrown = await stage.of(
    client.transact((txn) => {
      txn.delete("a");
      return Promise.reject(new RangeError("no"));
    }),
  );
  expect(thrown).toBe("RangeError: no");
  expect(text((await stage.of(client.get("a"))) as Uint8Array)).toBe("6");
});

test("a signal ends what is under way, and says what can be said", async () => {
  const stage = new Stage();
  const { client, cluster } = stage;
  cluster.intervene = () => ({ kind: "swallow" });
  const [read, write] = [new AbortController(), new AbortController()];
  const answers = [client.get("a", { signal: read.signal }), client.set("a", "1", { signal: write.signal })];
  cluster.clock.after(50_000, () => {
    read.abort();
    write.abort();
  });
  expect(await stage.of(answers[0] as Promise<unknown>)).toBe("NOKV_ABORTED");
  expect(await stage.of(answers[1] as Promise<unknown>)).toBe("NOKV_UNDETERMINED");
  expect(await stage.of(client.get("a", { signal: read.signal }))).toBe("NOKV_ABORTED");
  client.close();
  expect(await stage.of(client.get("a"))).toBe("NOKV_CLOSED");
  expect(cluster.client.active).toBe(0);
});

test("what no store would take is refused at once", async () => {
  const { client, cluster } = new Stage();
  const refused = async (attempt: Promise<unknown>): Promise<void> => {
    await expect(attempt).rejects.toMatchObject({ code: "NOKV_INVALID_ARGUMENT" });
  };
  const { valueBytesMax } = cluster.client.options;
  await refused(client.set("a", new Uint8Array(valueBytesMax + 1)));
  await refused(client.set(new Uint8Array(65_524).fill(1), "1"));
  await refused(client.get(new Uint8Array(40_000)));
  await refused(client.getMany(["a", "\ud800"]));
  await refused(client.set("a", undefined as unknown as string));
  await refused(client.get(5 as unknown as string));
  await refused(client.set("a", "1", { ttlMs: 1.5 }));
  await refused(client.set("a", "1", { ttl: 5 } as object));
  await refused(client.get("a", { timeoutMs: 0 }));
  await refused(client.get("a", { signal: 5 as unknown as AbortSignal }));
  await refused(client.increment("a", 1 as unknown as bigint));
  await refused(client.increment("a", 2n ** 63n));
  await refused(client.transact(undefined as unknown as () => void));
  expect(cluster.client.active).toBe(0);
});

test("a transaction that writes more than it may, or scans nothing, is refused and did nothing", async () => {
  const stage = new Stage();
  const { client, cluster } = stage;
  const value = new Uint8Array(cluster.client.options.valueBytesMax);
  const written = client.transact((txn) => {
    txn.set("a", value);
    txn.set("z", value);
  });
  expect(await stage.of(written)).toBe("NOKV_INVALID_ARGUMENT");
  expect(await stage.of(client.transact((txn) => txn.scan("", null, 0)))).toBe("NOKV_INVALID_ARGUMENT");
  expect(await stage.of(client.transact((txn) => txn.set("a", new Uint8Array(value.length + 1))))).toBe(
    "NOKV_INVALID_ARGUMENT",
  );
  expect(await stage.of(client.getMany(["a", "z"]))).toEqual([null, null]);
  expect(cluster.client.active).toBe(0);
});

test("a transaction that always meets others ends when its time is over", async () => {
  const stage = new Stage();
  const { client } = stage;
  const began = stage.cluster.clock.nowUs;
  const ended = await stage.of(
    client.transact(async (txn) => {
      await txn.get("a");
      await client.set("a", "other");
      txn.set("a", "mine");
    }, { timeoutMs: 500 }),
  );
  expect(ended).toBe("NOKV_BUSY");
  expect(stage.cluster.clock.nowUs - began).toBeLessThan(1_000_000);
});
