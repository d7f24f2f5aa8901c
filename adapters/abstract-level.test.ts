// Goal: whatever is written against `abstract-level` works over this database, on a real disk and on the
// simulated one. Method: its own published suite, whole, with every feature it can ask for turned on.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterAll, describe, expect, test } from "vitest";
import { openDb } from "../core/engine/db.ts";
import { TestWorld } from "../core/engine/test-world.test-support.ts";
import { open } from "../host/open.ts";
import { NokvLevel, type Opener } from "./abstract-level.ts";
import { runLevelSuite } from "./tape-suite.test-support.ts";

/** Real calls on real files; in memory, because a thousand databases sync many times a thousand times. */
const memory = "/dev/shm";
const root = mkdtempSync(join(existsSync(memory) ? memory : tmpdir(), "nokv-level-"));

afterAll(() => {
  rmSync(root, { recursive: true });
});

/** Small enough for more than a thousand databases. */
const small = { memtableBytes: 64 * 1024, blockCacheBytes: 64 * 1024 };

const suiteMsMax = 300_000;

/** Tests and assertions of the suite, as many as it has for a database that supports everything. */
const whole = [1_509, 5_168];

describe("the published suite passes whole", () => {
  test("on a real disk", async () => {
    const opener: Opener = (directory, options) => open(directory, { ...small, durability: "none", ...options });
    let ordinal = 0;
    const count = await runLevelSuite((options = {}) => {
      return new NokvLevel(join(root, `suite-${++ordinal}`), { opener, ...options });
    });
    expect(count.failures).toEqual([]);
    expect([count.tests, count.assertions]).toEqual(whole);
  }, suiteMsMax);

  test("on the simulated disk", async () => {
    const world = new TestWorld();
    const env = world.boot();
    const opener: Opener = (directory, options) => openDb(env, directory, { ...small, ...options });
    let ordinal = 0;
    let over = false;
    const suite = runLevelSuite((options = {}) => {
      return new NokvLevel(`/suite-${++ordinal}`, { opener, ...options });
    }).finally(() => (over = true));
    // Nothing happens in this world unless somebody lets it.
    while (!over) {
      world.events.step();
      await turn();
    }
    const count = await suite;
    expect(count.failures).toEqual([]);
    expect([count.tests, count.assertions]).toEqual(whole);
  }, suiteMsMax);
});

test("every feature is on", () => {
  const { supports } = new NokvLevel(join(root, "features"));
  expect(supports).toMatchObject({
    implicitSnapshots: true,
    explicitSnapshots: true,
    has: true,
    getSync: true,
    seek: true,
    permanence: true,
    deferredOpen: true,
    createIfMissing: true,
    errorIfExists: true,
    signals: { iterators: true },
    encodings: { utf8: true, json: true, buffer: true, view: true },
    additionalMethods: { flush: true, compact: true, stats: true },
  });
});

test("what was put is there for the next process, and beneath it is a nokv database", async () => {
  const location = join(root, "kept");
  {
    await using level = new NokvLevel<string, { n: number }>(location, { valueEncoding: "json" });
    await level.batch([
      { type: "put", key: "a", value: { n: 1 } },
      { type: "put", key: "b", value: { n: 2 } },
    ]);
    await level.sublevel<string, { n: number }>("inner", { valueEncoding: "json" }).put("a", { n: 3 });
    await level.flush();
    await level.compact();
    expect(level.stats()).toMatchObject({ puts: 3, openIterators: 0 });
  }
  await using db = await open(location);
  expect([...db.keys()].map((key) => new TextDecoder().decode(key))).toEqual(["!inner!a", "a", "b"]);
});

test("clear deletes more than one batch holds, and what a snapshot shows", async () => {
  await using level = new NokvLevel(join(root, "cleared"), { durability: "none" });
  await level.open();
  const batch = level.batch();
  for (let i = 0; i < 25_000; i++) batch.put(String(i).padStart(5, "0"), "x");
  await batch.write();
  await using snapshot = level.snapshot();
  await level.put("00000x", "later");
  await level.clear({ snapshot, lt: "20000" });
  expect(await level.keys({ limit: 2 }).all()).toEqual(["00000x", "20000"]);
  await level.clear();
  expect(await level.keys().all()).toEqual([]);
});

test("errors speak the words of abstract-level and keep their cause", async () => {
  const location = join(root, "errors");
  await using _first = await open(location);
  const second = new NokvLevel(location);
  await expect(second.open()).rejects.toMatchObject({
    code: "LEVEL_DATABASE_NOT_OPEN",
    cause: { code: "LEVEL_LOCKED", name: "NokvLevelError", cause: { code: "NOKV_LOCKED" } },
  });
  await using level = new NokvLevel(join(root, "words"));
  await expect(level.put("k".repeat(70_000), "")).rejects.toMatchObject({ code: "NOKV_INVALID_ARGUMENT" });
  await level.open();
  const lost = level.iterator();
  await level.db.close();
  await expect(level.get("a")).rejects.toMatchObject({ code: "LEVEL_DATABASE_NOT_OPEN" });
  await expect(lost.next()).rejects.toMatchObject({ code: "LEVEL_DATABASE_NOT_OPEN" });
});
