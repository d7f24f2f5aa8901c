// Goal: looking at a directory shows what opening it would show, in every state a crash or an operator can leave,
// and changes not one byte of it. Method: one database left behind, one damage at a time; all files are compared
// before and after.
import { beforeAll, describe, expect, test } from "vitest";
import type { DiskOperation } from "../../sim/disk/disk-world.ts";
import { NokvError } from "../errors.ts";
import {
  directory, filesOf, flip, newest, options, type Prepared, paths, prepare, read, write,
} from "./damaged.test-support.ts";
import { openEngine } from "./engine.ts";
import { openReadOnly, type ReadOnlyDb, type ReadOnlyOptions } from "./read-only.ts";
import { bytesOf, type TestEnv, type TestWorld, textOf } from "./test-world.test-support.ts";

const changing: readonly DiskOperation[] = [
  "mkdir", "rename", "link", "remove", "sync-dir", "lock", "write", "truncate", "sync",
];

/** An incarnation that may not change anything. */
function watcher(world: TestWorld): TestEnv {
  const env = world.boot();
  env.refuse = (operation, path) => {
    if (changing.includes(operation)) throw new Error(`looking is not ${operation} of ${path}`);
    return null;
  };
  return env;
}

async function look(world: TestWorld, given: ReadOnlyOptions = {}): Promise<ReadOnlyDb | NokvError> {
  try {
    return await world.run(openReadOnly(watcher(world), directory, { ...options, ...given }));
  } catch (error) {
    if (error instanceof NokvError) return error;
    throw error;
  }
}

function shown(db: ReadOnlyDb): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of db.entries()) found.set(textOf(key) ?? "", textOf(value) ?? "");
  return found;
}

async function lookedAt(world: TestWorld, given: ReadOnlyOptions = {}): Promise<ReadOnlyDb> {
  const db = await look(world, given);
  if (db instanceof NokvError) throw db;
  return db;
}

async function close(world: TestWorld, db: ReadOnlyDb): Promise<void> {
  await world.run(db.close());
  expect(world.disk.openFiles).toBe(0);
}

describe.each(["closed", "crashed"] as const)("a directory that was %s", (ending) => {
  let prepared: Prepared;
  beforeAll(async () => {
    prepared = await prepare(ending);
  });

  function restored(): TestWorld {
    prepared.world.disk.restore(prepared.image);
    return prepared.world;
  }

  test("shows everything, again and again, and stays as it is", async () => {
    const world = restored();
    const before = filesOf(world);
    for (let i = 0; i < 2; i++) {
      const db = await lookedAt(world);
      expect(shown(db)).toEqual(prepared.contents);
      expect(textOf(db.get("key17"))).toBe(prepared.contents.get("key17"));
      expect(db.problems).toEqual([]);
      await world.pass(60_000);
      expect(db.stats().flushes + db.stats().compactions).toBe(0);
      await close(world, db);
      expect(() => db.get("key17")).toThrow("closed");
    }
    expect(filesOf(world)).toEqual(before);
  });

  test("a torn tail is left out and left there", async () => {
    const world = restored();
    const log = newest(world, /wal-.*\.log$/);
    write(world, log, Uint8Array.from([...read(world, log), ...bytesOf("torn, never acknowledged")]));
    const before = filesOf(world);
    const db = await lookedAt(world);
    expect(shown(db)).toEqual(prepared.contents);
    // Behind the seal of a log that was closed in order nothing is looked at.
    if (ending === "crashed") expect(db.stats().recovery.bytesTorn).toBeGreaterThan(0);
    await close(world, db);
    expect(filesOf(world)).toEqual(before);
  });

  test("what is damaged is refused with its place, or left out and listed", async () => {
    const rows: readonly [RegExp, (world: TestWorld, path: string) => void, number][] = [
      [/table-.*\.sst$/, (world, path) => world.boot().disk.remove(path), 1],
      [/table-.*\.sst$/, (world, path) => flip(world, path, read(world, path).length - 5), 1],
      [/wal-.*\.log$/, (world, path) => flip(world, path, 40), 1],
      [/MANIFEST-\d+$/, (world, path) => flip(world, path, read(world, path).length - 50), 1],
      [/CURRENT$/, (world, path) => world.boot().disk.remove(path), 1],
      [/CURRENT$/, (world, path) => flip(world, path, 3), 1],
    ];
    for (const [pattern, damage, atLeast] of rows) {
      const world = restored();
      const path = newest(world, pattern);
      damage(world, path);
      const before = filesOf(world);
      const refused = await look(world);
      expect(refused).toMatchObject({ code: "NOKV_CORRUPTION", path });
      const db = await lookedAt(world, { damaged: "skip" });
      expect(db.problems.length).toBeGreaterThanOrEqual(atLeast);
      expect(db.problems[0]).toMatchObject({ severity: "damage", path });
      for (const [key, value] of shown(db)) {
        expect(prepared.contents.has(key)).toBe(true);
        expect(value).toMatch(/^value \d+ of a test$/);
      }
      await close(world, db);
      expect(filesOf(world)).toEqual(before);
    }
  });

  test("without any manifest nothing can be shown", async () => {
    const world = restored();
    for (const path of paths(world, /MANIFEST/)) flip(world, path, 3);
    expect(await look(world, { damaged: "skip" })).toMatchObject({ code: "NOKV_CORRUPTION" });
    expect(world.disk.openFiles).toBe(0);
  });
});

describe("who may look", () => {
  test("nobody while it is open for writing, and nobody may write while somebody looks", async () => {
    const { world } = await prepare("closed");
    const env = world.boot();
    const engine = await world.run(openEngine(env, directory, options));
    const refused = world.run(openReadOnly(world.neighbour(), directory, options));
    await expect(refused).rejects.toMatchObject({ code: "NOKV_LOCKED" });
    await world.run(engine.close());
    const first = await world.run(openReadOnly(env, directory, options));
    const second = await world.run(openReadOnly(world.neighbour(), directory, options));
    const writing = (): Promise<unknown> => world.run(openEngine(env, directory, options));
    await expect(writing()).rejects.toMatchObject({ code: "NOKV_LOCKED" });
    await world.run(first.close());
    await expect(writing()).rejects.toMatchObject({ code: "NOKV_LOCKED" });
    await world.run(second.close());
    await world.run((await world.run(openEngine(env, directory, options))).close());
  });

  test("what is no database is not made one", async () => {
    const { world } = await prepare("closed");
    for (const given of [{}, { damaged: "skip" }] as const) {
      const looking = world.run(openReadOnly(watcher(world), "/nowhere", given));
      await expect(looking).rejects.toMatchObject({ code: "NOKV_NOT_FOUND" });
    }
    world.boot().disk.mkdir("/empty");
    const empty = world.run(openReadOnly(watcher(world), "/empty", options));
    await expect(empty).rejects.toMatchObject({ code: "NOKV_NOT_FOUND" });
    write(world, "/empty/readme.txt", bytesOf("mine"));
    const foreign = world.run(openReadOnly(watcher(world), "/empty", options));
    await expect(foreign).rejects.toMatchObject({ code: "NOKV_FOREIGN_DIRECTORY" });
    const wrong = { damaged: "ignore" } as unknown as ReadOnlyOptions;
    await expect(world.run(openReadOnly(world.boot(), directory, wrong))).rejects.toMatchObject({
      code: "NOKV_INVALID_ARGUMENT",
    });
  });
});
