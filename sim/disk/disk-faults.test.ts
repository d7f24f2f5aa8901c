/**
 * Goal: each fault does what its field says, is counted when it happened, and decides by its own key.
 * Method: rates of all, some or none; the same seed twice; one fault taken away.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DiskError } from "../../core/env/disk.ts";
import type { Disk, DiskFile } from "../../core/env/disk.ts";
import { diskFaultKinds, diskFaultsNone, diskFaultsPowerLoss } from "./disk-faults.ts";
import type { AtRestKind, DiskFaultKind, DiskFaults } from "./disk-faults.ts";
import { ManualFence, rig } from "./manual-world.ts";
import type { Rig } from "./manual-world.ts";
import { sectorBytes } from "./sector.ts";

const always = 1_000_000;

function code(action: () => unknown): string {
  try {
    action();
    return "ok";
  } catch (error) {
    if (error instanceof DiskError) return error.code;
    throw error;
  }
}

/** A file of `length` bytes, none zero, no two sectors alike. */
function put(view: Disk, path: string, length: number): DiskFile {
  const file = view.open(path, "create");
  file.write(0, pattern(length), 0, length);
  return file;
}

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => 1 + ((at * 31 + Math.trunc(at / sectorBytes) * 7) % 255));
}

function readAll(file: DiskFile, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  file.read(0, bytes, 0, length);
  return bytes;
}

function durable(it: Rig, path: string, length: number): DiskFile {
  const file = put(it.view, path, length);
  file.sync(() => undefined);
  it.view.syncDir("/", () => undefined);
  it.world.pump();
  return file;
}

describe("errors", () => {
  test("EIO on read, write and metadata, each counted, without an effect", () => {
    const it = rig({});
    const file = put(it.view, "/f", 100);
    it.disk.faults.eioRead = always;
    it.disk.faults.eioWrite = always;
    it.disk.faults.eioMetadata = always;
    const bytes = new Uint8Array(10);
    expect(code(() => file.read(0, bytes, 0, 10))).toBe("EIO");
    expect(code(() => file.write(50, bytes, 0, 10))).toBe("EIO");
    const operations: (() => unknown)[] = [
      () => it.view.open("/g", "create"),
      () => it.view.rename("/f", "/g"),
      () => it.view.remove("/f"),
      () => it.view.mkdir("/d"),
      () => it.view.list("/"),
      () => it.view.kind("/f"),
      () => it.view.lock("/LOCK", "me"),
      () => file.truncate(0),
    ];
    for (const operation of operations) expect(code(operation)).toBe("EIO");
    expect(it.world.counted("disk.eio-read")).toBe(1);
    expect(it.world.counted("disk.eio-write")).toBe(1);
    expect(it.world.counted("disk.eio-metadata")).toBe(operations.length);
    expect(it.disk.paths()).toStrictEqual(["/f"]);
    expect(it.disk.inspect("/f")?.cached).toStrictEqual(pattern(100));
  });

  test("a sticky EIO holds on for its file until healed, others go on", () => {
    const it = rig({});
    const file = put(it.view, "/f", 100);
    const other = put(it.view, "/g", 100);
    Object.assign(it.disk.faults, { eioRead: always, eioWrite: always, eioSticky: always });
    const bytes = new Uint8Array(1);
    expect(code(() => file.read(0, bytes, 0, 1))).toBe("EIO");
    Object.assign(it.disk.faults, diskFaultsNone);
    expect(code(() => file.read(0, bytes, 0, 1))).toBe("EIO");
    expect(code(() => it.view.open("/f", "read").read(0, bytes, 0, 1))).toBe("EIO");
    expect(code(() => file.write(0, bytes, 0, 1))).toBe("ok");
    expect(code(() => other.read(0, bytes, 0, 1))).toBe("ok");
    it.disk.heal();
    expect(code(() => file.read(0, bytes, 0, 1))).toBe("ok");
  });

  test("a passing EIO passes", () => {
    const it = rig({ eioRead: 500_000 });
    const file = put(it.view, "/f", 100);
    const codes = Array.from({ length: 40 }, () => code(() => readAll(file, 10)));
    expect(new Set(codes)).toStrictEqual(new Set(["ok", "EIO"]));
  });

  test("EMFILE at the limit, over when a file is closed; locks and listings need a descriptor too", () => {
    const it = rig({ openFilesMax: 2 });
    const first = it.view.open("/a", "create");
    it.view.lock("/LOCK", "me");
    expect(code(() => it.view.open("/a", "read"))).toBe("EMFILE");
    expect(code(() => it.view.list("/"))).toBe("EMFILE");
    expect(code(() => it.view.syncDir("/", () => undefined))).toBe("EMFILE");
    first.close();
    expect(code(() => it.view.open("/a", "read"))).toBe("ok");
    expect(it.world.counted("disk.emfile")).toBe(3);
    it.disk.processCrash();
    expect(it.disk.openFiles).toBe(0);
  });

  test("a read-only disk refuses every change and reads on", () => {
    const it = rig({});
    const file = put(it.view, "/f", 100);
    it.disk.faults.readOnly = true;
    const bytes = new Uint8Array(1);
    expect(code(() => file.write(0, bytes, 0, 1))).toBe("EROFS");
    expect(code(() => file.truncate(0))).toBe("EROFS");
    expect(code(() => it.view.open("/g", "create"))).toBe("EROFS");
    expect(code(() => it.view.open("/f", "write"))).toBe("EROFS");
    expect(code(() => it.view.remove("/f"))).toBe("EROFS");
    expect(code(() => it.view.rename("/f", "/g"))).toBe("EROFS");
    expect(code(() => it.view.mkdir("/d"))).toBe("EROFS");
    expect(code(() => it.view.open("/f", "read").read(0, bytes, 0, 1))).toBe("ok");
  });
});

