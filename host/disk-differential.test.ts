/**
 * Goal: the simulated disk allows exactly what the real one does as long as no fault is injected.
 * Method: the same random operations on both, every result and every final content compared.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { DiskError } from "../core/env/disk.ts";
import type { Disk, DiskFile, DiskLock, SyncDone } from "../core/env/disk.ts";
import { rig } from "../sim/disk/manual-world.ts";
import { HostDisk } from "./disk.ts";

const base = mkdtempSync(join(tmpdir(), "nokv-differential-"));
afterAll(() => rmSync(base, { recursive: true }));

/** Few names, nested, so that operations meet. */
const path = fc.constantFrom("/a", "/b", "/d", "/d/a", "/d/e", "/d/e/a", "/a/x", "/nowhere/a");
const mode = fc.constantFrom("create" as const, "write" as const, "read" as const);
const handle = fc.nat(3);

const operation = fc.oneof(
  fc.record({ kind: fc.constant("open" as const), path, mode, handle }),
  fc.record({ kind: fc.constant("write" as const), handle, at: fc.nat(6_000), length: fc.nat(3_000) }),
  fc.record({ kind: fc.constant("read" as const), handle, at: fc.nat(9_000), length: fc.nat(5_000) }),
  fc.record({ kind: fc.constant("truncate" as const), handle, at: fc.nat(9_000) }),
  fc.record({ kind: fc.constant("size" as const), handle }),
  fc.record({ kind: fc.constant("sync" as const), handle }),
  fc.record({ kind: fc.constant("close" as const), handle }),
  fc.record({ kind: fc.constant("mkdir" as const), path }),
  fc.record({ kind: fc.constant("rename" as const), path, target: path }),
  fc.record({ kind: fc.constant("link" as const), path, target: path }),
  fc.record({ kind: fc.constant("remove" as const), path }),
  fc.record({ kind: fc.constant("list" as const), path }),
  fc.record({ kind: fc.constant("kind" as const), path }),
  fc.record({ kind: fc.constant("sync-dir" as const), path }),
);
type Operation = typeof operation extends fc.Arbitrary<infer Value> ? Value : never;

/** Runs operations on one disk and says what each gave. */
class Runner {
  readonly #disk: Disk;
  readonly #root: string;
  readonly #files = new Map<number, { file: DiskFile; writable: boolean }>();
  readonly #syncs: Promise<DiskError | null>[] = [];

  constructor(disk: Disk, root: string) {
    this.#disk = disk;
    this.#root = root;
  }

  run(step: Operation, index: number): unknown {
    try {
      return "handle" in step ? this.#onFile(step, index) : this.#onPath(step);
    } catch (error) {
      if (error instanceof DiskError) return error.code;
      throw error;
    }
  }

  async end(): Promise<unknown> {
    const syncs = await Promise.all(this.#syncs);
    for (const { file } of this.#files.values()) file.close();
    return [syncs, this.#tree("")];
  }

  #onFile(step: Extract<Operation, { handle: number }>, index: number): unknown {
    const open = this.#files.get(step.handle);
    if (step.kind === "open") {
      if (open !== undefined) return "in use";
      const file = this.#disk.open(this.#root + step.path, step.mode);
      this.#files.set(step.handle, { file, writable: step.mode !== "read" });
      return "opened";
    }
    if (open === undefined) return "not open";
    const { file, writable } = open;
    switch (step.kind) {
      case "size":
        return file.sizeBytes();
      case "sync":
        return this.#start((done) => file.sync(done));
      case "close":
        this.#files.delete(step.handle);
        return file.close();
      case "truncate":
        return writable ? file.truncate(step.at) : "read only";
      case "read": {
        const bytes = new Uint8Array(step.length);
        return [file.read(step.at, bytes, 0, step.length), bytes];
      }
      case "write": {
        const bytes = new Uint8Array(step.length).fill((index % 255) + 1);
        return writable ? file.write(step.at, bytes, 0, step.length) : "read only";
      }
    }
  }

  #start(begin: (done: SyncDone) => void): string {
    let done: SyncDone = () => undefined;
    const sync = new Promise<DiskError | null>((resolve) => {
      done = resolve;
    });
    begin(done);
    this.#syncs.push(sync);
    return "syncing";
  }

  #onPath(step: Exclude<Operation, { handle: number }>): unknown {
    const at = this.#root + step.path;
    switch (step.kind) {
      case "mkdir":
        return this.#disk.mkdir(at);
      case "rename":
        return this.#disk.rename(at, this.#root + step.target);
      case "remove":
        return this.#disk.remove(at);
      case "link":
        return this.#disk.link(at, this.#root + step.target);
      case "list":
        return this.#disk.list(at);
      case "kind":
        return this.#disk.kind(at);
      case "sync-dir":
        return this.#start((done) => this.#disk.syncDir(at, done));
    }
  }

  #tree(below: string): unknown {
    return this.#disk.list(this.#root + below).map((name) => {
      const at = `${below}/${name}`;
      if (this.#disk.kind(this.#root + at) === "directory") return [name, this.#tree(at)];
      const file = this.#disk.open(this.#root + at, "read");
      const bytes = new Uint8Array(file.sizeBytes());
      if (bytes.length > 0) file.read(0, bytes, 0, bytes.length);
      file.close();
      return [name, bytes];
    });
  }
}

describe("the simulated and the real disk", () => {
  test("give the same results for the same operations", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 60, size: "max" }), async (steps) => {
        const simulated = rig({});
        simulated.view.mkdir("/root");
        const real = new Runner(new HostDisk(), mkdtempSync(join(base, "run-")));
        const twin = new Runner(simulated.view, "/root");
        twin.run({ kind: "mkdir", path: "/d" }, 0);
        real.run({ kind: "mkdir", path: "/d" }, 0);
        steps.forEach((step, index) => {
          expect([step, twin.run(step, index)]).toStrictEqual([step, real.run(step, index)]);
        });
        simulated.world.pump();
        expect(await twin.end()).toStrictEqual(await real.end());
      }),
      { numRuns: 300 },
    );
  });

  test("hand a lock over alike", () => {
    const simulated = rig({});
    const disks: [Disk, string][] = [
      [simulated.view, ""],
      [new HostDisk(), mkdtempSync(join(base, "lock-"))],
    ];
    const stories = disks.map(([disk, root]) => {
      const story: string[] = [];
      const held: DiskLock[] = [];
      for (const action of ["lock", "lock", "release", "lock", "release"]) {
        try {
          if (action === "lock") held.push(disk.lock(`${root}/LOCK`, `owner ${story.length}`));
          else held.pop()?.release();
          story.push(action);
        } catch (error) {
          if (!(error instanceof DiskError)) throw error;
          story.push(`${error.code} ${error.holder}`);
        }
      }
      return story;
    });
    expect(stories[0]).toStrictEqual(stories[1]);
    expect(stories[0]).toStrictEqual(["lock", "ELOCKED owner 0", "release", "lock", "release"]);
  });
});
