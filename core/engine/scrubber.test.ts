// Goal: whatever byte of whatever file in use rots, one pass finds it and says where; nothing else is called damage,
// whatever becomes of the files meanwhile; and a pass takes the time that it was given.
// Method: an engine on the simulated disk, one damage at a time, passes at a pace of milliseconds.
import { describe, expect, test } from "vitest";
import type { NokvError } from "../errors.ts";
import { Batch } from "./batch.ts";
import { directory, newest, options, paths, prepare, read } from "./damaged.test-support.ts";
import { type Engine, openEngine } from "./engine.ts";
import type { EngineOptions } from "./options.ts";
import type { ScrubFile } from "./scrub-list.ts";
import { type ScrubOptions, Scrubber, type ScrubStats } from "./scrubber.ts";
import { bytesOf, type TestWorld } from "./test-world.test-support.ts";

const pace: ScrubOptions = { passMs: 100, bytesPerSecondMax: 1 << 30, sliceBytes: 700 };

interface Open {
  readonly world: TestWorld;
  readonly engine: Engine;
}

/** With tables, both kinds of value files, and a log. */
async function open(given: Partial<EngineOptions> = {}): Promise<Open> {
  const { world } = await prepare("closed", { valueThresholdBytes: 18, ...given });
  const wish = { ...options, valueThresholdBytes: 100, valueGarbagePercent: 100, ...given };
  const engine = await world.run(openEngine(world.boot(), directory, wish));
  for (let i = 0; i < 12; i++) await put({ world, engine }, `big${i % 7}`, 300);
  await world.run(engine.flush());
  for (let i = 0; i < 3; i++) await put({ world, engine }, `new${i}`, 30);
  await world.pass(2_000);
  return { world, engine };
}

function put({ world, engine }: Open, key: string, length: number): Promise<void> {
  const batch = new Batch().set(bytesOf(key), new Uint8Array(length).fill(7));
  return world.run(new Promise((resolve) => engine.commit(batch, () => resolve())));
}

/** Of one pass, or of what ended it. */
interface Outcome {
  readonly stats: ScrubStats;
  readonly damage: NokvError | null;
}

interface Wish extends Partial<ScrubOptions> {
  readonly files?: () => readonly ScrubFile[];
  readonly passes?: number;
}

async function scrubbed({ world, engine }: Open, wish: Wish = {}): Promise<Outcome> {
  const { files = () => engine.scrub.files(), passes = 1, ...given } = wish;
  let damage: NokvError | null = null;
  const damaged = (error: NokvError): void => void (damage = error);
  const scrubber = new Scrubber({ env: world.live, files, options: { ...pace, ...given }, damaged });
  scrubber.start();
  await world.until(() => damage !== null || scrubber.stats().passes === passes);
  await world.run(scrubber.stop());
  return { stats: scrubber.stats(), damage };
}

function overwrite(world: TestWorld, path: string, at: number, byte: number): void {
  const file = world.neighbour().disk.open(path, "write");
  file.write(at, Uint8Array.of(byte), 0, 1);
  file.close();
}

test("a sound database is read to its last byte, and nothing is said", async () => {
  const opened = await open();
  const { stats, damage } = await scrubbed(opened);
  expect(damage).toBeNull();
  const files = opened.engine.scrub.files();
  const bytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  expect(stats).toMatchObject({ passes: 1, passBytes: bytes, passDoneBytes: bytes, readBytes: bytes, unreadable: 0 });
  const named = new Set(files.map(({ path }) => path));
  for (const path of paths(opened.world, /\/(?:CURRENT|MANIFEST.*|.*\.sst|.*\.vlog|wal-.*\.log)$/)) {
    expect(named, path).toContain(path);
  }
  expect(files.some((file) => file.target(0, 1)?.kind === "values")).toBe(true);
  expect(files.filter((file) => file.path.includes("wal-")).length).toBeGreaterThan(1);
  await opened.world.run(opened.engine.close());
  expect(opened.world.disk.openFiles).toBe(0);
});

describe.each([["none", 1, 4_096], ["zstd", 5_000, 1], ["none", 64, 64]] as const)(
  "compression %s, slices of %i bytes, steps of %i",
  (compression, sliceBytes, jobSliceBytes) => {
    test("no byte of any file rots unseen", async () => {
      const opened = await open({ compression });
      const { world, engine } = opened;
      world.jobSliceBytes = jobSliceBytes;
      let rotten = 0;
      for (const file of engine.scrub.files()) {
        const { path, sizeBytes } = file;
        const bytes = read(world, path);
        for (let at = rotten % 7; at < sizeBytes; at += at + 40 < sizeBytes ? 37 : 1) {
          overwrite(world, path, at, (bytes[at] ?? 0) ^ 0x10);
          const { damage } = await scrubbed(opened, { files: () => [file], sliceBytes });
          expect(damage, `byte ${at} of ${path}`).toMatchObject({ code: "NOKV_CORRUPTION", path });
          expect(damage?.offset, `byte ${at} of ${path}`).toBeLessThanOrEqual(at);
          overwrite(world, path, at, bytes[at] ?? 0);
          rotten++;
        }
      }
      expect(rotten).toBeGreaterThan(200);
      expect((await scrubbed(opened, { sliceBytes })).damage).toBeNull();
      await world.run(engine.close());
      expect(world.disk.openFiles).toBe(0);
    }, 60_000);
  },
);

