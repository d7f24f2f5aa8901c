import type { Disk, DiskError, SyncDone } from "../env/disk.ts";
import { syncDirNow } from "./start-sync.ts";
import { SyncDesk } from "./sync-desk.ts";

/**
 * The only way a database makes entries of its directory durable, one sync at a time. While one is in flight,
 * requests gather, and the next one serves them all.
 *
 * One at a time because a sync that fails takes down entries of everybody: if another one, in flight beside
 * it, then succeeded, its caller would trust an entry that is gone. After a failure every request fails.
 */
export class DirectorySync {
  readonly path: string;
  /** Of the directory, and of the files in it that others give there. */
  readonly syncs = new SyncDesk();
  readonly #disk: Disk;
  #running: SyncDone[] = [];
  #gathering: SyncDone[] = [];
  #failure: DiskError | null = null;

  constructor(disk: Disk, path: string) {
    this.#disk = disk;
    this.path = path;
  }

  /**
   * `done`, possibly inside the call, once every change before the call is durable. EMFILE: nothing was
   * tried.
   */
  sync(done: SyncDone): void {
    if (this.#failure !== null) return done(this.#failure);
    this.#gathering.push(done);
    if (this.#running.length === 0) this.#start();
  }

  /**
   * The same while the caller waits. One may be in flight: should that one fail later, what it covered beside
   * this one is durable all the same, and everybody hears of the failure.
   */
  syncNow(): DiskError | null {
    if (this.#failure !== null) return this.#failure;
    const error = syncDirNow(this.#disk, this.path);
    if (error !== null && error.code !== "EMFILE") this.#failure = error;
    return error;
  }

  #start(): void {
    this.#running = this.#gathering;
    this.#gathering = [];
    this.syncs.directory(this.#disk, this.path, (error) => this.#ended(error));
  }

  #ended(error: DiskError | null): void {
    const told = this.#running;
    this.#running = [];
    if (error !== null && error.code !== "EMFILE") {
      this.#failure = error;
      told.push(...this.#gathering.splice(0));
    }
    for (const done of told) done(error);
    if (this.#gathering.length > 0 && this.#running.length === 0) this.#start();
  }
}
