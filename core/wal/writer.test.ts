// Goal: the promises of group commit: order, what is told when, rotation, failure.
// Method: a log on a simulated disk; its owner takes notes.
import { describe, expect, test } from "vitest";
import { walAfterRotate, walAfterSync, walBeforeSync } from "../../failpoints/catalog.ts";
import { Crashed, TestWorld } from "../engine/test-world.test-support.ts";
import { DiskError } from "../env/disk.ts";
import { fileHeaderBytes } from "./file-header.ts";
import { frameHeaderBytes } from "./frame.ts";
import { segmentPath, TestLog } from "./log.test-support.ts";
import { WalSegment } from "./segment.ts";

describe("level sync", () => {
  test("commits of one turn share one write and one sync", async () => {
    const log = new TestLog(new TestWorld(), "sync");
    log.begin(1);
    for (let i = 0; i < 5; i++) log.append();
    expect(log.env.callCount).toBe(0);
    await log.settle();
    expect(log.reachedVersions).toEqual([5]);
    expect(log.writer.groupCount).toBe(1);
    expect(log.writer.syncCount).toBe(1);
    expect(log.scan(1)).toMatchObject({ frameCount: 2, lastVersion: 5, problem: "" });
  });

  test("what comes while a sync is in flight waits for the next one", async () => {
    const log = new TestLog(new TestWorld(1, { syncUsMin: 5000, syncUsMax: 5000 }), "sync");
    log.begin(1);
    log.append();
    await log.world.pass(1);
    log.append();
    log.append();
    await log.world.pass(1);
    // Written only once the first group is durable: until then it gathers.
    expect(log.scan(1).lastVersion).toBe(1);
    expect(log.reachedVersions).toEqual([]);
    await log.settle();
    expect(log.reachedVersions).toEqual([1, 3]);
    expect(log.writer.syncCount).toBe(2);
  });

  test("nobody is told before the sync and the directory's sync have completed", async () => {
    const log = new TestLog(new TestWorld(1, { syncUsMin: 5000, syncUsMax: 9000 }), "sync");
    log.begin(1);
    log.append();
    log.onReached = () => {
      expect(log.durableScan(1).lastVersion).toBe(1);
      expect(log.world.disk.inspect(segmentPath(1))?.entryDurable).toBe(true);
    };
    await log.settle();
    expect(log.reachedVersions).toEqual([1]);
  });

  test("whoever is told may append again", async () => {
    const log = new TestLog(new TestWorld(), "sync");
    log.begin(1);
    log.onReached = (version) => {
      if (version < 5) log.append();
    };
    log.append();
    await log.settle();
    expect(log.reachedVersions).toEqual([1, 2, 3, 4, 5]);
  });

  test("what an owner throws comes through, and the log is as if it had returned", async () => {
    const log = new TestLog(new TestWorld(), "sync");
    log.begin(1);
    log.append();
    log.onReached = () => {
      log.onReached = () => {};
      throw new Error("thrown by the owner");
    };
    await expect(log.settle()).rejects.toThrow("thrown by the owner");
    log.append();
    await log.settle();
    expect(log.reachedVersions).toEqual([1, 2]);
  });

  test("a new segment is not written before the old one is durable", async () => {
    const log = new TestLog(new TestWorld(1, { syncUsMin: 5000, syncUsMax: 5000 }), "sync");
    log.begin(1);
    log.append();
    log.begin(2);
    log.append();
    await log.world.pass(1);
    expect(log.image(2).length).toBe(0);
    await log.settle();
    expect(log.reachedVersions).toEqual([1, 2]);
    expect(log.durableSegments).toEqual([1, 2]);
    const [first, second] = [log.scan(1), log.scan(2)];
    expect(first.sealed).toBe(true);
    expect(second.header).toMatchObject({ previousNumber: 1, previousBytes: first.goodBytes });
    expect(second.vouchesForEarlier).toBe(true);
  });

  test("an idle log ends with a witness for its last group", async () => {
    const log = new TestLog(new TestWorld(), "sync");
    const segment = log.begin(1);
    log.append();
    await log.settle();
    expect(log.scan(1)).toMatchObject({
      witnessedBytes: segment.endBytes,
      goodBytes: segment.endBytes + frameHeaderBytes,
    });
    // The next group stands where the witness stood, and vouches for the same bytes.
    const end = segment.endBytes;
    log.append();
    await log.settle();
    expect(log.scan(1).witnessedBytes).toBe(segment.endBytes);
    expect(segment.endBytes).toBeGreaterThan(end);
  });
});

