import { assert } from "../assert.ts";
import { DiskError } from "../env/disk.ts";
import type { Env } from "../env/env.ts";
import { NokvError } from "../errors.ts";
import type { OpenTables, TablePool } from "../lsm/open-tables.ts";
import type { RemoveJob, RemoveResult } from "../lsm/remove-job.ts";
import { type TableMeta, tablePath } from "../lsm/table-meta.ts";
import type { Version } from "../lsm/version.ts";
import type { ManifestChange, ManifestWriter } from "../manifest/writer.ts";
import { type ValueFileMeta, valueFilePath } from "../vlog/value-file.ts";
import type { ValueFiles } from "../vlog/value-files.ts";
import type { DirectorySync } from "../wal/directory-sync.ts";
import { poisoned, refusal } from "./failure.ts";

/** How a change ended. `refused`: nothing happened and it may be tried again. `poisoned`: nobody knows. */
export type ChangeOutcome =
  | { readonly kind: "done" }
  | { readonly kind: "refused"; readonly error: NokvError }
  | { readonly kind: "poisoned"; readonly error: NokvError };

export type ChangeDone = (outcome: ChangeOutcome) => void;

/** The tables of one moment, and their files. */
export interface HeldTables {
  readonly version: Version;
  /** `done` when files that went out of use meanwhile are removed. */
  release(done: () => void): void;
}

interface Change {
  readonly manifest: ManifestChange;
  readonly done: ChangeDone;
}

/**
 * The tables that reads see, and the only way to change them: open what is new, make its name durable, make
 * the manifest say so, then let reads see it. One change at a time, in the order of the calls.
 */
export class TableSet {
  readonly #env: Env;
  readonly #directory: DirectorySync;
  readonly #pool: TablePool;
  readonly #manifest: ManifestWriter;
  readonly #failed: (error: DiskError) => void;
  readonly #queue: Change[] = [];
  #busy = false;
  #current: OpenTables;
  /** Tables of which somebody needs the file, by number, and by how many. */
  readonly #heldFiles = new Map<number, number>();
  /** Out of use, and held. */
  #retireLater: TableMeta[] = [];
  removeFailures = 0;

  /** `failed` hears that the directory can not be trusted any more. */
  // oxlint-disable-next-line max-params
  constructor(
    env: Env,
    directory: DirectorySync,
    manifest: ManifestWriter,
    pool: TablePool,
    current: OpenTables,
    failed: (error: DiskError) => void,
  ) {
    this.#env = env;
    this.#directory = directory;
    this.#manifest = manifest;
    this.#pool = pool;
    this.#current = current;
    this.#failed = failed;
  }

  /** What reads see now. Retain it to keep it for longer than this turn. */
  get current(): OpenTables {
    return this.#current;
  }

  get level0Count(): number {
    return this.#current.version.level(0).length;
  }

  /** What tables point into. */
  get values(): ValueFiles {
    return this.#pool.values;
  }

  get openCount(): number {
    return this.#pool.openCount;
  }

