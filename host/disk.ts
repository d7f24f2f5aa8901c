import * as fs from "node:fs";
import { assert } from "../core/assert.ts";
import type { Disk, DiskFile, DiskLock, OpenMode, PathKind, SyncDone } from "../core/env/disk.ts";
import { DiskError } from "../core/env/disk.ts";
import { toDiskError } from "./disk-error.ts";
import { flockCommand, lockFile, lockFileShared } from "./disk-lock.ts";

const { O_CREAT, O_DIRECTORY, O_EXCL, O_RDONLY, O_RDWR } = fs.constants;

const openFlags: Readonly<Record<OpenMode, number>> = {
  create: O_RDWR | O_CREAT | O_EXCL,
  write: O_RDWR,
  read: O_RDONLY,
};

const fileMode = 0o644;

export interface HostDiskOptions {
  /** The util-linux `flock` program; its absence makes locks fall back to owner files. */
  readonly flock?: string;
}

/** The real file system of a POSIX machine, through `node:fs`. */
export class HostDisk implements Disk {
  readonly #flock: string;

  constructor(options: HostDiskOptions = {}) {
    this.#flock = options.flock ?? flockCommand;
  }

  mkdir(path: string): void {
    try {
      fs.mkdirSync(path);
    } catch (error) {
      throw toDiskError(error, "mkdir", path);
    }
  }

  open(path: string, mode: OpenMode): DiskFile {
    let descriptor: number;
    try {
      descriptor = fs.openSync(path, openFlags[mode], fileMode);
    } catch (error) {
      throw toDiskError(error, "open", path);
    }
    if (mode === "read") refuseDirectory(descriptor, path);
    return new HostFile(path, descriptor, mode !== "read");
  }

  rename(source: string, target: string): void {
    try {
      fs.renameSync(source, target);
    } catch (error) {
      throw toDiskError(error, "rename", source);
    }
  }

  link(source: string, target: string): void {
    try {
      fs.linkSync(source, target);
    } catch (error) {
      throw toDiskError(error, "link", source);
    }
  }

  remove(path: string): void {
    try {
      fs.unlinkSync(path);
    } catch (error) {
      throw toDiskError(error, "remove", path);
    }
  }

  list(dir: string): readonly string[] {
    try {
      return fs.readdirSync(dir).sort();
    } catch (error) {
      throw toDiskError(error, "list", dir);
    }
  }

  kind(path: string): PathKind | null {
    let stats: fs.Stats;
    try {
      stats = fs.lstatSync(path);
    } catch (error) {
      const translated = toDiskError(error, "kind", path);
      if (translated.code === "ENOENT" || translated.code === "ENOTDIR") return null;
      throw translated;
    }
    if (stats.isFile()) return "file";
    return stats.isDirectory() ? "directory" : "other";
  }

  syncDir(dir: string, done: SyncDone): void {
    let descriptor: number;
    try {
      descriptor = fs.openSync(dir, O_RDONLY | O_DIRECTORY);
    } catch (error) {
      throw toDiskError(error, "sync-dir", dir);
    }
    fs.fsync(descriptor, (error) => {
      fs.closeSync(descriptor);
      done(error === null ? null : toDiskError(error, "sync-dir", dir));
    });
  }

  syncDirNow(dir: string): void {
    let descriptor: number;
    try {
      descriptor = fs.openSync(dir, O_RDONLY | O_DIRECTORY);
    } catch (error) {
      throw toDiskError(error, "sync-dir", dir);
    }
    try {
      fs.fsyncSync(descriptor);
    } catch (error) {
      throw toDiskError(error, "sync-dir", dir);
    } finally {
      fs.closeSync(descriptor);
    }
  }

