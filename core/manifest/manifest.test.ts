// Goal: what is read is what was made durable: every acknowledged edit, and of the others a prefix. Whatever
// happens to the bytes, an acknowledged edit is never dropped in silence.
// Method: the real writer on a simulated disk; then every truncation and every flipped bit, and crashes.
import { describe, expect, test } from "vitest";
import { diskFaultsPowerLoss } from "../../sim/disk/disk-faults.ts";
import { TestWorld } from "../engine/test-world.test-support.ts";
import type { DiskError } from "../env/disk.ts";
import { NokvError } from "../errors.ts";
import { bound, type TableMeta } from "../lsm/table-meta.ts";
import { DirectorySync } from "../wal/directory-sync.ts";
import { formatCurrent, parseCurrent, switchCurrent } from "./current.ts";
import type { ManifestEdit } from "./edit.ts";
import { createManifest, type ManifestLog } from "./log.ts";
import { readManifest } from "./reader.ts";
import { ManifestState } from "./state.ts";
import { ManifestWriter } from "./writer.ts";

const epoch = 77;
const base: ManifestEdit = {
  kind: "base", logNumber: 2, nextFile: 10, lastVersion: 1, closedBytes: 0,
  listed: [], removed: [], added: [], valuesRemoved: [], valuesAdded: [], gate: null,
};

function table(number: number): TableMeta {
  const key = bound(0, Uint8Array.of(number));
  return {
    number, level: 0, sizeBytes: 1, recordCount: 1, tombstoneCount: 0, expiringCount: 0, codec: 0, rawBytes: 0,
    valueRefs: [],
    smallest: key, largest: key, minVersion: 1, maxVersion: 1,
    largestExcluded: false, rangeTombstoneCount: 0, pointMaxVersion: 1, staleAtMs: 0,
  };
}

class TestManifest {
  readonly world: TestWorld;
  readonly env;
  nextFile = 10;
  failure: DiskError | null = null;
  acknowledged = 0;
  #writer: ManifestWriter | null = null;

  constructor(world: TestWorld) {
    this.world = world;
    this.env = world.boot();
  }

  async create(bytesMax = 1 << 20): Promise<void> {
    const directory = new DirectorySync(this.env.disk, "/");
    const log = await this.world.run(
      new Promise<ManifestLog>((resolve, reject) => {
        createManifest(this.env, directory, { number: 1, epoch, base }, (error, made) => {
          if (made === null) reject(error);
          else resolve(made);
        });
      }),
    );
    await this.world.run(
      new Promise<void>((resolve, reject) => {
        switchCurrent(this.env, directory, log, (error) => (error === null ? resolve() : reject(error)));
      }),
    );
    const state = new ManifestState();
    state.apply(base);
    this.#writer = new ManifestWriter(this.env, directory, log, state, bytesMax, {
      nextFile: () => this.nextFile,
      lastVersion: () => 1,
      allocateFile: () => this.nextFile++,
      needsRoom: () => {},
      failed: (error) => (this.failure = error),
    });
  }

  get writer(): ManifestWriter {
    if (this.#writer === null) throw new Error("not created");
    return this.#writer;
  }

  /** Adds table `number`. */
  add(number: number): void {
    this.nextFile = Math.max(this.nextFile, number + 1);
    this.writer.append({ added: [table(number)] }, (error) => {
      if (error === null) this.acknowledged++;
    });
  }
}

function tablesFound(world: TestWorld): number[] {
  return readManifest(world.boot().disk, "/").state.tablesInOrder().map(({ number }) => number);
}

async function threeTables(): Promise<TestWorld> {
  const manifest = new TestManifest(new TestWorld());
  await manifest.create();
  for (const number of [11, 12, 13]) manifest.add(number);
  await manifest.world.pass(50);
  expect(manifest.acknowledged).toBe(3);
  return manifest.world;
}

/** Replaces a file's bytes for good. */
function overwrite(world: TestWorld, path: string, bytes: Uint8Array): void {
  const { disk } = world.boot();
  const file = disk.open(path, "write");
  file.truncate(bytes.length);
  if (bytes.length > 0) file.write(0, bytes, 0, bytes.length);
  file.close();
}

/** The tables read after the damage; null when it is refused. */
function tablesAfter(world: TestWorld, path: string, damaged: Uint8Array): number[] | null {
  const original = world.disk.inspect(path)?.cached ?? new Uint8Array(0);
  overwrite(world, path, damaged);
  try {
    return tablesFound(world);
  } catch (error) {
    if (!(error instanceof NokvError)) throw error;
    expect(["NOKV_CORRUPTION", "NOKV_FORMAT"]).toContain(error.code);
    expect(error.message).toContain("offset");
    return null;
  } finally {
    overwrite(world, path, original);
  }
}

