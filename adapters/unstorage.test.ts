// Goal: unstorage over this database does what unstorage's documents promise of a driver: items, raw items, keys
// under a base, lifetimes, meta, several items at once, and a database that others use too.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createStorage, prefixStorage, restoreSnapshot, snapshot, type Storage } from "unstorage";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { open } from "../host/open.ts";
import { nokvDriver } from "./unstorage.ts";

const root = mkdtempSync(join(tmpdir(), "nokv-unstorage-"));
let directory = "";
let ordinal = 0;
let storage: Storage;

beforeEach(() => {
  directory = join(root, `storage-${++ordinal}`);
  storage = createStorage({ driver: nokvDriver({ source: directory, durability: "none" }) });
});

afterEach(async () => {
  await storage.dispose();
});

afterAll(() => {
  rmSync(root, { recursive: true });
});

test("items of every kind", async () => {
  for (const value of ["text", 42, true, { nested: [1, null] }, ["a"], ""]) {
    await storage.setItem("some:key", value);
    expect(await storage.getItem("some:key")).toEqual(value === "" ? "" : value);
  }
  expect(await storage.hasItem("some/key")).toBe(true);
  expect(await storage.getItem("other")).toBe(null);
  await storage.removeItem("some:key");
  expect(await storage.hasItem("some:key")).toBe(false);
  await storage.setItem("null", null);
  expect(await storage.getItem("null")).toBe(null);
});

test("raw items are bytes", async () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  await storage.setItemRaw("raw:a", bytes);
  await storage.setItemRaw("raw:b", bytes.buffer);
  expect(await storage.getItemRaw("raw:a")).toEqual(bytes);
  expect(await storage.getItemRaw("raw:b")).toEqual(bytes);
  expect(await storage.getItemRaw("raw:c")).toBe(null);
  await expect(storage.setItemRaw("raw:d", { a: 1 })).rejects.toMatchObject({ code: "NOKV_INVALID_ARGUMENT" });
});

test("keys under a base, in order", async () => {
  await storage.setItems([
    { key: "s1:a", value: "1" },
    { key: "s2:b:c", value: "2" },
    { key: "s1:z", value: "3" },
    { key: "s10", value: "4" },
  ]);
  expect(await storage.getKeys()).toEqual(["s10", "s1:a", "s1:z", "s2:b:c"]);
  expect(await storage.getKeys("s1")).toEqual(["s1:a", "s1:z"]);
  expect(await storage.getKeys("s2", { maxDepth: 1 })).toEqual([]);
  expect(await prefixStorage(storage, "s2").getKeys()).toEqual(["b:c"]);
  expect(await storage.getItems(["s1:z", "no", "s10"])).toEqual([
    { key: "s1:z", value: 3 },
    { key: "no", value: null },
    { key: "s10", value: 4 },
  ]);
  // Storages clear whole mounts only; the driver can do more.
  await storage.getMount("").driver.clear?.("s1:", {});
  expect(await storage.getKeys()).toEqual(["s10", "s2:b:c"]);
  await storage.clear();
  expect(await storage.getKeys()).toEqual([]);
});

test("snapshots move a storage", async () => {
  await storage.setItem("a:b", { deep: true });
  const image = await snapshot(storage, "");
  await storage.clear();
  await restoreSnapshot(storage, image);
  expect(await storage.getItem("a:b")).toEqual({ deep: true });
});

test("lifetimes, and what is known of an item", async () => {
  await storage.setItem("long", "1234", { ttl: 100 });
  await storage.setItem("ever", "12");
  await storage.setItem("short", "x", { ttl: 0.001 });
  expect(await storage.getMeta("long")).toMatchObject({ ttl: 100, size: 4 });
  expect(await storage.getMeta("ever")).toEqual({ size: 2 });
  while (await storage.hasItem("short")) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(await storage.getItem("short")).toBe(null);
  await expect(storage.setItem("a", "b", { ttl: -1 })).rejects.toThrow("ttl is -1; it must be a number of seconds");
});

test("a shared database, and the next process", async () => {
  await storage.setItem("kept", "yes");
  await storage.dispose();
  {
    await using db = await open(directory);
    const inner = createStorage({ driver: nokvDriver({ source: db, base: "cache", ttl: 60 }) });
    await inner.setItem("a", "1");
    await inner.clear();
    await inner.setItem("b", "1");
    expect([...db.keys()].map((key) => new TextDecoder().decode(key))).toEqual(["cache:b", "kept"]);
    expect(await inner.getMeta("b")).toMatchObject({ ttl: 60 });
    await inner.dispose();
    expect(db.has("kept")).toBe(true);
  }
  expect(await storage.getItem("kept")).toBe("yes");
});
