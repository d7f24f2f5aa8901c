/**
 * Goal: a power loss leaves of a file exactly what the contract allows: every promised byte, any mixture of
 * the rest, nothing else.
 * Method: reachability by enumerating variants of one loss; safety by a model that keeps whole contents.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { diskFaultsNone, diskFaultsPowerLoss } from "./disk-faults.ts";
import { a, b, c, contents, durableFile, filled, outcomes } from "./loss-outcomes.ts";
import { ManualFence, rig } from "./manual-world.ts";
import { sectorBytes } from "./sector.ts";

describe("what was not synced", () => {
  test("overwritten sectors survive in every subset, and nothing else does", () => {
    const it = rig(diskFaultsPowerLoss);
    const file = durableFile(it, "/f", filled(3 * sectorBytes, a));
    file.write(0, filled(3 * sectorBytes, b), 0, 3 * sectorBytes);
    const every = ["aaa", "aab", "aba", "abb", "baa", "bab", "bba", "bbb"];
    expect([...outcomes(it, () => contents(it, "/f"))].sort()).toStrictEqual(every);
  });

  test("a sector may hold any of its successive contents", () => {
    const it = rig(diskFaultsPowerLoss);
    const file = durableFile(it, "/f", filled(sectorBytes, a));
    file.write(0, filled(sectorBytes, b), 0, sectorBytes);
    file.write(0, filled(sectorBytes, c), 0, sectorBytes);
    expect([...outcomes(it, () => contents(it, "/f"))].sort()).toStrictEqual(["a", "b", "c"]);
  });

  test("a sector is never torn inside: its parts come in the order they were written", () => {
    const it = rig({ ...diskFaultsPowerLoss, tornWrite: 1_000_000 });
    const file = durableFile(it, "/f", filled(sectorBytes, a));
    file.write(0, filled(100, b), 0, 100);
    file.write(100, filled(100, b), 0, 100);
    file.write(200, filled(100, b), 0, 100);
    const runs = outcomes(it, () => {
      return String(it.disk.inspect("/f")?.cached.findIndex((byte) => byte === a));
    });
    expect([...runs].sort()).toStrictEqual(["0", "100", "200", "300"]);
  });

  test("an append survives, is lost, is torn, or leaves its space as zeros or garbage", () => {
    const it = rig(diskFaultsPowerLoss);
    const file = durableFile(it, "/f", filled(sectorBytes, a));
    file.write(sectorBytes, filled(2 * sectorBytes, b), 0, 2 * sectorBytes);
    const seen = outcomes(it, () => contents(it, "/f"));
    for (const expected of ["a", "ab", "a0", "abb", "ab0", "a0b", "a00", "a?b", "ab?"]) {
      expect(seen).toContain(expected);
    }
    for (const outcome of seen) expect(outcome).toMatch(/^a[b0?a]{0,2}$/);
  });

  test("the size is any that the file went through, or a whole sector between", () => {
    const it = rig(diskFaultsPowerLoss);
    const file = durableFile(it, "/f", filled(10, a));
    file.write(10, filled(20, b), 0, 20);
    file.write(30, filled(2_000, b), 0, 2_000);
    const sizes = outcomes(it, () => String(it.disk.inspect("/f")?.cached.length));
    expect([...sizes].map(Number).sort((x, y) => x - y)).toStrictEqual([10, 30, 512, 1024, 1536, 2030]);
  });

  test("everything may survive although nobody was told, and it is counted", () => {
    const it = rig({ ...diskFaultsPowerLoss, lostWrite: 0, entryLost: 0 });
    const file = it.view.open("/f", "create");
    file.write(0, filled(5_000, a), 0, 5_000);
    it.disk.powerLoss();
    expect(contents(it, "/f")).toBe("aaaaaaaaaa");
    expect(it.world.counted("disk.kept-unacked")).toBe(1);
    expect(it.world.counted("disk.lost-write")).toBe(0);
  });

  test("without the faults a power loss takes nothing", () => {
    const it = rig(diskFaultsNone);
    const file = it.view.open("/f", "create");
    file.write(0, filled(700, a), 0, 700);
    it.view.mkdir("/d");
    expect([...outcomes(it, () => `${contents(it, "/f")} ${it.disk.paths().join(" ")}`)]).toStrictEqual([
      "aa /d /f",
    ]);
  });

  test("each kind is counted", () => {
    const it = rig(diskFaultsPowerLoss);
    const file = durableFile(it, "/f", filled(sectorBytes, a));
    const other = it.view.open("/g", "create");
    other.write(0, filled(9, b), 0, 9);
    file.write(100, filled(4 * sectorBytes, b), 0, 4 * sectorBytes);
    it.view.rename("/g", "/h");
    it.view.open("/x", "create");
    outcomes(it, () => "");
    expect([...it.world.counts.keys()].sort()).toStrictEqual([
      "disk.entry-lost",
      "disk.garbage-gap",
      "disk.kept-unacked",
      "disk.lost-write",
      "disk.rename-lost",
      "disk.torn-write",
    ]);
  });

  test("a loss that takes nothing is not counted", () => {
    const it = rig(diskFaultsPowerLoss);
    durableFile(it, "/f", filled(3_000, a));
    outcomes(it, () => "");
    expect(it.world.counts.size).toBe(0);
  });
});

describe("sync", () => {
  test("covers what was written before the call, not after", () => {
    const it = rig(diskFaultsPowerLoss);
    const file = durableFile(it, "/f", filled(sectorBytes, a));
    file.write(0, filled(sectorBytes, b), 0, sectorBytes);
    file.sync(() => undefined);
    file.write(0, filled(sectorBytes, c), 0, sectorBytes);
    it.world.pump();
    expect([...outcomes(it, () => contents(it, "/f"))].sort()).toStrictEqual(["b", "c"]);
  });

  test("does not cover an append after the call", () => {
    const it = rig(diskFaultsPowerLoss);
    const file = durableFile(it, "/f", new Uint8Array(0));
    file.write(0, filled(sectorBytes, a), 0, sectorBytes);
    file.sync(() => undefined);
    file.write(sectorBytes, filled(sectorBytes, b), 0, sectorBytes);
    it.world.pump();
    const seen = outcomes(it, () => contents(it, "/f"));
    for (const outcome of ["a", "a0", "ab"]) expect(seen).toContain(outcome);
  });

  test("never completes once the power was lost", () => {
    const it = rig(diskFaultsPowerLoss);
    const file = durableFile(it, "/f", filled(sectorBytes, a));
    let told = false;
    file.sync(() => (told = true));
    it.view.syncDir("/", () => (told = true));
    it.disk.powerLoss();
    it.world.pump();
    expect(told).toBe(false);
  });

  test("promises nothing before it completes", () => {
    const it = rig(diskFaultsPowerLoss);
    const file = durableFile(it, "/f", filled(sectorBytes, a));
    file.write(0, filled(sectorBytes, b), 0, sectorBytes);
    let completed = false;
    file.sync(() => (completed = true));
    const seen = outcomes(it, () => contents(it, "/f"));
    it.world.pump();
    expect([...seen].sort()).toStrictEqual(["a", "b"]);
    expect(completed).toBe(false);
  });

  test("of two in flight either may complete first, and each covers its own", () => {
    const orders = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const it = rig(diskFaultsPowerLoss, seed);
      const file = durableFile(it, "/f", filled(sectorBytes, a));
      const order: string[] = [];
      file.write(0, filled(sectorBytes, b), 0, sectorBytes);
      file.sync(() => order.push("first"));
      file.write(0, filled(sectorBytes, c), 0, sectorBytes);
      file.sync(() => order.push("second"));
      it.world.step();
      const expected = order[0] === "first" ? ["b", "c"] : ["c"];
      expect([...outcomes(it, () => contents(it, "/f"))].sort()).toStrictEqual(expected);
      orders.add(order.join());
    }
    expect([...orders].sort()).toStrictEqual(["first", "second"]);
  });

  test("completes although its process died, without telling anybody", () => {
    const it = rig(diskFaultsPowerLoss);
    const file = durableFile(it, "/f", filled(sectorBytes, a));
    file.write(0, filled(sectorBytes, b), 0, sectorBytes);
    let told = false;
    file.sync(() => (told = true));
    it.fence.kill();
    it.disk.processCrash();
    it.world.pump();
    expect(told).toBe(false);
    expect([...outcomes(it, () => contents(it, "/f"))]).toStrictEqual(["b"]);
  });

  test("covers what a dead process wrote", () => {
    const it = rig(diskFaultsPowerLoss);
    const file = durableFile(it, "/f", filled(sectorBytes, a));
    file.write(0, filled(sectorBytes, b), 0, sectorBytes);
    it.fence.kill();
    it.disk.processCrash();
    const view = it.disk.attach(new ManualFence());
    const again = view.open("/f", "write");
    again.sync(() => undefined);
    it.world.pump();
    expect([...outcomes(it, () => contents(it, "/f"))]).toStrictEqual(["b"]);
  });
});

/** A file as a list of whole contents: the last promised one and every one since. */
class FileModel {
  readonly history: Uint8Array[];