  lock(path: string, owner: string): DiskLock {
    return lockFile(path, owner, this.#flock);
  }

  lockShared(path: string): DiskLock {
    return lockFileShared(path, this.#flock);
  }
}

/** A directory opens for reading; only writing to it is refused by the system. */
function refuseDirectory(descriptor: number, path: string): void {
  try {
    if (!fs.fstatSync(descriptor).isDirectory()) return;
  } catch (error) {
    fs.closeSync(descriptor);
    throw toDiskError(error, "open", path);
  }
  fs.closeSync(descriptor);
  throw new DiskError("EISDIR", "open", path);
}

/** An open file. The descriptor lives until `close` and every sync in flight have ended. */
class HostFile implements DiskFile {
  readonly path: string;
  readonly #descriptor: number;
  readonly #writable: boolean;
  /**
   * For syncs that a thread waits in. The system tells an error of writing back once per open file: on the same
   * one, a sync in flight and `syncNow` would take it from each other. -1: not needed yet.
   */
  #background = -1;
  #open = true;
  #syncsInFlight = 0;

  constructor(path: string, descriptor: number, writable: boolean) {
    this.path = path;
    this.#descriptor = descriptor;
    this.#writable = writable;
  }

  sizeBytes(): number {
    assert(this.#open, "a file is open while it is used");
    try {
      return fs.fstatSync(this.#descriptor).size;
    } catch (error) {
      throw toDiskError(error, "size", this.path);
    }
  }

  read(position: number, target: Uint8Array, start: number, end: number): number {
    assert(this.#open, "a file is open while it is used");
    assert(start >= 0 && start <= end && end <= target.length, "a range lies within its buffer");
    // Node refuses a buffer of no bytes, and the system would not say more than this.
    if (start === end) return 0;
    try {
      return fs.readSync(this.#descriptor, target, start, end - start, position);
    } catch (error) {
      throw toDiskError(error, "read", this.path);
    }
  }

  write(position: number, source: Uint8Array, start: number, end: number): number {
    assert(this.#open && this.#writable, "a file is open for writing while it is written");
    assert(start >= 0 && start <= end && end <= source.length, "a range lies within its buffer");
    if (start === end) return 0;
    try {
      return fs.writeSync(this.#descriptor, source, start, end - start, position);
    } catch (error) {
      throw toDiskError(error, "write", this.path);
    }
  }

  truncate(sizeBytes: number): void {
    assert(this.#open && this.#writable, "a file is open for writing while it is truncated");
    assert(Number.isSafeInteger(sizeBytes) && sizeBytes >= 0, "a size is a whole number of bytes");
    try {
      fs.ftruncateSync(this.#descriptor, sizeBytes);
    } catch (error) {
      throw toDiskError(error, "truncate", this.path);
    }
  }

  sync(done: SyncDone): void {
    assert(this.#open, "a file is open while it is synced");
    if (this.#background < 0) this.#background = this.#openAgain();
    this.#syncsInFlight++;
    // fdatasync covers the size as far as reading the data needs it, and spares the journal the time stamps.
    fs.fdatasync(this.#background, (error) => {
      this.#syncsInFlight--;
      if (!this.#open && this.#syncsInFlight === 0) this.#closeDescriptors();
      done(error === null ? null : toDiskError(error, "sync", this.path));
    });
  }

  syncNow(): void {
    assert(this.#open, "a file is open while it is synced");
    try {
      fs.fdatasyncSync(this.#descriptor);
    } catch (error) {
      throw toDiskError(error, "sync", this.path);
    }
  }

  close(): void {
    assert(this.#open, "a file is closed once");
    this.#open = false;
    // Closed under a sync in flight, the number could by then name another file.
    if (this.#syncsInFlight > 0) return;
    try {
      this.#closeDescriptors();
    } catch (error) {
      throw toDiskError(error, "close", this.path);
    }
  }

  /** The same inode, whatever its name is by now. Where that is not offered, there is one open file for both. */
  #openAgain(): number {
    try {
      return fs.openSync(`/proc/self/fd/${this.#descriptor}`, this.#writable ? O_RDWR : O_RDONLY);
    } catch {
      return this.#descriptor;
    }
  }

  #closeDescriptors(): void {
    if (this.#background >= 0 && this.#background !== this.#descriptor) fs.closeSync(this.#background);
    fs.closeSync(this.#descriptor);
  }
}
