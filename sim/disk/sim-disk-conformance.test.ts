/**
 * Goal: without faults the simulated disk keeps the contract of `core/env/disk.ts`; with short transfers,
 * slowness and stalls, which callers must expect, it keeps it too.
 * Method: the suite that the real disk passes in `host/disk.test.ts`.
 */
import { describe, expect, test } from "vitest";
import { diskConformance } from "../conformance/disk.ts";
import type { DiskSubject } from "../conformance/disk.ts";
import { diskFaultsNone } from "./disk-faults.ts";
import type { DiskFaults } from "./disk-faults.ts";
import { ManualFence, ManualWorld } from "./manual-world.ts";
import { SimDisk } from "./sim-disk.ts";

function subject(faults: DiskFaults, seed: number): DiskSubject {
  const world = new ManualWorld(seed);
  const disk = new SimDisk(world, faults);
  const view = disk.attach(new ManualFence());
  view.mkdir("/data");
  return {
    disk: view,
    other: disk.attach(new ManualFence()),
    root: "/data",
    pump: () => world.pump(),
    shared: (sizeBytes) => new Uint8Array(sizeBytes),
  };
}

const kit = {
  test,
  equal: (actual: unknown, expected: unknown) => expect(actual).toStrictEqual(expected),
};

describe("conformance of the simulated disk", () => {
  diskConformance(kit, () => subject({ ...diskFaultsNone }, 1));
});

describe("conformance of a simulated disk that is slow and short", () => {
  const often = { slow: 300_000, stall: 300_000, shortRead: 400_000, shortWrite: 400_000 };
  for (const seed of [2, 3, 4]) {
    describe(`seed ${seed}`, () => {
      diskConformance(kit, () => subject({ ...diskFaultsNone, ...often }, seed));
    });
  }
});