describe("room", () => {
  test("a write is cut to what fits, then refused, and works again when room is made", () => {
    const it = rig({ quotaBytes: 1_000 });
    const file = it.view.open("/f", "create");
    const bytes = pattern(800);
    expect(file.write(0, bytes, 0, 800)).toBe(800);
    expect(file.write(800, bytes, 0, 800)).toBe(200);
    expect(code(() => file.write(1_000, bytes, 0, 1))).toBe("ENOSPC");
    expect(file.write(500, bytes, 0, 500)).toBe(500);
    expect(it.world.counted("disk.enospc")).toBe(1);
    expect(it.world.counted("disk.enospc-freed")).toBe(0);
    it.disk.faults.quotaBytes = 2_000;
    expect(file.write(1_000, bytes, 0, 800)).toBe(800);
    expect(it.world.counted("disk.enospc-freed")).toBe(1);
  });

  test("removing a file frees its room once it is closed; replacing one does too", () => {
    const it = rig({ quotaBytes: 1_000 });
    const file = put(it.view, "/f", 900);
    it.view.remove("/f");
    const next = it.view.open("/g", "create");
    expect(next.write(0, pattern(900), 0, 900)).toBe(100);
    file.close();
    expect(next.write(100, pattern(900), 0, 900)).toBe(900);
    it.disk.faults.quotaBytes = 2_000;
    put(it.view, "/h", 500).close();
    it.view.rename("/h", "/g");
    next.close();
    expect(it.disk.usedBytes).toBe(500);
  });

  test("a full disk may have no room for a new name", () => {
    const codes = new Set<string>();
    for (let seed = 0; seed < 30; seed++) {
      const it = rig({ quotaBytes: 0 }, seed);
      codes.add(code(() => it.view.open("/f", "create")));
    }
    expect([...codes].sort()).toStrictEqual(["ENOSPC", "ok"]);
  });

  test("room may be short for a moment", () => {
    const it = rig({ enospc: 500_000 });
    const file = it.view.open("/f", "create");
    for (let at = 0; at < 40; at++) code(() => file.write(at, pattern(1), 0, 1));
    expect(it.world.counted("disk.enospc")).toBeGreaterThan(5);
    expect(it.world.counted("disk.enospc-freed")).toBeGreaterThan(5);
  });
});

