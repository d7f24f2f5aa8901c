// Goal: entries are trusted only after a sync of their own, and after a failure nothing is trusted any more.
import { describe, expect, test } from "vitest";
import { DiskError, type Disk, type SyncDone } from "../env/disk.ts";
import { DirectorySync } from "./directory-sync.ts";

/** Completions by hand. */
class Syncs {
  readonly pending: SyncDone[] = [];
  refusal: DiskError | null = null;
  readonly sync = new DirectorySync(
    {
      syncDir: (_dir: string, done: SyncDone) => {
        if (this.refusal !== null) throw this.refusal;
        this.pending.push(done);
      },
    } as unknown as Disk,
    "/db",
  );
  readonly told: string[] = [];

  request(name: string): void {
    this.sync.sync((error) => this.told.push(`${name} ${error?.code ?? "done"}`));
  }

  complete(error: DiskError | null): void {
    this.pending.shift()?.(error);
  }
}

const eio = new DiskError("EIO", "syncDir", "/db");

describe("directory sync", () => {
  test("requests during a sync are served by the next one, together", () => {
    const syncs = new Syncs();
    syncs.request("a");
    syncs.request("b");
    syncs.request("c");
    expect(syncs.pending.length).toBe(1);
    syncs.complete(null);
    expect(syncs.told).toEqual(["a done"]);
    expect(syncs.pending.length).toBe(1);
    syncs.complete(null);
    expect(syncs.told).toEqual(["a done", "b done", "c done"]);
    expect(syncs.pending.length).toBe(0);
  });

  test("a failure fails those who gathered, and everybody afterwards", () => {
    const syncs = new Syncs();
    syncs.request("a");
    syncs.request("b");
    syncs.complete(eio);
    syncs.request("c");
    expect(syncs.told).toEqual(["a EIO", "b EIO", "c EIO"]);
    expect(syncs.pending.length).toBe(0);
  });

  test("a full table of files fails one request and nothing else", () => {
    const syncs = new Syncs();
    syncs.refusal = new DiskError("EMFILE", "syncDir", "/db");
    syncs.request("a");
    syncs.refusal = null;
    syncs.request("b");
    syncs.complete(null);
    expect(syncs.told).toEqual(["a EMFILE", "b done"]);
  });

  test("whoever is told may ask again", () => {
    const syncs = new Syncs();
    syncs.sync.sync(() => syncs.request("again"));
    syncs.complete(null);
    syncs.complete(null);
    expect(syncs.told).toEqual(["again done"]);
  });
});
