/**
 * Goal: a failed sync leaves what file systems leave (Rebello et al., ATC 2020): covered bytes are nobody's
 * business from then on, and only writing them again makes them anybody's.
 * Method: the device's image is compared after failures, further syncs and power losses, over many seeds.
 */
import { describe, expect, test } from "vitest";
import { DiskError } from "../../core/env/disk.ts";
import type { DiskFile } from "../../core/env/disk.ts";
import { diskFaultsPowerLoss } from "./disk-faults.ts";
import { ManualFence, rig } from "./manual-world.ts";
import type { Rig } from "./manual-world.ts";
import { sectorBytes } from "./sector.ts";

const always = 1_000_000;
const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes).replaceAll("\0", "0");
const seeds = Array.from({ length: 80 }, (_, seed) => seed);

/** The first byte of each sector of what the device holds. */
function device({ disk }: Rig, path: string): string {
  const durable = disk.inspect(path)?.durable ?? new Uint8Array(0);
  let seen = "";
  for (let at = 0; at < durable.length; at += sectorBytes) {
    seen += String.fromCharCode(durable[at] ?? 0).replace("\0", "0");
  }
  return seen;
}

function fill(file: DiskFile, letters: string): void {
  for (let sector = 0; sector < letters.length; sector++) {
    const bytes = new Uint8Array(sectorBytes).fill(letters.charCodeAt(sector));
    file.write(sector * sectorBytes, bytes, 0, sectorBytes);
  }
}

/** A durable file of `letters`, one per sector. */
function durable(it: Rig, letters: string): DiskFile {
  const file = it.view.open("/f", "create");
  fill(file, letters);
  expect(syncNow(it, file)).toBeNull();
  it.view.syncDir("/", () => undefined);
  it.world.pump();
  return file;
}

function syncNow(it: Rig, file: DiskFile): DiskError | null {
  let outcome: DiskError | null = null;
  file.sync((error) => (outcome = error));
  it.world.pump();
  return outcome;
}

function failNow(it: Rig, file: DiskFile): void {
  it.disk.faults.syncFailed = always;
  expect(syncNow(it, file)).toBeInstanceOf(DiskError);
  it.disk.faults.syncFailed = 0;
}

describe("ext4", () => {
  test("the cache keeps the new bytes, the device holds any mixture", () => {
    const seen = new Set<string>();
    for (const seed of seeds) {
      const it = rig(diskFaultsPowerLoss, seed);
      const file = durable(it, "aa");
      fill(file, "bb");
      failNow(it, file);
      expect(text(it.disk.inspect("/f")?.cached).slice(510, 514)).toBe("bbbb");
      seen.add(device(it, "/f"));
      expect(it.world.counted("disk.sync-failed")).toBe(1);
    }
    expect([...seen].sort()).toStrictEqual(["aa", "ab", "ba", "bb"]);
  });

  test("a later sync succeeds and lies", () => {
    const lies = seeds.filter((seed) => {
      const it = rig(diskFaultsPowerLoss, seed);
      const file = durable(it, "aaa");
      fill(file, "bbb");
      failNow(it, file);
      const before = device(it, "/f");
      expect(syncNow(it, file)).toBeNull();
      expect(device(it, "/f")).toBe(before);
      it.disk.powerLoss();
      expect(device(it, "/f")).toBe(before);
      return before !== "bbb";
    });
    expect(lies.length).toBeGreaterThan(seeds.length / 2);
  });

  test("the lie survives a process crash: the next incarnation reads what the device does not hold", () => {
    const ghosts = seeds.filter((seed) => {
      const it = rig(diskFaultsPowerLoss, seed);
      const file = durable(it, "a");
      fill(file, "b");
      failNow(it, file);
      it.disk.processCrash();
      const view = it.disk.attach(new ManualFence());
      const bytes = new Uint8Array(1);
      view.open("/f", "read").read(0, bytes, 0, 1);
      expect(text(bytes)).toBe("b");
      return device(it, "/f") === "a";
    });
    expect(ghosts.length).toBeGreaterThan(0);
  });

  test("writing one byte of a sector makes the whole of it dirty again, and its neighbour not", () => {
    const mixed = seeds.filter((seed) => {
      const it = rig(diskFaultsPowerLoss, seed);
      const file = durable(it, "aa");
      fill(file, "bb");
      failNow(it, file);
      const before = device(it, "/f");
      file.write(100, new TextEncoder().encode("x"), 0, 1);
      expect(syncNow(it, file)).toBeNull();
      const found = it.disk.inspect("/f")?.durable;
      expect(text(found?.subarray(0, sectorBytes))).toBe(`${"b".repeat(100)}x${"b".repeat(411)}`);
      expect(device(it, "/f")[1]).toBe(before[1]);
      return before === "aa";
    });
    expect(mixed.length).toBeGreaterThan(0);
  });

  test("what was written after the call stays covered by its own sync", () => {
    for (const seed of seeds) {
      const it = rig(diskFaultsPowerLoss, seed);
      const file = durable(it, "aa");
      fill(file, "b");
      it.disk.faults.syncFailed = always;
      file.sync(() => undefined);
      it.disk.faults.syncFailed = 0;
      file.write(sectorBytes, new Uint8Array(sectorBytes).fill(99), 0, sectorBytes);
      it.world.pump();
      expect(device(it, "/f")[1]).toBe("a");
      expect(syncNow(it, file)).toBeNull();
      expect(device(it, "/f")[1]).toBe("c");
    }
  });

  test("cutting through a sector that was mislaid makes its front dirty", () => {
    for (const seed of seeds) {
      const it = rig(diskFaultsPowerLoss, seed);
      const file = durable(it, "aa");
      fill(file, "bb");
      failNow(it, file);
      file.truncate(sectorBytes + 10);
      expect(syncNow(it, file)).toBeNull();
      expect(text(it.disk.inspect("/f")?.durable.subarray(sectorBytes))).toBe("bbbbbbbbbb");
    }
  });

  test("an append whose sync failed may not even have its size, until something is written after it", () => {
    const seen = new Set<string>();
    for (const seed of seeds) {
      const it = rig(diskFaultsPowerLoss, seed);
      const file = durable(it, "a");
      file.write(sectorBytes, new Uint8Array(sectorBytes).fill(98), 0, sectorBytes);
      failNow(it, file);
      seen.add(device(it, "/f"));
      file.write(2 * sectorBytes, new Uint8Array(sectorBytes).fill(99), 0, sectorBytes);
      expect(syncNow(it, file)).toBeNull();
      expect(device(it, "/f")).toMatch(/^a.c$/);
    }
    for (const outcome of ["a", "ab", "a0"]) expect(seen).toContain(outcome);
  });
});

