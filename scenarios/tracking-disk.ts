import type { Disk, DiskFile, DiskLock, OpenMode, PathKind, SyncDone } from "../core/env/disk.ts";
import type { Env } from "../core/env/env.ts";

interface ReadRange {
  readonly path: string;
  readonly from: number;
  readonly to: number;
}

/** Which bytes of which files a node has read: what it never looked at it need not have noticed. */
export class ReadTracker {
  #ranges: ReadRange[] = [];

  /** `env` with a disk whose reads are noted. Jobs have a view of their own, which is not. */
  attach(env: Env): Env {
    const { clock, network, random, jobs, failpoints, trace } = env;
    const disk = new TrackingDisk(env.disk, (range) => this.#ranges.push(range));
    return { clock, disk, network, random, jobs, failpoints, trace };
  }

  forget(): void {
    this.#ranges = [];
  }

  /** Was any byte of `[offset, offset + length)` of `path` read since `forget`? */
  touched(path: string, offset: number, length: number): boolean {
    return this.#ranges.some((range) => {
      return range.path === path && range.from < offset + length && offset < range.to;
    });
  }
}

class TrackingDisk implements Disk {
  readonly #disk: Disk;
  readonly #note: (range: ReadRange) => void;

  constructor(disk: Disk, note: (range: ReadRange) => void) {
    this.#disk = disk;
    this.#note = note;
  }

  mkdir(path: string): void {
    this.#disk.mkdir(path);
  }

  open(path: string, mode: OpenMode): DiskFile {
    return new TrackingFile(this.#disk.open(path, mode), this.#note);
  }

  rename(source: string, target: string): void {
    this.#disk.rename(source, target);
  }

  remove(path: string): void {
    this.#disk.remove(path);
  }

  list(dir: string): readonly string[] {
    return this.#disk.list(dir);
  }

  kind(path: string): PathKind | null {
    return this.#disk.kind(path);
  }

  syncDir(dir: string, done: SyncDone): void {
    this.#disk.syncDir(dir, done);
  }

  lock(path: string, owner: string): DiskLock {
    return this.#disk.lock(path, owner);
  }
}

class TrackingFile implements DiskFile {
  readonly path: string;
  readonly #file: DiskFile;
  readonly #note: (range: ReadRange) => void;

  constructor(file: DiskFile, note: (range: ReadRange) => void) {
    this.path = file.path;
    this.#file = file;
    this.#note = note;
  }

  sizeBytes(): number {
    return this.#file.sizeBytes();
  }

  read(position: number, target: Uint8Array, start: number, end: number): number {
    const count = this.#file.read(position, target, start, end);
    this.#note({ path: this.path, from: position, to: position + count });
    return count;
  }

  write(position: number, source: Uint8Array, start: number, end: number): number {
    return this.#file.write(position, source, start, end);
  }

  truncate(sizeBytes: number): void {
    this.#file.truncate(sizeBytes);
  }

  sync(done: SyncDone): void {
    this.#file.sync(done);
  }

  close(): void {
    this.#file.close();
  }
}
