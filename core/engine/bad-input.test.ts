// Goal: a directory that is damaged, incomplete, foreign or in use gets the error it deserves, by code,
// file and offset; nothing in it is changed by the refusal; and when the damage is undone everything is
// there. Method: one database with tables and a log, one damage at a time. `closed`: it was closed in
// order; `crashed`: its process ended.
import { beforeAll, describe, expect, test } from "vitest";
import type { DiskSnapshot } from "../../sim/disk/disk-snapshot.ts";
import { NokvError, type NokvErrorCode } from "../errors.ts";
import { scanSegment } from "../wal/segment-scan.ts";
import { Batch } from "./batch.ts";
import { type Engine, openEngine } from "./engine.ts";
import type { EngineOptions } from "./options.ts";
import { bytesOf, TestWorld, textOf } from "./test-world.test-support.ts";

const directory = "/db";
const options: Partial<EngineOptions> = {
  // A closed database keeps its log only if that is short beside a memtable.
  memtableBytes: 16_384, tableBytes: 1024, blockBytes: 128, level0TablesMax: 2, levelBytesBase: 1 << 20,
  // What an earlier use left behind a segment's end would count as torn; see wal-spares.test.ts.
  walSparesMax: 0,
};

async function populate(world: TestWorld, engine: Engine): Promise<void> {
  const put = (i: number): Promise<void> =>
    world.run(
      new Promise((resolve) => {
        const batch = new Batch().set(bytesOf(`key${10 + (i % 60)}`), bytesOf(`value ${i}`));
        engine.commit(batch, () => resolve());
      }),
    );
  for (let i = 0; i < 150; i++) await put(i);
  await world.run(engine.compact());
  for (let i = 150; i < 200; i++) await put(i);
  await world.run(engine.flush());
  for (let i = 200; i < 220; i++) await put(i);
}

interface Prepared {
  readonly world: TestWorld;
  readonly image: DiskSnapshot;
  readonly contents: ReadonlyMap<string, string>;
}

async function prepare(ending: "closed" | "crashed", seed = 1): Promise<Prepared> {
  const world = new TestWorld(seed);
  world.wallMs += seed;
  const engine = await world.run(openEngine(world.boot(), directory, options));
  await populate(world, engine);
  const contents = contentsOf(engine);
  if (ending === "closed") await world.run(engine.close());
  world.processCrash();
  return { world, image: world.disk.snapshot(), contents };
}

function contentsOf(engine: Engine): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of engine.iterator()) found.set(textOf(key) ?? "", textOf(value) ?? "");
  return found;
}

/** A segment up to the end of its last frame: behind it stand zeros. */
function logBytes(path: string, image: Uint8Array): Uint8Array {
  const header = new DataView(image.buffer, image.byteOffset);
  const number = header.getUint32(12, true);
  return image.slice(0, scanSegment(path, image, image.length, number, header.getUint32(16, true)).goodBytes);
}

/** The files of one kind, by name. */
function names(world: TestWorld, pattern: RegExp): string[] {
  return world.disk.paths().filter((path) => pattern.test(path));
}

function only(world: TestWorld, pattern: RegExp): string {
  const [path] = names(world, pattern);
  if (path === undefined) throw new Error(`nothing matches ${String(pattern)}`);
  return path;
}

function read(world: TestWorld, path: string): Uint8Array {
  return world.disk.inspect(path)?.cached ?? new Uint8Array(0);
}

function write(world: TestWorld, path: string, bytes: Uint8Array): void {
  const { disk } = world.boot();
  if (disk.kind(path) !== null) disk.remove(path);
  const file = disk.open(path, "create");
  if (bytes.length > 0) file.write(0, bytes, 0, bytes.length);
  file.close();
}

function remove(world: TestWorld, path: string): void {
  world.boot().disk.remove(path);
}

function flip(world: TestWorld, path: string, at: number): void {
  const bytes = read(world, path);
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  write(world, path, bytes);
}

/** Everything but LOCK, whose content is for people. */
function filesOf(world: TestWorld): Map<string, string> {
  const files = new Map<string, string>();
  for (const path of world.disk.paths()) {
    if (path !== "/db/LOCK") files.set(path, [...read(world, path)].join(","));
  }
  return files;
}