describe("btrfs", () => {
  const btrfs = { ...diskFaultsPowerLoss, personality: "btrfs" as const };

  test("the cache falls back to what the device holds, size included", () => {
    const it = rig(btrfs);
    const file = durable(it, "aa");
    fill(file, "bbb");
    failNow(it, file);
    expect(file.sizeBytes()).toBe(2 * sectorBytes);
    expect(it.disk.usedBytes).toBe(2 * sectorBytes);
    const found = it.disk.inspect("/f");
    expect(found?.cached).toStrictEqual(found?.durable);
    expect(device(it, "/f")).toBe("aa");
    expect(syncNow(it, file)).toBeNull();
    expect(device(it, "/f")).toBe("aa");
  });

  test("what was written after the call stays", () => {
    const it = rig(btrfs);
    const file = durable(it, "aa");
    fill(file, "bb");
    it.disk.faults.syncFailed = always;
    file.sync(() => undefined);
    it.disk.faults.syncFailed = 0;
    file.write(3 * sectorBytes, new Uint8Array(sectorBytes).fill(99), 0, sectorBytes);
    it.world.pump();
    expect(syncNow(it, file)).toBeNull();
    expect(device(it, "/f")).toBe("aa0c");
  });
});

describe("a failed syncDir", () => {
  test("leaves each entry on the device or not, and a later one does not cover it", () => {
    const seen = new Set<string>();
    for (const seed of seeds) {
      const it = rig(diskFaultsPowerLoss, seed);
      it.view.open("/a", "create");
      it.view.open("/b", "create");
      it.disk.faults.syncFailed = always;
      let failure: DiskError | null = null;
      it.view.syncDir("/", (error) => (failure = error));
      it.world.pump();
      expect(failure).toBeInstanceOf(DiskError);
      it.disk.faults.syncFailed = 0;
      expect(it.view.list("/")).toStrictEqual(["a", "b"]);
      it.view.syncDir("/", () => undefined);
      it.world.pump();
      it.disk.powerLoss();
      seen.add(it.disk.paths().join(" "));
    }
    expect([...seen].sort()).toStrictEqual(["", "/a", "/a /b", "/b"]);
  });

  test("fails with EIO, sometimes ENOSPC", () => {
    const codes = new Set<string>();
    for (const seed of seeds) {
      const it = rig({ syncFailed: always }, seed);
      it.view.syncDir("/", (error) => codes.add(error?.code ?? "none"));
      it.world.pump();
    }
    expect([...codes].sort()).toStrictEqual(["EIO", "ENOSPC"]);
  });
});