describe("levels below sync", () => {
  test.each(["interval", "none"] as const)("%s tells after the write, across segments", async (level) => {
    const log = new TestLog(new TestWorld(1, { syncUsMin: 5000, syncUsMax: 5000 }), level);
    log.begin(1);
    log.append();
    log.begin(2);
    log.append();
    await log.world.pass(1);
    expect(log.reachedVersion).toBe(2);
    expect(log.scan(1).lastVersion).toBe(1);
    expect(log.scan(2).lastVersion).toBe(2);
    expect(log.writer.syncCount).toBe(0);
  });

  test("interval syncs by its timer, the oldest segment first", async () => {
    const log = new TestLog(new TestWorld(), "interval");
    log.begin(1);
    log.append();
    log.begin(2);
    log.append();
    await log.world.pass(9);
    expect(log.writer.syncCount).toBe(0);
    await log.settle();
    expect(log.durableSegments).toEqual([1, 2]);
    expect(log.writer.syncCount).toBe(2);
    // Nothing new, no further syncs.
    await log.settle();
    expect(log.writer.syncCount).toBe(2);
  });

  test("none never syncs by itself, but on demand", async () => {
    const log = new TestLog(new TestWorld(), "none");
    log.begin(1);
    log.append();
    await log.settle();
    expect(log.writer.syncCount).toBe(0);
    let synced = false;
    log.writer.sync((error) => (synced = error === null));
    await log.settle();
    expect(synced).toBe(true);
    expect(log.durableScan(1).lastVersion).toBe(1);
  });

  test("a forgotten segment is not synced and does not hold up the next", async () => {
    const log = new TestLog(new TestWorld(), "none");
    const old = log.begin(1);
    log.append();
    log.begin(2);
    log.append();
    await log.settle();
    log.writer.forget(old);
    let synced = false;
    log.writer.sync((error) => (synced = error === null));
    await log.settle();
    expect(synced).toBe(true);
    expect(log.durableSegments).toEqual([2]);
  });
});

describe("sync on demand and the end", () => {
  test.each(["sync", "interval", "none"] as const)("%s: seal makes everything durable", async (level) => {
    const log = new TestLog(new TestWorld(), level);
    log.begin(1);
    log.append();
    log.begin(2);
    log.append();
    let sealed = false;
    log.writer.seal((error) => (sealed = error === null));
    await log.settle();
    expect(sealed).toBe(true);
    log.writer.closeFiles();
    log.world.powerLoss();
    expect(log.scan(1)).toMatchObject({ sealed: true, lastVersion: 1, problem: "" });
    expect(log.scan(2)).toMatchObject({ sealed: true, lastVersion: 2, problem: "" });
    expect(log.world.disk.openFiles).toBe(0);
  });

  test("a sync of what is durable already completes", async () => {
    const log = new TestLog(new TestWorld(), "sync");
    log.begin(1);
    log.append();
    await log.settle();
    let done = 0;
    log.writer.sync(() => done++);
    expect(done).toBe(0);
    await log.settle();
    expect(done).toBe(1);
  });
});

describe("failure", () => {
  test("after a failed sync nothing is written, synced or told again", async () => {
    const log = new TestLog(new TestWorld(), "sync");
    log.begin(1);
    log.append();
    await log.settle();
    log.world.faults.syncFailed = 1_000_000;
    log.append();
    let waiting: DiskError | null = null;
    log.writer.sync((error) => (waiting = error));
    await log.settle();
    log.world.faults.syncFailed = 0;
    expect(log.failure).toBeInstanceOf(DiskError);
    expect(waiting).toBe(log.failure);
    expect(log.reachedVersions).toEqual([1]);
    const calls = log.env.callCount;
    log.writer.resume();
    await log.settle();
    expect(log.env.callCount).toBe(calls);
    expect(() => log.append()).toThrow("a failed log takes nothing");
    let after: DiskError | null = null;
    log.writer.sync((error) => (after = error));
    await log.settle();
    expect(after).toBe(log.failure);
  });

  test("a failed sync of the directory fails the log, though the file's sync succeeded", async () => {
    const log = new TestLog(new TestWorld(), "sync");
    log.begin(1);
    const refusal = new DiskError("EIO", "syncDir", "/");
    log.env.disk.syncDir = (_dir, done) => log.env.clock.soon(() => done(refusal));
    log.append();
    await log.settle();
    expect(log.failure?.path).toBe("/");
    expect(log.reachedVersions).toEqual([]);
  });

  test("a failed write fails the log at once", async () => {
    const log = new TestLog(new TestWorld(1, { eioWrite: 1_000_000 }), "none");
    log.begin(1);
    log.append();
    await log.settle();
    expect(log.failure?.code).toBe("EIO");
    expect(log.reachedVersions).toEqual([]);
  });

  test("a full disk is offered the rest of the group again until it has room", async () => {
    const log = new TestLog(new TestWorld(), "sync");
    log.begin(1);
    log.append();
    await log.settle();
    // Room for the bytes where the witness stands, and no more.
    log.world.faults.quotaBytes = log.world.disk.usedBytes;
    log.append(400);
    await log.settle();
    expect(log.writer.outOfSpace).toBe(true);
    const problem = "a frame is cut off by the end of the file";
    expect(log.scan(1)).toMatchObject({ lastVersion: 1, problem });
    log.world.faults.quotaBytes = Number.MAX_SAFE_INTEGER;
    await log.world.pass(500);
    expect(log.failure).toBe(null);
    expect(log.reachedVersions).toEqual([1, 2]);
    expect(log.scan(1)).toMatchObject({ lastVersion: 2, problem: "" });
  });

  test("a new segment's file waits for room, and gives up in the end", async () => {
    const log = new TestLog(new TestWorld(1, { emfile: 1_000_000 }), "sync");
    log.begin(1);
    log.append();
    await log.settle();
    expect(log.writer.outOfSpace).toBe(true);
    expect(log.failure).toBe(null);
    log.world.faults.emfile = 0;
    await log.world.pass(500);
    expect(log.reachedVersions).toEqual([1]);
    expect(log.writer.outOfSpace).toBe(false);
    log.world.faults.emfile = 1_000_000;
    log.begin(2);
    log.append();
    await log.world.pass(60_000);
    expect(log.failure?.code).toBe("EMFILE");
  });

  test("an opening does not wait for room", async () => {
    const log = new TestLog(new TestWorld(1, { emfile: 1_000_000 }), "sync");
    log.waitsForSpace = false;
    log.begin(1);
    log.append();
    await log.settle();
    expect(log.failure?.code).toBe("EMFILE");
  });
});