  /** What reads see now, for jobs that open tables by their names. */
  hold(): HeldTables {
    const tables = this.#current.retain();
    const { version } = tables;
    for (const { number } of version.tables()) this.#heldFiles.set(number, (this.#heldFiles.get(number) ?? 0) + 1);
    return { version, release: (done) => this.#letGo(tables, done) };
  }

  change(manifest: ManifestChange, done: ChangeDone): void {
    this.#queue.push({ manifest, done });
    this.#pump();
  }

  /** No table is read any more. */
  close(): void {
    this.#current.release();
  }

  #letGo(tables: OpenTables, done: () => void): void {
    for (const { number } of tables.version.tables()) {
      const holders = (this.#heldFiles.get(number) ?? 0) - 1;
      assert(holders >= 0, "files are let go as often as they are held");
      if (holders > 0) this.#heldFiles.set(number, holders);
      else this.#heldFiles.delete(number);
    }
    tables.release();
    const due = this.#retireLater.filter(({ number }) => !this.#heldFiles.has(number));
    this.#retireLater = this.#retireLater.filter(({ number }) => this.#heldFiles.has(number));
    if (due.length === 0) done();
    else this.retire(due, done);
  }

  #pump(): void {
    if (this.#busy) return;
    const change = this.#queue.shift();
    if (change === undefined) return;
    this.#busy = true;
    this.#start(change);
  }

  #start(change: Change): void {
    const added = change.manifest.added ?? [];
    const removed = change.manifest.removed ?? [];
    const valuesAdded = change.manifest.valuesAdded ?? [];
    let next: OpenTables;
    try {
      // Before the manifest names them: a new table that can not be opened must not replace its inputs.
      next = this.#pool.retain(this.#current.version.apply({ added, removed, valuesAdded }));
    } catch (error) {
      if (error instanceof NokvError) return this.#finish(change, { kind: "refused", error });
      if (!(error instanceof DiskError)) throw error;
      return this.#finish(change, { kind: "refused", error: refusal(error, "opening a new table failed") });
    }
    if (added.length === 0) return this.#write(change, next);
    // The contents are durable; without this sync the names are not, and a crash loses what the manifest
    // names.
    this.#directory.sync((error) => {
      if (error === null) return this.#write(change, next);
      next.release();
      if (error.code === "EMFILE") {
        const refused = refusal(error, "syncing the directory failed");
        return this.#finish(change, { kind: "refused", error: refused });
      }
      this.#failed(error);
      this.#finish(change, { kind: "poisoned", error: poisoned(error) });
    });
  }

  #write(change: Change, next: OpenTables): void {
    const before = this.#current;
    const kept = new Set(next.version.valueFiles().map((file) => file.number));
    const unused = before.version.valueFiles().filter((file) => !kept.has(file.number));
    const manifest = { ...change.manifest, valuesRemoved: unused.map((file) => file.number) };
    // Durable before reads see it, and before anything is removed: without that a crash loses the inputs.
    this.#manifest.append(manifest, (error) => {
      if (error !== null) {
        next.release();
        return this.#finish(change, { kind: "poisoned", error: poisoned(error) });
      }
      this.#current = next;
      // Iterators may still hold the version before, and with it these files.
      for (const file of unused) this.values.doom(file);
      before.release();
      this.#finish(change, { kind: "done" });
    });
  }

  #finish(change: Change, outcome: ChangeOutcome): void {
    assert(this.#busy, "a change that ends was under way");
    this.#busy = false;
    change.done(outcome);
    this.#pump();
  }

  /**
   * Removes tables that a durable manifest no longer names, by a job. Readers that still hold one keep their open
   * file, and with it the bytes; the next opening removes what could not be removed now. What is held goes later.
   */
  retire(tables: readonly TableMeta[], done: () => void): void {
    const free = tables.filter(({ number }) => !this.#heldFiles.has(number));
    this.#retireLater.push(...tables.filter(({ number }) => this.#heldFiles.has(number)));
    if (free.length === 0) return done();
    const paths = free.map((table) => tablePath(this.#directory.path, table.number));
    this.#env.jobs.run({ kind: "remove", paths } as RemoveJob, (error, result) => {
      // A defect is not for callers: it ends the program.
      if (error !== null && !(error instanceof DiskError)) throw error;
      this.removeFailures += result === null ? paths.length : (result as RemoveResult).failures;
      done();
    });
  }

  /** Removes tables that no manifest ever named. */
  removeFiles(tables: readonly TableMeta[]): void {
    for (const table of tables) this.#remove(tablePath(this.#directory.path, table.number));
  }

  /** Removes value files that a refused change would have brought into use; a kept segment is still the log. */
  removeValues(files: readonly ValueFileMeta[]): void {
    for (const file of files) {
      if (file.kind === "values") this.#remove(valueFilePath(this.#directory.path, file));
    }
  }

  #remove(path: string): void {
    try {
      this.#env.disk.remove(path);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.removeFailures++;
    }
  }
}