describe("manifest", () => {
  test("edits are applied in order and found again", async () => {
    const world = await threeTables();
    expect(tablesFound(world)).toEqual([11, 12, 13]);
    expect(readManifest(world.boot().disk, "/")).toMatchObject({ number: 1, epoch, tornBytes: 0 });
  });

  test("every flipped bit of the manifest is refused or harmless", async () => {
    const world = await threeTables();
    const path = "/MANIFEST-000001";
    const image = world.disk.inspect(path)?.cached ?? new Uint8Array(0);
    const durable = image.length - 32;
    for (let at = 0; at < image.length; at++) {
      const damaged = image.slice();
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
      const found = tablesAfter(world, path, damaged);
      // Only the witness behind the last edit may be damaged and nothing lost.
      expect(found, `byte ${at}`).toEqual(at < durable ? null : [11, 12, 13]);
    }
  });

  test("every truncation leaves a prefix of the edits or is refused", async () => {
    const world = await threeTables();
    const path = "/MANIFEST-000001";
    const image = world.disk.inspect(path)?.cached ?? new Uint8Array(0);
    const whole = [11, 12, 13];
    for (let length = 0; length < image.length; length++) {
      const found = tablesAfter(world, path, image.slice(0, length));
      if (found !== null) expect(whole.slice(0, found.length)).toEqual(found);
    }
    expect(tablesAfter(world, path, image.slice(0, 32))).toBe(null);
  });

  test("every flipped bit and every truncation of CURRENT is refused", async () => {
    const world = await threeTables();
    const image = world.disk.inspect("/CURRENT")?.cached ?? new Uint8Array(0);
    for (let at = 0; at < image.length; at++) {
      const damaged = image.slice();
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
      expect(tablesAfter(world, "/CURRENT", damaged), `byte ${at}`).toBe(null);
      expect(tablesAfter(world, "/CURRENT", image.slice(0, at)), `length ${at}`).toBe(null);
    }
  });

  test("grows into a new file, which CURRENT names before the old one goes", async () => {
    const manifest = new TestManifest(new TestWorld());
    await manifest.create(400);
    for (let number = 11; number < 40; number += 2) manifest.add(number);
    await manifest.world.pass(200);
    const { number } = manifest.writer;
    expect(number).toBeGreaterThan(1);
    const names = manifest.world.disk.paths().filter((path) => path.includes("MANIFEST"));
    expect(names.length).toBe(1);
    expect(tablesFound(manifest.world).length).toBe(15);
    expect(readManifest(manifest.world.boot().disk, "/").state.nextFile).toBeGreaterThan(number);
  });

  test("after power loss at any call acknowledged edits are there, of the others a prefix", async () => {
    const every = Array.from({ length: 15 }, (_, i) => 11 + 2 * i);
    let calls = 1;
    for (; ; calls++) {
      const world = new TestWorld(calls, diskFaultsPowerLoss);
      const manifest = new TestManifest(world);
      await manifest.create(400);
      manifest.env.crashInCalls(calls, () => world.powerLoss(calls % 4));
      manifest.env.later(0, () => {
        for (const number of every) manifest.add(number);
      });
      await world.pass(200);
      if (manifest.env.alive()) break;
      const found = tablesFound(world);
      expect(found).toEqual(every.slice(0, found.length));
      expect(found.length).toBeGreaterThanOrEqual(manifest.acknowledged);
    }
    expect(calls).toBeGreaterThan(60);
  });

  test("after a failed sync nothing more is written, and whoever waits is told", async () => {
    const manifest = new TestManifest(new TestWorld());
    await manifest.create();
    manifest.world.faults.syncFailed = 1_000_000;
    const told: (string | null)[] = [];
    for (const number of [11, 12]) {
      manifest.nextFile = number + 1;
      manifest.writer.append({ added: [table(number)] }, (error) => told.push(error?.code ?? null));
    }
    await manifest.world.pass(50);
    expect(told.length).toBe(2);
    expect(told).not.toContain(null);
    expect(manifest.failure).not.toBe(null);
    manifest.world.faults.syncFailed = 0;
    const calls = manifest.env.callCount;
    manifest.writer.append({ listed: [] }, (error) => told.push(error?.code ?? null));
    await manifest.world.pass(50);
    expect(told.length).toBe(3);
    expect(manifest.env.callCount).toBe(calls);
  });
});

describe("CURRENT", () => {
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

  test("is one line", () => {
    const line = formatCurrent(7, epoch);
    expect(line).toMatch(/^MANIFEST-000007 [0-9a-f]{8}\n$/);
    expect(parseCurrent(encode(line))).toMatchObject({ manifestName: "MANIFEST-000007", manifestNumber: 7 });
    const highest = parseCurrent(encode(formatCurrent(0xffff_ffff, 0)));
    expect(highest).toMatchObject({ manifestNumber: 0xffff_ffff });
  });

  test.each([
    ["", "empty"],
    ["MANIFEST-000007 12345678", "does not end with a newline"],
    ["MANIFEST-000007\n", "does not read"],
    ["MANIFEST-7 12345678\n", "does not read"],
    ["MANIFEST-0000007 12345678\n", "does not read"],
    ["MANIFEST-000000 12345678\n", "does not read"],
    ["MANIFEST-9999999999 12345678\n", "does not read"],
    ["../MANIFEST-000007 12345678\n", "does not read"],
    ["MANIFEST-000007 12345678\n\n", "does not read"],
    ["MANIFEST-000007 1234567G\n", "does not read"],
  ])("%j is refused", (text, problem) => {
    expect(parseCurrent(encode(text))).toContain(problem);
  });
});