describe("holding back", () => {
  test("groups wait until the owner lets them go", async () => {
    const log = new TestLog(new TestWorld(), "sync");
    log.begin(1);
    log.holds = true;
    log.append();
    await log.settle();
    expect(log.image(1).length).toBe(0);
    log.holds = false;
    log.writer.resume();
    await log.settle();
    expect(log.reachedVersions).toEqual([1]);
  });
});

describe("failpoints", () => {
  test("an error before the sync is the sync's failure", async () => {
    const log = new TestLog(new TestWorld(), "sync");
    log.env.failpoints.arm(walBeforeSync, { kind: "error", percent: 100, count: 1 });
    log.begin(1);
    log.append();
    await log.settle();
    expect(log.failure?.code).toBe("EIO");
    expect(log.reachedVersions).toEqual([]);
  });

  test.each([walBeforeSync, walAfterSync, walAfterRotate])("a crash at $name tells nobody", async (point) => {
    const log = new TestLog(new TestWorld(), "sync");
    log.begin(1);
    log.append();
    await log.settle();
    log.env.failpoints.arm(point, { kind: "crash", percent: 100, count: 1 });
    log.append();
    log.begin(2);
    log.append();
    await log.settle();
    expect(log.env.alive()).toBe(false);
    expect(log.env.failpoints.visitCount(point)).toBeGreaterThan(0);
    expect(log.reachedVersions.length).toBeLessThan(3);
    expect(() => log.env.check()).toThrow(Crashed);
  });
});

describe("segment", () => {
  test("an arena of arenaBytes holds the batch and the seal, and no byte less does", () => {
    const bytes = 124;
    const arenaBytes = WalSegment.arenaBytes(bytes);
    const roomy = new WalSegment(1, "/x", new Uint8Array(arenaBytes), 1, 0);
    expect(roomy.fits(bytes)).toBe(true);
    roomy.append(new Uint8Array(bytes), bytes, 1, 1024);
    roomy.seal();
    expect(roomy.endBytes).toBe(arenaBytes);
    expect(new WalSegment(1, "/x", new Uint8Array(arenaBytes - 4), 1, 0).fits(bytes)).toBe(false);
  });

  test("a frame that would grow beyond its bound is closed, and no batch is split", async () => {
    const log = new TestLog(new TestWorld(), "sync", 100);
    log.begin(1);
    for (let i = 0; i < 4; i++) log.append(40);
    await log.settle();
    expect(log.scan(1)).toMatchObject({ frameCount: 5, lastVersion: 4 });
    expect(log.writer.groupCount).toBe(1);
    expect(log.scan(1).goodBytes).toBeGreaterThan(fileHeaderBytes);
  });
});

test("a sync that waits for groups that are held back keeps no older segment from being told durable", async () => {
  const log = new TestLog(new TestWorld(), "none");
  const first = log.begin(1);
  log.append();
  await log.settle();
  log.begin(2);
  log.append();
  log.holds = true;
  const told: string[] = [];
  log.writer.sync(() => told.push("all"));
  log.writer.keep(first, () => told.push("kept"));
  await log.settle();
  expect(told).toEqual(["kept"]);
  log.holds = false;
  log.writer.resume();
  await log.settle();
  expect(told).toEqual(["kept", "all"]);
});
