// Goal: ranges leave as they were at the call, and take the place of others whole, with a batch, or not at all: at
// every crash either both or neither.
import { describe, expect, test } from "vitest";
import { columnFamily, versionMax } from "../bytes/record.ts";
import { crc32 } from "../bytes/crc32.ts";
import { type Engine, openEngine } from "./engine.ts";
import type { EngineOptions } from "./options.ts";
import type { KeyRange } from "./range-estimate.ts";
import { bytesOf, Crashed, TestWorld, textOf } from "./test-world.test-support.ts";
import { VersionedBatch } from "./versioned-batch.ts";

const { data, lock, local } = columnFamily;
const given: Partial<EngineOptions> = {
  versions: "given", checkVersions: true, durability: "none", memtableBytes: 1024, tableBytes: 1024, blockBytes: 128,
  level0TablesMax: 3, valueThresholdBytes: 60,
};
const ranges: readonly KeyRange[] = [
  { family: data, start: bytesOf("k"), end: bytesOf("l") },
  { family: lock, start: bytesOf("k"), end: bytesOf("l") },
];

function put(engine: Engine, entries: readonly [family: number, key: string, version: number, value: string][]): void {
  const batch = new VersionedBatch();
  for (const [family, key, version, value] of entries) batch.set(family, bytesOf(key), version, bytesOf(value));
  engine.apply(batch);
}

async function fill(world: TestWorld, engine: Engine, from: number, rounds: number): Promise<void> {
  for (let i = 0; i < rounds; i++) {
    while (!engine.hasRoom(600)) await world.run(new Promise<void>((resolve) => engine.whenRoom(resolve)));
    put(engine, [
      [data, `k${i % 9}`, from + i, `${from} ${"x".repeat((i * 17) % 90)}`],
      [data, `${"jl"[i % 2] ?? ""}${i % 5}`, from + i, `beside ${from + i}`],
      [lock, `k${i % 9}`, engine.nextVersion(), `held ${i}`],
      [local, "apply", engine.nextVersion(), `${from + i}`],
    ]);
  }
}

/** All versions of all families, as text. */
function contents(engine: Engine): string[] {
  const found: string[] = [];
  for (const family of [data, lock, local]) {
    for (let at = versionMax; at > 0; ) {
      const wish = { family, start: new Uint8Array(0), end: null, versionMax: at, limit: 1000, live: false };
      const entries = engine.scan(wish);
      for (const { key, version, value } of entries) {
        const line = `${family} ${textOf(key) ?? ""} ${family === data ? version : ""} ${textOf(value) ?? "deleted"}`;
        if (!found.includes(line)) found.push(line);
      }
      at = family === data ? Math.max(0, ...entries.map(({ version }) => version)) - 1 : 0;
    }
  }
  return found.sort();
}

function within(lines: readonly string[]): string[] {
  return lines.filter((line) => /^[01] k/.test(line));
}

async function source(world: TestWorld): Promise<{ readonly expected: string[]; readonly applied: number }> {
  const engine = await world.run(openEngine(world.neighbour(), "/source", given));
  await fill(world, engine, 1_000, 60);
  const expected = within(contents(engine));
  const exporting = engine.transfer.exportAt(ranges, "/export");
  // In the very turn of the call, and on.
  await fill(world, engine, 5_000, 30);
  const exported = await world.run(exporting);
  for (const { name, sizeBytes, crc } of exported.files) {
    const file = world.disk.inspect(`/export/${name}`);
    expect(file?.cached.length).toBe(sizeBytes);
    if (file !== null) expect(crc32(file.cached, 0, sizeBytes, 0)).toBe(crc);
  }
  expect(exported.files.length).toBeGreaterThan(1);
  await world.run(engine.close());
  return { expected, applied: exported.records };
}

function stateBatch(engine: Engine, text: string): VersionedBatch {
  const batch = new VersionedBatch();
  batch.set(local, bytesOf("apply"), engine.nextVersion(), bytesOf(text));
  return batch;
}

describe("ranges that take the place of others", () => {
  test("read as they did at the call of the export, and nothing else changes", async () => {
    const world = new TestWorld();
    const { expected } = await source(world);
    const engine = await world.run(openEngine(world.boot(), "/target", given));
    await fill(world, engine, 100, 50);
    const before = contents(engine);
    await world.run(engine.transfer.replace(ranges, "/export", stateBatch(engine, "snapshot")));
    const after = contents(engine);
    expect(within(after)).toEqual(expected);
    const beside = before.filter((line) => !within([line]).length && !line.startsWith(`${local} `));
    expect(after.filter((line) => !within([line]).length)).toEqual([...beside, `${local} apply  snapshot`].sort());
    expect(engine.nextVersion()).toBeGreaterThan(1_060);
    expect((await world.run(engine.verify())).findings).toEqual([]);
    // Writes go on in the range, and a merge changes nothing.
    put(engine, [[data, "k1", 9_000, "new"]]);
    await world.run(engine.compact());
    expect(engine.newest(data, bytesOf("k1"), 8_999)?.version).toBeLessThan(2_000);
    expect(textOf(engine.newest(data, bytesOf("k1"), 9_000)?.value ?? null)).toBe("new");
    world.powerLoss();
    const again = await world.run(openEngine(world.boot(), "/target", given));
    expect(textOf(again.newest(local, bytesOf("apply"), versionMax)?.value ?? null)).toBe("snapshot");
    await world.run(again.transfer.replace(ranges, null, stateBatch(again, "destroyed")));
    expect(within(contents(again))).toEqual([]);
    await world.run(again.close());
  });

  test("are there with the batch, or not at all, at every crash; and once more after it", async () => {
    const world = new TestWorld();
    const { expected } = await source(world);
    const first = await world.run(openEngine(world.boot(), "/target", given));
    await fill(world, first, 100, 25);
    const before = within(contents(first));
    await world.run(first.flush());
    await world.run(first.close());
    world.processCrash();
    const image = world.disk.snapshot();
    let crashes = 0;
    for (let call = 1; ; call++) {
      world.disk.restore(image);
      const env = world.boot();
      const engine = await world.run(openEngine(env, "/target", given));
      let died = false;
      env.crashInCalls(call, () => {
        died = true;
        if (call % 2 === 0) world.powerLoss(call);
        else world.processCrash();
      });
      let over = false;
      const work = engine.transfer.replace(ranges, "/export", stateBatch(engine, "snapshot")).then(() => {
        over = true;
      });
      work.catch((error: unknown) => {
        if (!(error instanceof Crashed)) throw error;
      });
      await world.until(() => over || died);
      if (over) break;
      crashes++;
      const again = await world.run(openEngine(world.boot(), "/target", given));
      const state = textOf(again.newest(local, bytesOf("apply"), versionMax)?.value ?? null);
      expect(within(contents(again))).toEqual(state === "snapshot" ? expected : before);
      await world.run(again.transfer.replace(ranges, "/export", stateBatch(again, "again")));
      expect(within(contents(again))).toEqual(expected);
      world.processCrash();
    }
    expect(crashes).toBeGreaterThan(40);
  }, 60_000);
});