async function openOutcome(
  world: TestWorld,
  given: Partial<EngineOptions> = {},
): Promise<Engine | NokvError> {
  try {
    return await world.run(openEngine(world.boot(), directory, { ...options, ...given }));
  } catch (error) {
    if (error instanceof NokvError) return error;
    throw error;
  }
}

interface Row {
  readonly name: string;
  readonly damage: (world: TestWorld) => void;
  readonly code: NokvErrorCode;
  /** Parts of the message. */
  readonly says: readonly string[];
  readonly options?: Partial<EngineOptions>;
}

const current = "/db/CURRENT";
const manifest = /MANIFEST/;
const log = /wal-\d+\.log$/;
const table = /\.sst$/;

function cut(pattern: RegExp, bytes: number): (world: TestWorld) => void {
  return (world) => {
    const path = only(world, pattern);
    const image = read(world, path);
    write(world, path, image.slice(0, Math.max(0, image.length - bytes)));
  };
}

function flipAt(pattern: RegExp, at: (length: number) => number): (world: TestWorld) => void {
  return (world) => {
    const path = only(world, pattern);
    flip(world, path, at(read(world, path).length));
  };
}

function replaceByDirectory(pattern: RegExp): (world: TestWorld) => void {
  return (world) => {
    const path = only(world, pattern);
    remove(world, path);
    world.boot().disk.mkdir(path);
  };
}

function swap(world: TestWorld, pattern: RegExp): void {
  const [a, b] = names(world, pattern);
  if (a === undefined || b === undefined) throw new Error("two files are needed to swap them");
  const first = read(world, a);
  write(world, a, read(world, b));
  write(world, b, first);
}

function corrupted(name: string, damage: (world: TestWorld) => void, ...says: string[]): Row {
  return { name, damage, code: "NOKV_CORRUPTION", says };
}

function empty(pattern: RegExp): (world: TestWorld) => void {
  return (world) => write(world, only(world, pattern), new Uint8Array(0));
}

function hole(pattern: RegExp, from: number, to: number): (world: TestWorld) => void {
  return (world) => {
    const path = only(world, pattern);
    write(world, path, read(world, path).fill(0, from, to));
  };
}

function removeAll(...patterns: RegExp[]): (world: TestWorld) => void {
  return (world) => {
    for (const path of patterns.flatMap((pattern) => names(world, pattern))) remove(world, path);
  };
}