  constructor(promised: Uint8Array = new Uint8Array(0)) {
    this.history = [promised];
  }

  get newest(): Uint8Array {
    return this.history[this.history.length - 1] ?? new Uint8Array(0);
  }

  write(position: number, bytes: Uint8Array): void {
    const next = new Uint8Array(Math.max(this.newest.length, position + bytes.length));
    next.set(this.newest);
    next.set(bytes, position);
    this.history.push(next);
  }

  truncate(size: number): void {
    const next = new Uint8Array(size);
    next.set(this.newest.subarray(0, size));
    this.history.push(next);
  }

  /** Why `found` is no image that a power loss may leave; null when it is one. */
  objection(found: Uint8Array): string | null {
    const sizes = this.history.map((content) => content.length);
    if (found.length < Math.min(...sizes) || found.length > Math.max(...sizes)) return "size";
    for (let from = 0; from < found.length; from += sectorBytes) {
      const to = Math.min(from + sectorBytes, found.length);
      const possible = this.history.some((content) => {
        for (let at = from; at < to; at++) if ((content[at] ?? 0) !== found[at]) return false;
        return true;
      });
      if (!possible) return `sector ${from / sectorBytes}`;
    }
    return null;
  }
}

const nothing = fc.constant(0);

const fileStep = fc.oneof(
  { weight: 6, arbitrary: step("write", fc.nat(2_500), fc.integer({ min: 1, max: 1_400 })) },
  { weight: 6, arbitrary: step("append", nothing, fc.integer({ min: 1, max: 700 })) },
  { weight: 2, arbitrary: step("truncate", fc.nat(3_000), nothing) },
  { weight: 3, arbitrary: step("sync", nothing, nothing) },
  { weight: 3, arbitrary: step("event", nothing, nothing) },
  { weight: 1, arbitrary: step("loss", fc.nat(1_000), nothing) },
);

