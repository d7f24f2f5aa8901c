import { type Disk, DiskError, type DiskFile, type SyncDone } from "../env/disk.ts";

/*
 * A disk may refuse even to begin. Then `done` hears of it inside the call, and only then: a refusal and a
 * failure are the same to whoever waits for durability.
 */

/** A sync that the caller waits for: how it ended. */
export function syncNow(file: DiskFile): DiskError | null {
  try {
    file.syncNow();
    return null;
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return error;
  }
}

/** The same of the entries of a directory. */
export function syncDirNow(disk: Disk, directory: string): DiskError | null {
  try {
    disk.syncDirNow(directory);
    return null;
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return error;
  }
}

export function startSync(file: DiskFile, done: SyncDone): void {
  try {
    file.sync(done);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    done(error);
  }
}

export function startSyncDir(disk: Disk, directory: string, done: SyncDone): void {
  try {
    disk.syncDir(directory, done);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    done(error);
  }
}