const refused: readonly Row[] = [
  corrupted("CURRENT is missing", removeAll(/CURRENT/), current, "MANIFEST-"),
  corrupted("CURRENT and the manifest are missing", removeAll(/CURRENT/, manifest), current, "although"),
  corrupted("CURRENT is empty", empty(/CURRENT/), current, "empty"),
  corrupted("CURRENT has no newline", cut(/CURRENT/, 1), current, "newline"),
  corrupted(
    "CURRENT names a missing manifest",
    (world) => write(world, current, bytesOf("MANIFEST-000099 00000000\n")),
    current, "MANIFEST-000099, which does not exist",
  ),
  corrupted("CURRENT is a directory", replaceByDirectory(/CURRENT/), current, "regular file"),
  corrupted("CURRENT's checksum is another one", flipAt(/CURRENT/, (length) => length - 2), current),
  corrupted("the manifest is missing", removeAll(manifest), current, "does not exist"),
  corrupted("the manifest is empty", empty(manifest), "MANIFEST-", "offset 0", "cut off"),
  corrupted("the manifest has another magic", flipAt(manifest, () => 0), "MANIFEST-", "NOKVMAN"),
  corrupted("the manifest's base is damaged", flipAt(manifest, () => 80), "MANIFEST-", "offset 32"),
  corrupted("an edit in the middle is damaged", flipAt(manifest, (length) => length >> 1), "MANIFEST-"),
  corrupted("a hole of zeros is in the manifest", hole(manifest, 200, 400), "MANIFEST-", "offset"),
  corrupted(
    "a table is missing",
    (world) => remove(world, only(world, table)),
    "1 tables named by the manifest are missing", "table-",
  ),
  corrupted("all tables are missing", removeAll(table), "tables named by the manifest are missing"),
  corrupted("a table is empty", empty(table), "table-", "cut short"),
  corrupted("a table is cut by a byte", cut(table, 1), "table-", "offset"),
  corrupted(
    "a table is longer by a byte",
    (world) => write(world, only(world, table), Uint8Array.of(...read(world, only(world, table)), 0)),
    "table-", "offset",
  ),
  corrupted("a table's header is damaged", flipAt(table, () => 20), "table-", "offset 0"),
  corrupted("a table's footer is damaged", flipAt(table, (length) => length - 30), "table-", "footer"),
  corrupted("a table's properties are damaged", flipAt(table, (length) => length - 102), "properties"),
  corrupted("two tables are swapped", (world) => swap(world, table), "table-", "offset 0"),
  corrupted("a table is a directory", replaceByDirectory(table), "table-", "regular file"),
  corrupted("the log is missing", removeAll(log), "WAL segment", "is missing"),
  corrupted("the log is empty", empty(log), "wal-", "offset 0"),
  corrupted("the log's header is damaged", flipAt(log, () => 9), "wal-", "offset 0"),
  corrupted("the log's first frame is damaged", flipAt(log, () => 70), "wal-", "offset 32", "was changed"),
  corrupted("the log is damaged in the middle", flipAt(log, (length) => length >> 3), "wal-", "offset"),
  corrupted("a hole of zeros is in the log", hole(log, 100, 300), "wal-", "offset"),
  corrupted("the log is a directory", replaceByDirectory(log), "wal-", "regular file"),
  {
    name: "a database is there and must not be",
    damage: () => {},
    options: { errorIfExists: true },
    code: "NOKV_INVALID_ARGUMENT",
    says: ["errorIfExists"],
  },
];

describe.each(["closed", "crashed"] as const)("a database that was %s is refused when", (ending) => {
  let prepared: Prepared;

  beforeAll(async () => {
    prepared = await prepare(ending);
    const { world } = prepared;
    expect(names(world, table).length).toBeGreaterThan(1);
  });

  test.each(refused)("$name", async ({ damage, code, says, options: given }) => {
    const { world, image, contents } = prepared;
    world.disk.restore(image);
    damage(world);
    const before = filesOf(world);
    const outcome = await openOutcome(world, given ?? {});
    expect(outcome).toBeInstanceOf(NokvError);
    if (!(outcome instanceof NokvError)) return;
    expect(outcome.code).toBe(code);
    for (const part of says) expect(outcome.message).toContain(part);
    if (code === "NOKV_CORRUPTION") expect(outcome.path).toMatch(/^\/db/);
    expect(filesOf(world)).toEqual(before);
    expect(world.disk.openFiles).toBe(0);
    world.disk.restore(image);
    const healed = await openOutcome(world);
    expect(healed instanceof NokvError ? healed : contentsOf(healed)).toEqual(contents);
  });
});

