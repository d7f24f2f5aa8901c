// Goal: verifying is silent about a sound directory, in every state that a crash may leave; it finds every flipped
// byte that could ever change an answer, names the file, and changes nothing itself. Method: one database left
// behind, one damage at a time; every byte of every file is flipped.
import { beforeAll, describe, expect, test } from "vitest";
import { bytesOf, type TestWorld } from "./test-world.test-support.ts";
import {
  directory, filesOf, newest, options, type Prepared, paths, prepare, read, write,
} from "./damaged.test-support.ts";
import { remedies } from "../finding.ts";
import { readManifest } from "../manifest/reader.ts";
import { valueFilePath } from "../vlog/value-file.ts";
import { Batch } from "./batch.ts";
import { openEngine } from "./engine.ts";
import { type VerifyReport, verifyDirectory } from "./verify.ts";

function verified(world: TestWorld): Promise<VerifyReport> {
  return world.run(verifyDirectory(world.boot(), directory));
}

function told(report: VerifyReport): string[] {
  return report.findings.map(({ severity, path, offset, what }) => `${severity} ${path} ${offset ?? "-"} ${what}`);
}

const settings = [
  ["closed", "zstd"], ["crashed", "none"],
] as const;

describe.each(settings)("a directory that was %s, compression %s", (ending, compression) => {
  let prepared: Prepared;
  beforeAll(async () => {
    // Some values stand outside the tables.
    prepared = await prepare(ending, { compression, valueThresholdBytes: 18 });
  });

  function restored(): TestWorld {
    prepared.world.disk.restore(prepared.image);
    return prepared.world;
  }

  test("is sound, and stays as it is", async () => {
    const world = restored();
    const before = filesOf(world);
    const report = await verified(world);
    expect(told(report)).toEqual([]);
    expect(report.sound).toBe(true);
    expect(report.tables).toBe(paths(world, /\.sst$/).length);
    expect(report.records).toBeGreaterThan(20);
    expect(report.valueFiles).toBeGreaterThan(0);
    expect(filesOf(world)).toEqual(before);
    expect(world.disk.openFiles).toBe(0);
  });

  test("no flipped byte of a table escapes", async () => {
    const world = restored();
    for (const path of paths(world, /\.sst$/)) {
      const bytes = read(world, path);
      for (let at = 0; at < bytes.length; at += 13) {
        write(world, path, withFlip(bytes, at));
        const report = await verified(world);
        expect(report.sound, `byte ${at} of ${path}`).toBe(false);
        expect(report.findings.some((finding) => finding.path === path)).toBe(true);
      }
      write(world, path, bytes);
    }
  }, 60_000);

  test("a flipped byte of any other file is found, or changes no answer", async () => {
    const world = restored();
    const kept = keptSegments(world);
    for (const path of paths(world, /\/(?:CURRENT|MANIFEST.*|.*\.log|.*\.vlog)$/)) {
      const bytes = read(world, path);
      for (let at = 0; at < bytes.length; at += 17) {
        write(world, path, withFlip(bytes, at));
        const report = await verified(world);
        // All of a value file is judged, also what nobody points to.
        if (path.endsWith(".vlog") || kept.has(path)) {
          expect(report.sound, `byte ${at} of ${path}`).toBe(false);
          expect(new Set(report.findings.map((finding) => finding.path))).toEqual(new Set([path]));
        } else if (report.sound) await expectRight(world, `byte ${at} of ${path}`);
        else expect(report.findings[0]?.what).toBeTruthy();
      }
      write(world, path, bytes);
    }
  }, 60_000);

  /** What is not called damaged opens, and holds a prefix of what was written: of a closed database, all of it. */
  async function expectRight(world: TestWorld, where: string): Promise<void> {
    const image = world.disk.snapshot();
    const engine = await world.run(openEngine(world.boot(), directory, options));
    const seen = new Map<string, string>();
    for (const [key, value] of engine.iterator()) {
      seen.set(new TextDecoder().decode(key), new TextDecoder().decode(value));
    }
    if (ending === "closed") expect(seen, where).toEqual(prepared.contents);
    else expect(seen.size, where).toBe(prepared.contents.size);
    await world.run(engine.close());
    world.disk.restore(image);
  }

  test("files that are missing, left over or foreign are told apart", async () => {
    const world = restored();
    const table = newest(world, /\.sst$/);
    world.boot().disk.remove(table);
    write(world, "/db/table-999999.sst", bytesOf("left by a crash"));
    write(world, "/db/notes.txt", bytesOf("mine"));
    const report = await verified(world);
    expect(report.findings.map(({ severity, path }) => `${severity} ${path}`)).toEqual([
      `damage ${table}`,
      "warning /db/notes.txt",
      "repairable /db/table-999999.sst",
    ]);
  });
});

