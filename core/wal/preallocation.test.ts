// Goal: zeros written ahead of a log keep its syncs cheap and change nothing else: no frame is touched, no power loss
// and no full disk is worse for them, little is wasted. Method: logs on a simulated disk that is looked at after
// every group.
import { describe, expect, test } from "vitest";
import { diskFaultsPowerLoss } from "../../sim/disk/disk-faults.ts";
import { TestWorld } from "../engine/test-world.test-support.ts";
import { frameHeaderBytes } from "./frame.ts";
import { judgeLog } from "./log-verdict.ts";
import { scanImage, segmentPath, TestLog } from "./log.test-support.ts";
import type { WalLevel } from "./wal-config.ts";

const arenaBytes = 64 * 1024;
const aheadBytesMax = 8 * 1024;
const group = 1 << 20;

function makeLog(level: WalLevel = "sync", world = new TestWorld()): TestLog {
  const log = new TestLog(world, level, group, aheadBytesMax);
  log.begin(1, arenaBytes);
  return log;
}

async function appendOne(log: TestLog, valueBytes = 40): Promise<void> {
  log.append(valueBytes);
  await log.world.pass(5);
}

describe("zeros ahead of the log", () => {
  test("spare most syncs a change of the file's size, and waste no more than is used", async () => {
    const log = makeLog();
    const sizes = new Set<number>();
    const count = 300;
    for (let i = 0; i < count; i++) {
      await appendOne(log);
      const image = log.image(1);
      sizes.add(image.length);
      // The witness stands within, too: it is what makes the file of an idle log grow otherwise.
      const end = log.writer.active.endBytes;
      expect(image.length).toBeGreaterThanOrEqual(end + frameHeaderBytes);
      expect(image.length - end).toBeLessThanOrEqual(Math.max(8192, Math.min(end, aheadBytesMax) + 4096));
      expect(image.subarray(end + frameHeaderBytes).every((byte) => byte === 0)).toBe(true);
      const witnessed = log.scan(1);
      expect(witnessed).toMatchObject({ problem: "", lastVersion: i + 1, witnessedBytes: end });
    }
    expect(log.reachedVersion).toBe(count);
    expect(sizes.size).toBeLessThanOrEqual(8);
  });

  test("are cut off when the segment is sealed, and never go beyond its arena", async () => {
    const log = makeLog();
    const first = log.writer.active;
    while (first.fits(200)) await appendOne(log, 100);
    expect(log.image(1).length).toBe(arenaBytes);
    log.begin(2, arenaBytes);
    await appendOne(log);
    expect(log.image(1).length).toBe(first.endBytes);
    expect(first.endBytes).toBeLessThan(arenaBytes);
    expect(judgeLog("/", [log.scan(1), log.scan(2)], { logNumber: 1, listed: [1, 2], closedBytes: 0 }).torn).toBe(null);
  });

  test("are not written for large groups, for a log without records, or at another level", async () => {
    const large = makeLog();
    await appendOne(large, 4000);
    expect(large.image(1).length).toBe(large.writer.active.endBytes + frameHeaderBytes);
    const empty = makeLog();
    empty.writer.sync(() => {});
    await empty.settle();
    expect(empty.image(1).length).toBe(empty.writer.active.endBytes);
    for (const level of ["interval", "none"] as const) {
      const log = makeLog(level);
      await appendOne(log);
      expect(log.image(1).length).toBeLessThanOrEqual(log.writer.active.endBytes + frameHeaderBytes);
    }
  });

  test("leave every acknowledged write to a power loss, however it falls, and no damage", async () => {
    const faults = { ...diskFaultsPowerLoss, syncUsMin: 3000, syncUsMax: 3000 };
    let torn = 0;
    let whole = 0;
    for (let variant = 0; variant < 200; variant++) {
      const log = makeLog("sync", new TestWorld(variant, faults));
      for (let i = 0; i < variant % 30; i++) await appendOne(log);
      // Written, zeros and all, and not synced yet.
      log.append(1500);
      await log.world.pass(1);
      const { disk } = log.world;
      disk.powerLoss(variant);
      const image = disk.inspect(segmentPath(1))?.durable ?? new Uint8Array(0);
      if (image.length === 0) continue;
      const expected = { logNumber: 1, listed: log.durableSegments, closedBytes: 0 };
      const verdict = judgeLog("/", [scanImage(image, 1)], expected);
      expect(verdict.replay[0]?.lastVersion ?? 0).toBeGreaterThanOrEqual(log.reachedVersion);
      if (verdict.torn === null) whole++;
      else torn++;
    }
    expect(torn).toBeGreaterThan(10);
    expect(whole).toBeGreaterThan(10);
  });

  test("are given back when the disk is full, whoever finds out", async () => {
    const log = makeLog();
    for (let i = 0; i < 20; i++) await appendOne(log);
    const { active } = log.writer;
    const { disk, faults } = log.world;
    expect(log.image(1).length).toBeGreaterThan(active.endBytes + frameHeaderBytes);
    log.writer.giveUpRoom();
    expect(log.image(1).length).toBe(active.endBytes + frameHeaderBytes);
    expect(log.scan(1)).toMatchObject({ problem: "", lastVersion: 20 });
    // Room for a group, and for some zeros but not for all.
    const other = makeLog();
    other.world.faults.quotaBytes = other.world.disk.usedBytes + 1000;
    await appendOne(other);
    expect(other.reachedVersion).toBe(1);
    expect(other.image(1).length).toBe(other.writer.active.endBytes + frameHeaderBytes);
    for (let i = 0; i < 5; i++) await appendOne(other);
    expect(other.reachedVersion).toBe(6);
    expect(disk.usedBytes).toBeLessThan(faults.quotaBytes);
  });
});

describe("zeros in a log", () => {
  test("are its end only when nothing follows", async () => {
    const log = makeLog();
    for (let i = 0; i < 6; i++) await appendOne(log);
    const image = log.image(1);
    const { endBytes } = log.writer.active;
    const expected = { logNumber: 1, listed: [1], closedBytes: 0 };
    expect(judgeLog("/", [scanImage(image, 1)], expected)).toMatchObject({ torn: null, tornBytes: 0 });
    for (let start = 32; start + 32 <= endBytes; start += 4) {
      const damaged = image.slice().fill(0, start, start + 32);
      if (damaged.every((byte, at) => byte === image[at])) continue;
      expect(() => judgeLog("/", [scanImage(damaged, 1)], expected), `at ${start}`).toThrow("offset");
    }
    // A stretch of another file, or of another use of this place, is no end but torn.
    const stale = image.slice();
    stale[image.length - 1] = 1;
    expect(judgeLog("/", [scanImage(stale, 1)], expected).torn).toMatchObject({ path: segmentPath(1) });
  });
});