describe("only what a crash may leave is repaired:", () => {
  async function repaired(damage: (world: TestWorld) => void): Promise<{
    readonly engine: Engine;
    readonly contents: ReadonlyMap<string, string>;
  }> {
    const { world, contents } = await prepare("crashed");
    damage(world);
    const engine = await openOutcome(world);
    if (engine instanceof NokvError) throw engine;
    return { engine, contents };
  }

  test("the last, unsynced frames of the log are torn", async () => {
    const { world, contents } = await prepare("crashed");
    const path = only(world, log);
    const whole = logBytes(path, read(world, path));
    // Garbage where the witness stood and beyond, as an append that was under way leaves it.
    const torn = new Uint8Array(whole.length + 100).fill(0xee);
    torn.set(whole.subarray(0, whole.length - 32));
    write(world, path, torn);
    const engine = await openOutcome(world);
    if (engine instanceof NokvError) throw engine;
    expect(contentsOf(engine)).toEqual(contents);
    expect(engine.stats().recovery.bytesTorn).toBe(132);
  });

  test("the log ends in zeros, or in frames of another place", async () => {
    for (const tail of [new Uint8Array(4096), new Uint8Array(0)]) {
      const { engine, contents } = await repaired((world) => {
        const path = only(world, log);
        const whole = read(world, path);
        const stale = tail.length > 0 ? tail : whole.slice(32);
        write(world, path, Uint8Array.of(...whole, ...stale));
      });
      expect(contentsOf(engine)).toEqual(contents);
      // Nothing but zeros is what is written ahead of a log: it ends there, and nothing was torn.
      if (tail.length > 0) expect(engine.stats().recovery.bytesTorn).toBe(0);
      else expect(engine.stats().recovery.bytesTorn).toBeGreaterThan(0);
    }
  });

  test("the manifest's last edit is torn", async () => {
    const { engine, contents } = await repaired((world) => {
      const path = only(world, manifest);
      const whole = read(world, path);
      const torn = new Uint8Array(50).fill(0xee);
      write(world, path, Uint8Array.of(...whole.subarray(0, whole.length - 32), ...torn));
    });
    expect(contentsOf(engine)).toEqual(contents);
    expect(engine.stats().recovery.bytesTorn).toBe(50);
  });

  test("files that nothing names are removed, and files that are not ours are left alone", async () => {
    const foreign = ["/db/notes.txt", "/db/table-000001.sst~", "/db/core", "/db/x.tmp", "/db/wal-1.log"];
    const garbage = ["/db/table-000999.sst", "/db/MANIFEST-000998", "/db/CURRENT.tmp", "/db/wal-000997.log"];
    const { world, contents } = await prepare("crashed");
    for (const path of [...foreign, ...garbage]) write(world, path, bytesOf("whatever"));
    const engine = await openOutcome(world);
    if (engine instanceof NokvError) throw engine;
    expect(contentsOf(engine)).toEqual(contents);
    const left = world.disk.paths();
    for (const path of foreign) expect(left).toContain(path);
    for (const path of garbage) expect(left).not.toContain(path);
    expect(engine.stats().recovery.filesRemoved).toBeGreaterThanOrEqual(garbage.length);
  });

  test("file numbers go on above everything that is there", async () => {
    const { world } = await prepare("crashed");
    write(world, "/db/table-000999.sst", bytesOf("whatever"));
    const engine = await openOutcome(world);
    expect(engine instanceof NokvError).toBe(false);
    expect(only(world, manifest)).toBe("/db/MANIFEST-001000");
  });
});

describe("files of another database", () => {
  test.each([["the manifest", manifest], ["the log", log]] as const)("%s is refused", async (_, pattern) => {
    const ours = await prepare("crashed", 1);
    const theirs = await prepare("crashed", 2);
    expect(names(ours.world, pattern)).toEqual(names(theirs.world, pattern));
    write(ours.world, only(ours.world, pattern), read(theirs.world, only(theirs.world, pattern)));
    expect(await openOutcome(ours.world)).toMatchObject({ code: "NOKV_CORRUPTION" });
  });

  test("an older state of the log is refused when the database was closed", async () => {
    const { world, contents } = await prepare("closed");
    const engine = await openOutcome(world);
    if (engine instanceof NokvError) throw engine;
    await world.run(engine.close());
    const path = only(world, log);
    const whole = read(world, path);
    for (const bytes of [whole.length - 32, 100, 32]) {
      write(world, path, whole.slice(0, bytes));
      expect(await openOutcome(world)).toMatchObject({ code: "NOKV_CORRUPTION", path });
    }
    write(world, path, whole);
    const healed = await openOutcome(world);
    expect(healed instanceof NokvError ? healed : contentsOf(healed)).toEqual(contents);
  });
});

describe("a newer format", () => {
  test("is refused with both versions named", async () => {
    const { world } = await prepare("crashed");
    const { crc32, salt } = await import("../bytes/crc32.ts");
    for (const pattern of [manifest, log]) {
      const image = world.disk.snapshot();
      const path = only(world, pattern);
      const bytes = read(world, path);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      view.setUint32(8, 9, true);
      view.setUint32(28, crc32(bytes, 0, 28, salt(view.getUint32(12, true), 0)), true);
      write(world, path, bytes);
      const outcome = await openOutcome(world);
      expect(outcome).toMatchObject({ code: "NOKV_FORMAT", path });
      const message = outcome instanceof NokvError ? outcome.message : "";
      expect(message).toContain("format version 9; this program reads version 1");
      world.disk.restore(image);
    }
  });
});

