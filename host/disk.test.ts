/**
 * Goal: the real disk keeps the contract of `core/env/disk.ts` and speaks its errors.
 * Method: the conformance suite in a temporary directory, then what only a real file system can show.
 */
import { linkSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { DiskError } from "../core/env/disk.ts";
import { diskConformance } from "../sim/conformance/disk.ts";
import { HostDisk } from "./disk.ts";

const base = mkdtempSync(join(tmpdir(), "nokv-disk-"));
afterAll(() => rmSync(base, { recursive: true }));

function directory(): string {
  return mkdtempSync(join(base, "case-"));
}

describe("conformance of the real disk", () => {
  diskConformance(
    { test, equal: (actual, expected) => expect(actual).toStrictEqual(expected) },
    () => ({
      disk: new HostDisk(),
      other: new HostDisk(),
      root: directory(),
      pump: () => undefined,
      shared: (sizeBytes) => new Uint8Array(new SharedArrayBuffer(sizeBytes)),
    }),
  );
});

describe("conformance of the real disk without flock", () => {
  diskConformance(
    { test, equal: (actual, expected) => expect(actual).toStrictEqual(expected) },
    () => ({
      disk: new HostDisk({ flock: "no-such-program" }),
      other: new HostDisk({ flock: "no-such-program" }),
      root: directory(),
      pump: () => undefined,
      shared: (sizeBytes) => new Uint8Array(new SharedArrayBuffer(sizeBytes)),
    }),
  );
});

describe("a real file system", () => {
  test("a symbolic link is neither file nor directory, wherever it leads", () => {
    const root = directory();
    symlinkSync(root, join(root, "to-directory"));
    symlinkSync(join(root, "nowhere"), join(root, "to-nothing"));
    const disk = new HostDisk();
    expect(disk.kind(join(root, "to-directory"))).toBe("other");
    expect(disk.kind(join(root, "to-nothing"))).toBe("other");
  });

  test("create does not follow a dangling symbolic link", () => {
    const root = directory();
    symlinkSync(join(root, "target"), join(root, "link"));
    const disk = new HostDisk();
    expect(() => disk.open(join(root, "link"), "create")).toThrow("EEXIST: open");
    expect(disk.kind(join(root, "target"))).toBeNull();
  });

  test("a full device is ENOSPC, with the system's error as cause", () => {
    const file = new HostDisk().open("/dev/full", "write");
    const error = thrownBy(() => file.write(0, new Uint8Array(10), 0, 10));
    file.close();
    expect(error.code).toBe("ENOSPC");
    expect(error.cause).toMatchObject({ code: "ENOSPC" });
  });

  test("an error that the contract does not name is an EIO with its cause", () => {
    const disk = new HostDisk();
    const error = thrownBy(() => disk.open(`/${"n".repeat(300)}`, "read"));
    expect(error.code).toBe("EIO");
    expect(error.cause).toMatchObject({ code: "ENAMETOOLONG" });
  });

  test("a wrong argument is a defect, not an operating error", () => {
    const disk = new HostDisk();
    const file = disk.open(join(directory(), "a"), "create");
    expect(() => file.write(0, new Uint8Array(4), 3, 9)).toThrow("a range lies within its buffer");
    file.close();
    expect(() => file.sizeBytes()).toThrow("a file is open while it is used");
  });

  test("a file of two names is one file", () => {
    const root = directory();
    const disk = new HostDisk();
    const file = disk.open(join(root, "a"), "create");
    linkSync(join(root, "a"), join(root, "b"));
    file.write(0, new Uint8Array(3), 0, 3);
    const other = disk.open(join(root, "b"), "read");
    expect(other.sizeBytes()).toBe(3);
    other.close();
    file.close();
  });
});

function thrownBy(action: () => unknown): DiskError {
  try {
    action();
  } catch (error) {
    if (error instanceof DiskError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
