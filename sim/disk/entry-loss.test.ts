/**
 * Goal: a power loss keeps every promised directory entry, any consistent choice of the others, and renames
 * whole.
 * Method: reachability by enumerating variants of one loss. `namespace.test.ts` has the safety property.
 */
import { describe, expect, test } from "vitest";
import { diskFaultsPowerLoss } from "./disk-faults.ts";
import { a, b, contents, durableFile, filled, outcomes } from "./loss-outcomes.ts";
import { rig } from "./manual-world.ts";
import type { Rig } from "./manual-world.ts";

describe("directory entries", () => {
  const names = ({ disk }: Rig): string => disk.paths().join(" ");

  test("creations are kept in every subset", () => {
    const it = rig(diskFaultsPowerLoss);
    for (const name of ["/a", "/b", "/c"]) it.view.open(name, "create");
    expect([...outcomes(it, () => names(it))].sort()).toStrictEqual(
      ["", "/a", "/a /b", "/a /b /c", "/a /c", "/b", "/b /c", "/c"].sort(),
    );
  });

  test("a synced file without a synced entry may be gone; with it, never", () => {
    const it = rig(diskFaultsPowerLoss);
    const file = it.view.open("/f", "create");
    file.write(0, filled(9, a), 0, 9);
    file.sync(() => undefined);
    it.world.pump();
    expect([...outcomes(it, () => contents(it, "/f"))].sort()).toStrictEqual(["a", "none"]);
    it.view.syncDir("/", () => undefined);
    it.world.pump();
    expect([...outcomes(it, () => contents(it, "/f"))]).toStrictEqual(["a"]);
  });

  test("a synced entry without a synced file may be empty", () => {
    const it = rig(diskFaultsPowerLoss);
    const file = it.view.open("/f", "create");
    file.write(0, filled(9, a), 0, 9);
    it.view.syncDir("/", () => undefined);
    it.world.pump();
    const seen = outcomes(it, () => contents(it, "/f"));
    expect(seen).toContain("");
    expect(seen).not.toContain("none");
  });

  test("a removed file may come back with what was durable", () => {
    const it = rig(diskFaultsPowerLoss);
    durableFile(it, "/f", filled(9, a)).close();
    it.view.remove("/f");
    expect([...outcomes(it, () => contents(it, "/f"))].sort()).toStrictEqual(["a", "none"]);
  });

  test("a rename is atomic: old or new, one name or the other", () => {
    const it = rig(diskFaultsPowerLoss);
    durableFile(it, "/new", filled(9, b));
    durableFile(it, "/old", filled(9, a));
    it.view.rename("/new", "/old");
    const seen = outcomes(it, () => `new: ${contents(it, "/new")}, old: ${contents(it, "/old")}`);
    expect([...seen].sort()).toStrictEqual(["new: b, old: a", "new: none, old: b"]);
  });

  test("a renamed file that was not synced may be empty under its new name", () => {
    const it = rig(diskFaultsPowerLoss);
    durableFile(it, "/old", filled(9, a));
    const file = it.view.open("/new", "create");
    file.write(0, filled(9, b), 0, 9);
    it.view.rename("/new", "/old");
    const seen = outcomes(it, () => contents(it, "/old"));
    for (const outcome of ["a", "b", ""]) expect(seen).toContain(outcome);
    expect(seen).not.toContain("none");
  });

  test("one name goes through its meanings in order", () => {
    const it = rig(diskFaultsPowerLoss);
    durableFile(it, "/f", filled(9, a));
    it.view.rename("/f", "/g");
    it.view.open("/f", "create");
    const seen = outcomes(it, () => `f: ${contents(it, "/f")}, g: ${contents(it, "/g")}`);
    expect([...seen].sort()).toStrictEqual(["f: , g: a", "f: a, g: none", "f: none, g: a"]);
  });

  test("syncDir covers its directory, not another, and not its own entry", () => {
    const it = rig(diskFaultsPowerLoss);
    it.view.mkdir("/d");
    it.view.syncDir("/", () => undefined);
    it.world.pump();
    it.view.open("/d/x", "create");
    it.view.open("/y", "create");
    it.view.mkdir("/e");
    it.view.open("/e/z", "create");
    it.view.syncDir("/d", () => undefined);
    it.view.syncDir("/e", () => undefined);
    it.world.pump();
    expect([...outcomes(it, () => names(it))].sort()).toStrictEqual(
      ["/d /d/x", "/d /d/x /y", "/d /d/x /e /e/z", "/d /d/x /e /e/z /y"].sort(),
    );
  });

  test("syncDir covers what happened before the call, not after", () => {
    const it = rig(diskFaultsPowerLoss);
    it.view.open("/a", "create");
    it.view.syncDir("/", () => undefined);
    it.view.open("/b", "create");
    it.world.pump();
    expect([...outcomes(it, () => names(it))].sort()).toStrictEqual(["/a", "/a /b"]);
  });

  test("a durable file does not move to where nothing leads", () => {
    const it = rig(diskFaultsPowerLoss);
    durableFile(it, "/f", filled(9, a));
    it.view.mkdir("/d");
    it.view.rename("/f", "/d/f");
    const seen = outcomes(it, () => names(it));
    expect([...seen].sort()).toStrictEqual(["/d /d/f", "/d /f", "/f"]);
  });
});

describe("moves between directories", () => {
  const where = ({ disk }: Rig): string => {
    const named = disk.paths().filter((path) => path.endsWith("/f"));
    return named.join(" ");
  };

  test("a synced move takes along what made its target's directory", () => {
    const it = rig(diskFaultsPowerLoss);
    it.view.mkdir("/p");
    durableFile(it, "/f", filled(9, a));
    it.view.mkdir("/p/q");
    it.view.rename("/f", "/p/q/f");
    it.view.syncDir("/", () => undefined);
    it.world.pump();
    expect([...outcomes(it, () => where(it))]).toStrictEqual(["/p/q/f"]);
  });

  test("a file that left a directory survives the directory's replacement", () => {
    const it = rig(diskFaultsPowerLoss);
    it.view.mkdir("/d");
    it.view.mkdir("/e");
    const file = it.view.open("/d/f", "create");
    file.sync(() => undefined);
    it.view.syncDir("/d", () => undefined);
    it.view.syncDir("/", () => undefined);
    it.world.pump();
    it.view.rename("/d/f", "/f");
    it.view.rename("/e", "/d");
    expect(outcomes(it, () => where(it))).not.toContain("");
  });
});