describe("a damaged block of a table", () => {
  test("fails the reads of its keys only, and no compaction launders it", async () => {
    const { world, image, contents } = await prepare("closed");
    const path = only(world, table);
    flip(world, path, 60);
    const engine = await openOutcome(world);
    if (engine instanceof NokvError) throw engine;
    const wrong: string[] = [];
    for (const [key, value] of contents) {
      try {
        expect(textOf(engine.get(bytesOf(key)))).toBe(value);
      } catch (error) {
        expect(error).toMatchObject({ code: "NOKV_CORRUPTION", path, offset: 32 });
        wrong.push(key);
      }
    }
    expect(wrong.length).toBeGreaterThan(0);
    expect(wrong.length).toBeLessThan(contents.size);
    const iterator = engine.iterator();
    const walk = (): void => {
      while (iterator.next()) expect(contents.get(textOf(iterator.key) ?? "")).toBe(textOf(iterator.value));
    };
    expect(walk).toThrow(NokvError);
    // An iterator that failed never pretends to have come to the end.
    expect(walk).toThrow(NokvError);
    const tables = names(world, table);
    await expect(world.run(engine.compact())).rejects.toMatchObject({ code: "NOKV_CORRUPTION", path });
    expect(names(world, table)).toEqual(expect.arrayContaining(tables));
    expect(engine.stats()).toMatchObject({ poisoned: false, compactionFailures: 1 });
    world.disk.restore(image);
    const healed = await openOutcome(world);
    expect(healed instanceof NokvError ? healed : contentsOf(healed)).toEqual(contents);
  });
});

describe("directories", () => {
  test("a missing one is created with its parents, and is durable", async () => {
    const world = new TestWorld();
    const env = world.boot();
    const engine = await world.run(openEngine(env, "/a/b/db/", options));
    const batch = new Batch().set(bytesOf("k"), bytesOf("v"));
    await world.run(new Promise((resolve) => engine.commit(batch, resolve)));
    world.powerLoss();
    const again = await world.run(openEngine(world.boot(), "/a/b/db", options));
    expect(textOf(again.get(bytesOf("k")))).toBe("v");
  });

  const strangers: readonly Row[] = [
    {
      name: "does not exist",
      damage: () => {},
      options: { createIfMissing: false },
      code: "NOKV_NOT_FOUND",
      says: ["createIfMissing is false"],
    },
    {
      name: "is empty",
      damage: (world) => world.boot().disk.mkdir("/db"),
      options: { createIfMissing: false },
      code: "NOKV_NOT_FOUND",
      says: ["createIfMissing is false"],
    },
    {
      name: "is a file",
      damage: (world) => write(world, "/db", bytesOf("text")),
      code: "NOKV_INVALID_ARGUMENT",
      says: ["/db is a file"],
    },
    {
      name: "holds something else",
      damage: (world) => {
        world.boot().disk.mkdir("/db");
        write(world, "/db/thesis.tex", bytesOf("text"));
      },
      code: "NOKV_FOREIGN_DIRECTORY",
      says: ["thesis.tex"],
    },
  ];

  test.each(strangers)("one that $name is refused and left as it was", async (row) => {
    const { damage, options: given, code, says } = row;
    const world = new TestWorld();
    damage(world);
    const before = world.disk.paths();
    const outcome = await openOutcome(world, given ?? {});
    expect(outcome).toMatchObject({ code });
    for (const part of says) expect(outcome instanceof NokvError ? outcome.message : "").toContain(part);
    expect(world.disk.paths()).toEqual(before);
  });

  test("a lock that may not be opened is refused by name", async () => {
    const { world, contents } = await prepare("closed");
    const env = world.boot();
    env.refuse = (operation) => (operation === "lock" ? "EACCES" : null);
    const refusal = world.run(openEngine(env, directory, options));
    await expect(refusal).rejects.toMatchObject({ code: "NOKV_IO", path: "/db/LOCK" });
    const healed = await openOutcome(world);
    expect(healed instanceof NokvError ? healed : contentsOf(healed)).toEqual(contents);
  });
});