describe("short and slow", () => {
  test("short transfers move at least one byte and fewer than asked", () => {
    const it = rig({});
    const file = put(it.view, "/f", 1_000);
    Object.assign(it.disk.faults, { shortRead: always, shortWrite: always });
    for (let round = 0; round < 50; round++) {
      const count = file.read(0, new Uint8Array(600), 0, 600);
      expect(count > 0 && count < 600).toBe(true);
      const written = file.write(0, pattern(600), 0, 600);
      expect(written > 0 && written < 600).toBe(true);
    }
    expect(file.read(0, new Uint8Array(1), 0, 1)).toBe(1);
    expect(file.write(0, pattern(1), 0, 1)).toBe(1);
    expect(it.world.counted("disk.short-read")).toBe(50);
    expect(it.world.counted("disk.short-write")).toBe(50);
  });

  test("slow operations charge time, ordinary ones theirs", () => {
    const it = rig({ operationUs: 3 });
    const file = put(it.view, "/f", 100);
    expect(it.world.chargedUs).toBe(6);
    Object.assign(it.disk.faults, { slow: always, slowUsMin: 1_000, slowUsMax: 2_000 });
    readAll(file, 10);
    expect(it.world.chargedUs).toBeGreaterThanOrEqual(1_009);
    expect(it.world.chargedUs).toBeLessThanOrEqual(2_009);
    expect(it.world.counted("disk.slow")).toBe(1);
  });

  test("a stalled sync completes, late", () => {
    const it = rig({ stall: always });
    const file = put(it.view, "/f", 100);
    let completedUs = 0;
    file.sync(() => (completedUs = it.world.nowUs));
    it.world.pump();
    expect(completedUs).toBeGreaterThanOrEqual(1_000_000);
    expect(it.world.counted("disk.stall")).toBe(1);
  });
});

describe("damage on the way", () => {
  test("a flip is one bit, heals on reading again, and is rare enough to heal", () => {
    const it = rig({ flipOnRead: always });
    const file = put(it.view, "/f", 2_000);
    let damagedAgo = 100;
    let damaged = 0;
    for (let round = 0; round < 400; round++) {
      const found = readAll(file, 2_000);
      const expected = pattern(2_000);
      const wrong = found.filter((byte, at) => byte !== expected[at]).length;
      expect(wrong).toBeLessThanOrEqual(1);
      if (wrong > 0) expect(damagedAgo).toBeGreaterThan(4);
      damagedAgo = wrong > 0 ? 1 : damagedAgo + 1;
      damaged += wrong;
    }
    expect(damaged).toBe(50);
    expect(it.world.counted("disk.flip-on-read")).toBe(50);
    expect(it.disk.inspect("/f")?.cached).toStrictEqual(pattern(2_000));
  });

  test("a misdirected read brings another sector of the disk, once", () => {
    const it = rig({});
    const file = durable(it, "/f", 2_048);
    it.disk.faults.misdirectedRead = always;
    const expected = pattern(2_048);
    let damaged = 0;
    for (let round = 0; round < 80; round++) {
      const found = readAll(file, 2_048);
      const wrong = found.findIndex((byte, at) => byte !== expected[at]);
      if (wrong < 0) continue;
      damaged++;
      const from = wrong - (wrong % sectorBytes);
      const sector = found.subarray(from, from + sectorBytes);
      const home = [0, 1, 2, 3].find((at) =>
        sector.every((byte, index) => byte === expected[at * sectorBytes + index]),
      );
      expect(home).toBeTypeOf("number");
    }
    expect(damaged).toBe(it.world.counted("disk.misdirected-read"));
    expect(damaged).toBeGreaterThan(0);
  });
});

