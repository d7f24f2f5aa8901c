// Goal: Keyv over this database behaves as Keyv over its own memory store, and keeps what it was given.
// Method: the published suite, run by a small collector over both stores: ours must pass whatever Keyv's own
// passes (the suite was published for Keyv 5, so its own store fails some); and tests of what it does not cover.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import keyvTestSuite, { keyvIteratorTests } from "@keyv/test-suite";
import { Keyv } from "keyv";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { open } from "../host/open.ts";
import { KeyvNokv } from "./keyv.ts";

const root = mkdtempSync(join(tmpdir(), "nokv-keyv-"));
const opened: KeyvNokv[] = [];
let ordinal = 0;

afterEach(async () => {
  for (const store of opened.splice(0)) await store.disconnect();
});

afterAll(() => {
  rmSync(root, { recursive: true });
});

function newStore(options: ConstructorParameters<typeof KeyvNokv>[1] = {}): KeyvNokv {
  const store = new KeyvNokv(join(root, `store-${++ordinal}`), { durability: "none", ...options });
  opened.push(store);
  return store;
}

type Step = (context: { expect: typeof expect }) => unknown;

interface Part {
  readonly before: Step[];
  readonly after: Step[];
  readonly cases: { readonly name: string; readonly run: Step }[];
}

/** What a part of the suite would have registered with its runner. */
function collect(register: (runner: never) => void): Part {
  const part: Part = { before: [], after: [], cases: [] };
  register({
    it: (name: string, run: Step) => part.cases.push({ name, run }),
    beforeEach: (run: Step) => part.before.push(run),
    afterEach: (run: Step) => part.after.push(run),
  } as never);
  return part;
}

/** A case that plans its assertions plans those of the whole test here. */
const uncounted = Object.assign(expect.bind(null), { assertions: () => {} }) as never;

/** The names of the cases that failed. */
async function failuresOf(part: Part): Promise<string[]> {
  const failures: string[] = [];
  for (const { name, run } of part.cases) {
    try {
      for (const step of [...part.before, run, ...part.after]) await step({ expect: uncounted });
    } catch {
      failures.push(name);
    }
  }
  return failures;
}

describe("the published suite", () => {
  const suites = [
    ["values and namespaces", keyvTestSuite],
    ["iterators", keyvIteratorTests],
  ] as const;

  test.each(suites)("%s", async (_, suite) => {
    await using db = await open(join(root, `suite-${++ordinal}`), { durability: "none" });
    const opts = {};
    const ours = collect((runner) => suite(runner, Keyv as never, () => Object.assign(new KeyvNokv(db), { opts })));
    const map = new Map();
    const own = collect((runner) => suite(runner, Keyv as never, () => Object.assign(map, { opts })));
    expect(ours.cases.length).toBeGreaterThanOrEqual(4);
    const failures = await failuresOf(ours);
    const ownFailures = await failuresOf(own);
    expect(failures.filter((name) => !ownFailures.includes(name))).toEqual([]);
    expect(failures.length).toBeLessThanOrEqual(ownFailures.length);
    expect(ownFailures.length, ownFailures.join("; ")).toBeLessThanOrEqual(2);
  });
});

test("what was set is there when the directory is opened again, and expires on time", async () => {
  const directory = join(root, "kept");
  const first = new KeyvNokv(directory);
  await new Keyv({ store: first, namespace: "a" }).set("key", { n: [1, null] });
  await first.set("soon", "gone", Date.now() + 1);
  await first.disconnect();
  const second = new KeyvNokv(directory);
  opened.push(second);
  expect(await new Keyv({ store: second, namespace: "a" }).get("key")).toEqual({ n: [1, null] });
  while (await second.has("soon")) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(await second.get("soon")).toBeUndefined();
  expect(await second.has("soon")).toBe(false);
});

test("many at once", async () => {
  const store = newStore();
  expect(await store.setMany([{ key: "a", value: "1" }, { key: "b", value: "2", expires: 5 }])).toEqual([true, true]);
  expect(await store.getMany(["b", "a", "c"])).toEqual([undefined, "1", undefined]);
  expect(await store.hasMany(["a", "b"])).toEqual([true, false]);
  expect(await store.deleteMany(["a", "c"])).toEqual([true, false]);
  expect(await store.delete("a")).toBe(false);
});

test("stores share a database without meeting", async () => {
  await using db = await open(join(root, "shared"), { durability: "none" });
  const red = new KeyvNokv(db, { prefix: "red/" });
  const blue = new KeyvNokv(db, { prefix: "blue/", namespace: "n" });
  await db.set("mine", "untouched");
  await red.set("k", "1");
  await blue.set("k", "2");
  // A separator within a key does not make it another namespace's.
  blue.namespace = "n\u0001";
  await blue.set("k", "3");
  blue.namespace = "n";
  const seen: unknown[] = [];
  for await (const entry of blue.iterator()) seen.push(entry);
  expect(seen).toEqual([["k", "2"]]);
  await red.clear();
  expect(await red.has("k")).toBe(false);
  expect(await blue.get("k")).toBe("2");
  blue.namespace = undefined;
  await blue.clear();
  expect([...db.keys()].length).toBe(1);
  await red.disconnect();
  expect(db.has("mine")).toBe(true);
});

test("misuse is refused by name", async () => {
  const store = newStore();
  const code = "NOKV_INVALID_ARGUMENT";
  await expect(store.set("a", { raw: true })).rejects.toMatchObject({ code });
  expect(() => new KeyvNokv(5 as never)).toThrow("give an open database, a directory or a file: URL");
  expect(() => newStore({ namespace: "a\0b" })).toThrow("a namespace holds no zero byte");
  await expect(newStore({ durability: "none", blockBytes: -1 }).get("a")).rejects.toMatchObject({ code });
});