interface FileStep {
  readonly kind: "write" | "append" | "truncate" | "sync" | "event" | "loss";
  readonly at: number;
  readonly n: number;
}

function step(
  kind: FileStep["kind"],
  at: fc.Arbitrary<number>,
  n: fc.Arbitrary<number>,
): fc.Arbitrary<FileStep> {
  return fc.record({ kind: fc.constant(kind), at, n });
}

describe("any file", () => {
  test("after a power loss every sector holds one of the contents it had since the last sync", () => {
    fc.assert(
      fc.property(fc.array(fileStep, { maxLength: 40, size: "max" }), fc.nat(), (steps, seed) => {
        const it = rig({ ...diskFaultsPowerLoss, garbageGap: 0 }, seed);
        let file = durableFile(it, "/f", new Uint8Array(0));
        let model = new FileModel();
        const found = (): Uint8Array => it.disk.inspect("/f")?.cached ?? filled(1, 0);
        steps.forEach(({ kind, at, n }, index) => {
          const bytes = filled(n, (index % 255) + 1);
          if (kind === "write" || kind === "append") {
            const position = kind === "write" ? at : model.newest.length;
            file.write(position, bytes, 0, bytes.length);
            model.write(position, bytes);
          } else if (kind === "truncate") {
            file.truncate(at);
            model.truncate(at);
          } else if (kind === "event") {
            it.world.step();
          } else if (kind === "sync") {
            const { history, newest } = model;
            file.sync(() => history.splice(0, history.indexOf(newest)));
          } else {
            it.disk.powerLoss(at);
            expect(model.objection(found())).toBeNull();
            model = new FileModel(found());
            file = it.view.open("/f", "write");
          }
        });
        expect(found()).toStrictEqual(model.newest);
        const before = it.disk.snapshot();
        for (let variant = 0; variant < 8; variant++) {
          it.disk.restore(before);
          it.disk.powerLoss(variant);
          expect(model.objection(found())).toBeNull();
        }
      }),
      { numRuns: 400 },
    );
  });

  test("long unsynced histories are written back by themselves, oldest first", () => {
    const it = rig({ ...diskFaultsPowerLoss, lostWrite: 1_000_000 });
    const file = durableFile(it, "/f", new Uint8Array(0));
    for (let at = 0; at < 5_000; at++) file.write(at * 8, filled(8, a), 0, 8);
    const found = it.disk.inspect("/f");
    expect(found?.changeCount).toBeLessThanOrEqual(1_024);
    expect(found?.durable.length).toBeGreaterThanOrEqual(5_000 * 8 - 1_024 * 8);
    expect(found?.durable.every((byte) => byte === a)).toBe(true);
  });
});
