/** Goal: a process that dies takes its handles and locks with it and leaves the page cache. */
import { describe, expect, test } from "vitest";
import { diskFaultsPowerLoss } from "./disk-faults.ts";
import { a, b, contents, filled } from "./loss-outcomes.ts";
import { ManualFence, rig, Unwound } from "./manual-world.ts";

describe("a process crash", () => {
  test("keeps the cache and ends handles and locks", () => {
    const it = rig(diskFaultsPowerLoss);
    const file = it.view.open("/f", "create");
    file.write(0, filled(9, a), 0, 9);
    it.view.lock("/LOCK", "first");
    const other = it.disk.attach(new ManualFence());
    expect(() => other.lock("/LOCK", "second")).toThrow("ELOCKED");
    it.fence.kill();
    expect(() => other.lock("/LOCK", "second")).toThrow("ELOCKED");
    it.disk.processCrash(it.view);
    expect(it.disk.openFiles).toBe(0);
    expect(contents(it, "/f")).toBe("a");
    other.lock("/LOCK", "second").release();
    expect(() => file.sizeBytes()).toThrow(Unwound);
  });

  test("ends shared locks, which stand against exclusive ones until then", () => {
    const it = rig({});
    const other = it.disk.attach(new ManualFence());
    other.lock("/LOCK", "first").release();
    it.view.lockShared("/LOCK");
    const shared = other.lockShared("/LOCK");
    expect(() => other.lock("/LOCK", "second")).toThrow("ELOCKED");
    it.disk.processCrash(it.view);
    expect(() => other.lock("/LOCK", "second")).toThrow("ELOCKED");
    shared.release();
    other.lock("/LOCK", "second").release();
  });

  test("leaves another process's handles and locks alone", () => {
    const it = rig({});
    const other = it.disk.attach(new ManualFence());
    other.lock("/LOCK", "other");
    const file = other.open("/f", "create");
    it.disk.processCrash(it.view);
    file.write(0, filled(9, a), 0, 9);
    expect(() => it.view.lock("/LOCK", "me")).toThrow("ELOCKED");
  });

  test("inside a write leaves a prefix of whole pages, each length reachable", () => {
    const seen = new Set<number>();
    for (let seed = 0; seed < 64; seed++) {
      const it = rig({}, seed);
      const file = it.view.open("/f", "create");
      file.write(0, filled(100, a), 0, 100);
      it.fence.crash = { inCalls: 1, run: () => it.disk.processCrash(), after: false };
      expect(() => file.write(100, filled(9_000, b), 0, 9_000)).toThrow(Unwound);
      seen.add(it.disk.inspect("/f")?.cached.length ?? 0);
    }
    expect([...seen].sort((x, y) => x - y)).toStrictEqual([100, 4_096, 8_192, 9_100]);
  });

  test("right after a write leaves all of it, and frees an unlinked file", () => {
    const it = rig({});
    const file = it.view.open("/f", "create");
    it.fence.crash = { inCalls: 1, run: () => it.disk.processCrash(), after: true };
    expect(() => file.write(0, filled(9_000, b), 0, 9_000)).toThrow(Unwound);
    expect(it.disk.usedBytes).toBe(9_000);
    const view = it.disk.attach(new ManualFence());
    view.open("/f", "write");
    view.remove("/f");
    expect(it.disk.usedBytes).toBe(9_000);
    it.disk.processCrash();
    expect(it.disk.usedBytes).toBe(0);
  });
});