describe("damage at rest", () => {
  const kinds: readonly AtRestKind[] = ["bit-rot", "misdirected-write", "stale-sector"];

  test.each(kinds)("%s changes what is durable and what is read, where it says, and nowhere else", (kind) => {
    for (let seed = 0; seed < 40; seed++) {
      const it = rig({}, seed);
      durable(it, "/f", 5_000);
      durable(it, "/g", 700);
      const before = new Map(["/f", "/g"].map((path) => [path, it.disk.inspect(path)?.durable]));
      const damage = it.disk.corruptAtRest(kind, () => true);
      expect(damage).not.toBeNull();
      if (damage === null) continue;
      const found = it.disk.inspect(damage.path);
      const old = before.get(damage.path);
      expect(found?.cached).toStrictEqual(found?.durable);
      expect(found?.durable.length).toBe(old?.length);
      const wrong: number[] = [];
      found?.durable.forEach((byte, at) => byte !== old?.[at] && wrong.push(at));
      expect(wrong.length).toBeGreaterThan(0);
      expect(wrong.every((at) => at >= damage.offset && at < damage.offset + damage.length)).toBe(true);
      expect(it.world.counted(`disk.${kind}`)).toBe(1);
      it.disk.powerLoss();
      expect(it.disk.inspect(damage.path)?.durable).toStrictEqual(found?.durable);
    }
  });

  test("the atlas is obeyed", () => {
    for (let seed = 0; seed < 40; seed++) {
      const it = rig({}, seed);
      durable(it, "/f", 50_000);
      durable(it, "/g", 4_096);
      for (const kind of kinds) {
        const damage = it.disk.corruptAtRest(kind, (path, offset, length) => {
          return path === "/g" && offset >= 512 && offset + length <= 2_048;
        });
        if (damage === null) continue;
        expect(damage.path).toBe("/g");
        expect(damage.offset).toBeGreaterThanOrEqual(512);
        expect(damage.offset + damage.length).toBeLessThanOrEqual(2_048);
      }
      expect(it.disk.inspect("/f")?.durable).toStrictEqual(pattern(50_000));
      expect(it.disk.corruptAtRest("bit-rot", () => false)).toBeNull();
    }
  });

  test("a stale sector is what the sector held before", () => {
    const seen = new Set<number>();
    for (let seed = 0; seed < 20; seed++) {
      const it = rig({}, seed);
      const file = it.view.open("/f", "create");
      for (const letter of [97, 98]) {
        file.write(0, new Uint8Array(2 * sectorBytes).fill(letter), 0, 2 * sectorBytes);
        file.sync(() => undefined);
        it.world.pump();
      }
      const damage = it.disk.corruptAtRest("stale-sector", () => true);
      seen.add(it.disk.inspect("/f")?.durable[damage?.offset ?? -1] ?? -1);
    }
    expect([...seen]).toStrictEqual([97]);
  });

  test("what is not durable, or not clean, is left alone", () => {
    const it = rig({});
    put(it.view, "/f", 5_000);
    for (const kind of kinds) expect(it.disk.corruptAtRest(kind, () => true)).toBeNull();
    expect(it.world.counts.size).toBe(0);
  });

  test("a sector that is about to be rewritten is left alone", () => {
    const it = rig({});
    const file = durable(it, "/f", 8 * sectorBytes);
    file.write(2 * sectorBytes + 9, pattern(sectorBytes), 0, sectorBytes);
    const dirty = it.disk.inspect("/f")?.cached.slice(2 * sectorBytes, 4 * sectorBytes);
    for (let round = 0; round < 60; round++) {
      for (const kind of kinds) it.disk.corruptAtRest(kind, () => true);
    }
    expect(it.disk.inspect("/f")?.cached.slice(2 * sectorBytes, 4 * sectorBytes)).toStrictEqual(dirty);
  });
});

interface Story {
  readonly log: string;
  readonly counts: ReadonlyMap<DiskFaultKind, number>;
}