test("files that are cut off or gone are damage while they are in use", async () => {
  const opened = await open();
  const { world, engine } = opened;
  for (const file of engine.scrub.files()) {
    const { path, sizeBytes } = file;
    const whole = read(world, path);
    const { disk } = world.neighbour();
    const cut = disk.open(path, "write");
    cut.truncate(sizeBytes - 1);
    const { damage } = await scrubbed(opened, { files: () => [file] });
    expect(damage, path).toMatchObject({ code: "NOKV_CORRUPTION", path });
    cut.write(sizeBytes - 1, whole, sizeBytes - 1, whole.length);
    cut.close();
  }
  const table = newest(world, /\.sst$/);
  world.neighbour().disk.rename(table, `${directory}/away`);
  const { damage } = await scrubbed(opened);
  expect(damage?.message).toBe(`${table}: offset 0: the file is missing`);
});

test("files that come and go in the middle of a pass are no damage", async () => {
  const opened = await open();
  const { world, engine } = opened;
  let damage: NokvError | null = null;
  const scrubber = new Scrubber({
    env: world.live, files: () => engine.scrub.files(), options: { ...pace, sliceBytes: 50, passMs: 40 },
    damaged: (error) => void (damage = error),
  });
  scrubber.start();
  for (let round = 0; round < 6; round++) {
    for (let i = 0; i < 20; i++) await put(opened, `big${i % 7}`, 300);
    await world.run(engine.flush());
    await world.pass(7);
    await world.run(engine.compact());
  }
  await world.until(() => scrubber.stats().passes > 2);
  expect(damage).toBeNull();
  // In the middle of something.
  await world.pass(1);
  await world.run(scrubber.stop());
  await world.run(engine.close());
  expect(world.disk.openFiles).toBe(0);
});

test("a machine that refuses reads has no damaged files, and the rest of them are read", async () => {
  const opened = await open();
  const { world, engine } = opened;
  const sick = newest(world, /\.sst$/);
  world.live.refuse = (operation, path) => (path === sick && operation === "read" ? "EIO" : null);
  const { damage, stats } = await scrubbed(opened);
  expect(damage).toBeNull();
  expect(stats.unreadable).toBe(1);
  expect(stats.passDoneBytes).toBe(stats.passBytes - read(world, sick).length);
  world.live.refuse = () => null;
  let refusals = 2;
  world.live.refuse = (operation) => (operation === "open" && refusals-- > 0 ? "EMFILE" : null);
  expect((await scrubbed(opened)).stats.unreadable).toBe(0);
  world.live.refuse = () => null;
  await world.run(engine.close());
  expect(world.disk.openFiles).toBe(0);
});

test("what is damaged on the way from the disk is read again", async () => {
  const opened = await open();
  opened.world.faults.flipOnRead = 100_000;
  opened.world.faults.misdirectedRead = 100_000;
  const { damage, stats } = await scrubbed(opened, { passes: 3 });
  expect(damage).toBeNull();
  expect(stats.passes).toBe(3);
});

test("a pass takes the time that it was given, or what its speed allows", async () => {
  const opened = await open();
  const { lastPassMs, passBytes } = (await scrubbed(opened, { passMs: 60_000 })).stats;
  expect(lastPassMs).toBeGreaterThanOrEqual(60_000);
  expect(lastPassMs).toBeLessThan(63_000);
  const slow = (await scrubbed(opened, { passMs: 1_000, bytesPerSecondMax: 1_000 })).stats;
  expect(slow.lastPassMs).toBeGreaterThanOrEqual(passBytes);
  expect(slow.lastPassMs).toBeLessThan(passBytes * 1.1);
});

test("what is written while a pass goes on does not make it longer", async () => {
  const opened = await open({ memtableBytes: 1 << 20 });
  const { world, engine } = opened;
  const passMs = 10_000;
  const scrubber = new Scrubber({
    env: world.live, files: () => engine.scrub.files(), options: { ...pace, passMs }, damaged: () => {},
  });
  scrubber.start();
  await world.until(() => scrubber.stats().passBytes > 0);
  const { passBytes } = scrubber.stats();
  for (let i = 0; i < 500; i++) await put(opened, `more${i}`, 300);
  await world.until(() => scrubber.stats().passes === 1);
  expect(scrubber.stats()).toMatchObject({ passBytes, passDoneBytes: passBytes });
  expect(scrubber.stats().lastPassMs).toBeLessThan(passMs * 1.1);
  await world.run(scrubber.stop());
});

test("passMs 0: nothing is read", async () => {
  const { world, engine } = await open();
  let listed = 0;
  const files = (): ScrubFile[] => {
    listed++;
    return engine.scrub.files();
  };
  const scrubber = new Scrubber({ env: world.live, files, options: { ...pace, passMs: 0 }, damaged: () => {} });
  scrubber.start();
  await world.pass(10_000);
  await world.run(scrubber.stop());
  expect(listed).toBe(0);
  await world.run(engine.close());
});
