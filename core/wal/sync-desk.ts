import type { Disk, DiskError, DiskFile, SyncDone } from "../env/disk.ts";
import { startSync, startSyncDir, syncDirNow, syncNow } from "./start-sync.ts";

interface OpenSync {
  readonly now: () => DiskError | null;
  readonly done: SyncDone;
  told: boolean;
}

/** Syncs in flight that nobody waits for, until somebody has to: then they are done over, at once. */
export class SyncDesk {
  #open: OpenSync[] = [];

  /** `done`, possibly inside the call, when the file is durable. */
  file(file: DiskFile, done: SyncDone): void {
    const open = { now: () => syncNow(file), done, told: false };
    this.#open.push(open);
    startSync(file, (error) => this.#ended(open, error));
  }

  /** The same of the entries of a directory. */
  directory(disk: Disk, path: string, done: SyncDone): void {
    const open = { now: () => syncDirNow(disk, path), done, told: false };
    this.#open.push(open);
    startSyncDir(disk, path, (error) => this.#ended(open, error));
  }

  /**
   * What is in flight is durable, or has failed, and whoever waits for it was told when this returns: a sync that
   * the caller waits for does not miss the failure of one in flight, whose own end means nothing then. False:
   * nothing was in flight.
   */
  finishNow(): boolean {
    const open = this.#open;
    this.#open = [];
    for (const one of open) if (!one.told) this.#tell(one, one.now());
    return open.length > 0;
  }

  #ended(open: OpenSync, error: DiskError | null): void {
    const at = this.#open.indexOf(open);
    if (at >= 0) this.#open.splice(at, 1);
    if (!open.told) this.#tell(open, error);
  }

  #tell(open: OpenSync, error: DiskError | null): void {
    open.told = true;
    open.done(error);
  }
}