/** A run of everything, as a log of what each call gave and what was left at the end. */
function story(seed: number, faults: DiskFaults, steps: number): Story {
  const it = rig(faults, seed);
  const { world, disk } = it;
  const log: string[] = [];
  let fence = new ManualFence();
  let view = disk.attach(fence);
  const open = new Map<string, DiskFile>();
  const note = (action: () => unknown): void => void log.push(code(action));
  for (let step = 0; step < steps; step++) {
    const dice = world.draw("test", 0, step);
    const path = `/f${dice % 5}`;
    const file = open.get(path);
    const action = (dice >>> 8) % 12;
    if (action === 11 && dice % 3 === 0) {
      log.push(...fence.log);
      disk.powerLoss();
      fence = new ManualFence();
      view = disk.attach(fence);
      open.clear();
    } else if (file === undefined) {
      note(() => open.set(path, view.open(path, view.kind(path) === null ? "create" : "write")));
    } else if (action < 4) {
      note(() => file.write(file.sizeBytes(), pattern(dice % 3_000), 0, dice % 3_000));
    } else if (action < 7) {
      note(() => readAll(file, dice % 2_000));
    } else if (action === 7) {
      note(() => file.sync((error) => log.push(error?.code ?? "synced")));
    } else if (action === 8) {
      note(() => view.syncDir("/", (error) => log.push(error?.code ?? "dir synced")));
    } else if (action === 9) {
      note(() => view.rename(path, `/f${(dice >>> 3) % 5}`));
      open.clear();
    } else {
      world.step();
      if (dice % 5 === 0) disk.corruptAtRest("bit-rot", () => true);
    }
  }
  for (const path of disk.paths()) log.push(path, String(disk.inspect(path)?.durable));
  return { log: [...log, ...fence.log].join("\n"), counts: world.counts };
}

const everything: DiskFaults = {
  ...diskFaultsPowerLoss,
  eioRead: 30_000,
  eioWrite: 30_000,
  eioMetadata: 10_000,
  eioSticky: 100_000,
  emfile: 20_000,
  enospc: 30_000,
  syncFailed: 50_000,
  shortRead: 50_000,
  shortWrite: 50_000,
  slow: 50_000,
  stall: 50_000,
  flipOnRead: 30_000,
  misdirectedRead: 30_000,
};

describe("determinism", () => {
  test("the same seed gives the same story, another seed another", () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const first = story(seed, everything, 300).log;
        expect(story(seed, everything, 300).log).toBe(first);
        expect(story(seed + 1, everything, 300).log).not.toBe(first);
      }),
      { numRuns: 20 },
    );
  });

  test("taking one fault away leaves the decisions about the others as they were", () => {
    const outcomes = (faults: Partial<DiskFaults>): { shorts: number[]; failures: string[] } => {
      const it = rig({ shortWrite: 300_000, ...faults }, 7);
      const file = it.view.open("/f", "create");
      const shorts: number[] = [];
      const failures: string[] = [];
      for (let round = 0; round < 60; round++) {
        failures.push(code(() => shorts.push(file.write(0, pattern(900), 0, 900))));
        readAll(file, 100);
      }
      return { shorts, failures };
    };
    const alone = outcomes({});
    const busy = outcomes({ slow: 500_000, flipOnRead: always, shortRead: always });
    expect(busy.shorts).toStrictEqual(alone.shorts);
    const withErrors = outcomes({ eioWrite: 200_000 });
    const survivors = alone.shorts.filter((_, at) => withErrors.failures[at] === "ok");
    expect(withErrors.shorts).toStrictEqual(survivors);
    expect(survivors.length).toBeLessThan(60);
  });

  test("together the stories of a few seeds inject every kind a disk has", () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 12; seed++) {
      for (const [kind] of story(seed, everything, 600).counts) seen.add(kind);
    }
    const elsewhere = new Set(["disk.misdirected-write", "disk.stale-sector"]);
    expect(diskFaultKinds.filter((kind) => !seen.has(kind) && !elsewhere.has(kind))).toStrictEqual([]);
  });
});
