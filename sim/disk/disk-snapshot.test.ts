/**
 * Goal: a snapshot is a whole disk that nothing changes any more, cheap enough to take at every sync.
 * Method: states are compared before and after going back, and a large file is snapshot many times.
 */
import { describe, expect, test } from "vitest";
import { diskFaultsPowerLoss } from "./disk-faults.ts";
import { ManualFence, rig } from "./manual-world.ts";
import type { SimDisk } from "./sim-disk.ts";

const bytes = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);

function image(disk: SimDisk): unknown {
  return disk.paths().map((path) => [path, disk.inspect(path)]);
}

describe("snapshots", () => {
  test("restore brings back contents, entries and what was pending", () => {
    const { disk, view, world } = rig(diskFaultsPowerLoss);
    view.mkdir("/d");
    const file = view.open("/d/f", "create");
    file.write(0, bytes(1_000, 1), 0, 1_000);
    file.sync(() => undefined);
    world.pump();
    file.write(500, bytes(1_000, 2), 0, 1_000);
    view.rename("/d/f", "/d/g");
    const before = image(disk);
    const snapshot = disk.snapshot();
    file.write(0, bytes(3_000, 3), 0, 3_000);
    file.truncate(10);
    view.remove("/d/g");
    disk.powerLoss();
    expect(image(disk)).not.toStrictEqual(before);
    disk.restore(snapshot);
    expect(image(disk)).toStrictEqual(before);
    disk.powerLoss(1);
    disk.restore(snapshot);
    expect(image(disk)).toStrictEqual(before);
  });

  test("overwriting and truncating in place leave the snapshot alone", () => {
    const { disk, view } = rig({});
    const file = view.open("/f", "create");
    file.write(0, bytes(400, 1), 0, 400);
    const before = image(disk);
    const snapshot = disk.snapshot();
    file.write(100, bytes(10, 2), 0, 10);
    file.truncate(50);
    file.truncate(400);
    disk.restore(snapshot);
    expect(image(disk)).toStrictEqual(before);
  });

  test("a loss after restore is the loss that would have been", () => {
    const { disk, view } = rig(diskFaultsPowerLoss);
    const file = view.open("/f", "create");
    for (let at = 0; at < 9; at++) file.write(at * 400, bytes(700, at), 0, 700);
    const snapshot = disk.snapshot();
    const images: unknown[] = [];
    for (const variant of [0, 0, 1, 1]) {
      disk.restore(snapshot);
      disk.powerLoss(variant);
      images.push(image(disk));
    }
    expect(images[0]).toStrictEqual(images[1]);
    expect(images[2]).toStrictEqual(images[3]);
    expect(images[0]).not.toStrictEqual(images[2]);
  });

  test("handles, locks and syncs in flight do not come back", () => {
    const { disk, view, world } = rig({});
    const file = view.open("/f", "create");
    view.lock("/LOCK", "me");
    let completed = false;
    file.write(0, bytes(10, 1), 0, 10);
    file.sync(() => (completed = true));
    disk.restore(disk.snapshot());
    world.pump();
    expect(completed).toBe(false);
    expect(disk.openFiles).toBe(0);
    expect(disk.inspect("/f")?.changeCount).toBe(1);
    disk.attach(new ManualFence()).lock("/LOCK", "next");
  });

  test("a snapshot can be tried on another disk while the first goes on", () => {
    const first = rig(diskFaultsPowerLoss, 1);
    const second = rig(diskFaultsPowerLoss, 2);
    const file = first.view.open("/f", "create");
    file.write(0, bytes(600, 1), 0, 600);
    second.disk.restore(first.disk.snapshot());
    const view = second.disk.attach(new ManualFence());
    view.open("/f", "write").write(600, bytes(600, 2), 0, 600);
    file.write(600, bytes(600, 3), 0, 600);
    expect(first.disk.inspect("/f")?.cached[700]).toBe(3);
    expect(second.disk.inspect("/f")?.cached[700]).toBe(2);
    expect(second.disk.usedBytes).toBe(1_200);
  });

  test("appending to a large file copies nothing for a snapshot", () => {
    const { disk, view } = rig({});
    const file = view.open("/f", "create");
    const chunk = bytes(1 << 20, 1);
    for (let at = 0; at < 32; at++) file.write(at << 20, chunk, 0, chunk.length);
    const snapshots = [];
    // 32 MiB two thousand times over would be 64 GiB: this only ends in time when it is shared.
    for (let round = 0; round < 2_000; round++) {
      snapshots.push(disk.snapshot());
      file.write(file.sizeBytes(), bytes(8, round & 255), 0, 8);
    }
    const first = snapshots[0];
    expect(first).toBeDefined();
    if (first !== undefined) disk.restore(first);
    expect(disk.inspect("/f")?.cached.length).toBe(32 << 20);
    const last = snapshots[1_999];
    if (last !== undefined) disk.restore(last);
    expect(disk.inspect("/f")?.cached.length).toBe((32 << 20) + 1_999 * 8);
    expect(disk.inspect("/f")?.cached[(32 << 20) + 8]).toBe(1);
  });

  test("wipe leaves an empty disk", () => {
    const { disk, view } = rig({});
    view.mkdir("/d");
    view.open("/d/f", "create").write(0, bytes(10, 1), 0, 10);
    disk.wipe();
    expect(disk.paths()).toStrictEqual([]);
    expect(disk.usedBytes).toBe(0);
    expect(disk.dirty).toBe(false);
  });

  test("dirty says whether a power loss could take anything", () => {
    const { disk, view, world } = rig({});
    expect(disk.dirty).toBe(false);
    const file = view.open("/f", "create");
    expect(disk.dirty).toBe(true);
    view.syncDir("/", () => undefined);
    world.pump();
    expect(disk.dirty).toBe(false);
    file.write(0, bytes(1, 1), 0, 1);
    expect(disk.dirty).toBe(true);
    file.sync(() => undefined);
    world.pump();
    expect(disk.dirty).toBe(false);
  });
});