function keptSegments(world: TestWorld): ReadonlySet<string> {
  const { state } = readManifest(world.boot().disk, directory);
  const kept = state.valuesInOrder().filter(({ kind }) => kind === "log");
  return new Set(kept.map((file) => valueFilePath(directory, file)));
}

describe("log segments that are kept as value files", () => {
  test("are judged to their last byte, whether or not a pointer leads there", async () => {
    const { world } = await prepare("closed");
    const given = { ...options, valueThresholdBytes: 100, valueGarbagePercent: 100 };
    const engine = await world.run(openEngine(world.boot(), directory, given));
    const put = async (key: string, length: number): Promise<void> => {
      const batch = new Batch().set(bytesOf(key), new Uint8Array(length).fill(1));
      await world.run(new Promise<void>((resolve) => engine.commit(batch, () => resolve())));
    };
    for (let i = 0; i < 30; i++) await put(`big${i % 11}`, 300);
    await world.run(engine.compact());
    await world.run(engine.close());
    world.processCrash();
    const kept = [...keptSegments(world)];
    expect(kept.length).toBeGreaterThan(1);
    expect((await verified(world)).sound).toBe(true);
    for (const path of kept) {
      const bytes = read(world, path);
      for (let at = 0; at < bytes.length; at += 11) {
        write(world, path, withFlip(bytes, at));
        const { findings } = await verified(world);
        expect(findings.some((finding) => finding.severity === "damage" && finding.path === path), `${at}`).toBe(true);
      }
      write(world, path, bytes);
    }
  }, 60_000);
});

function withFlip(bytes: Uint8Array, at: number): Uint8Array {
  const flipped = Uint8Array.from(bytes);
  flipped[at] = (flipped[at] ?? 0) ^ 0x10;
  return flipped;
}

describe("a database that is open", () => {
  test("is verified while it works, also when tables come and go", async () => {
    const { world } = await prepare("closed", { valueThresholdBytes: 18 });
    const engine = await world.run(openEngine(world.boot(), directory, options));
    const verifying = engine.verify();
    const compacting = engine.compact();
    const report = await world.run(verifying);
    await world.run(compacting);
    expect(told(report)).toEqual([]);
    expect((await world.run(engine.verify())).tables).toBeGreaterThan(0);
    const path = newest(world, /\.sst$/);
    const file = world.neighbour().disk.open(path, "write");
    file.write(100, Uint8Array.of(1, 2, 3, 4), 0, 4);
    file.close();
    const damaged = await world.run(engine.verify());
    expect(damaged.sound).toBe(false);
    expect(damaged.findings[0]).toMatchObject({ severity: "damage", path, remedy: remedies.restore });
    // What to do stands apart.
    expect(damaged.findings[0]?.what).toMatch(/^bad checksum of [a-z ]+$/);
    const last = engine.verify();
    last.catch(() => {});
    await world.run(engine.close());
    await expect(world.run(last)).rejects.toMatchObject({ code: "NOKV_CLOSED" });
    expect(world.disk.openFiles).toBe(0);
  });

  test("cannot be verified from outside", async () => {
    const { world } = await prepare("closed");
    const engine = await world.run(openEngine(world.boot(), directory, options));
    const outside = world.run(verifyDirectory(world.neighbour(), directory));
    await expect(outside).rejects.toMatchObject({ code: "NOKV_LOCKED" });
    await world.run(engine.close());
  });

  test("what is no database is said", async () => {
    const { world } = await prepare("closed");
    const verify = (path: string): Promise<unknown> => world.run(verifyDirectory(world.boot(), path));
    await expect(verify("/nowhere")).rejects.toMatchObject({ code: "NOKV_NOT_FOUND" });
    await expect(verify("/db/CURRENT")).rejects.toMatchObject({ code: "NOKV_INVALID_ARGUMENT" });
    world.boot().disk.mkdir("/empty");
    await expect(verify("/empty")).rejects.toMatchObject({ code: "NOKV_NOT_FOUND" });
    write(world, "/empty/notes.txt", bytesOf("mine"));
    await expect(verify("/empty")).rejects.toMatchObject({ code: "NOKV_FOREIGN_DIRECTORY" });
  });
});
