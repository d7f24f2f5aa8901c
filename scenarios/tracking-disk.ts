import type { Disk, DiskFile, DiskLock, OpenMode, PathKind, SyncDone } from "../core/env/disk.ts";
import type { Env } from "../core/env/env.ts";

/** Bytes that are wrong, and what they should be. Of equal length. */
export interface Watched {
  readonly path: string;
  readonly offset: number;
  readonly right: Uint8Array;
  readonly wrong: Uint8Array;
}

/** Notes which wrong bytes a node has been given: what it never saw it need not have noticed. */
export class ReadTracker {
  readonly #watched: Watched[] = [];
  readonly #seen = new Set<Watched>();

  /** `env` with a disk whose reads are noted. Jobs have a view of their own, which is not. */
  attach(env: Env): Env {
    const { clock, network, random, jobs, failpoints, trace } = env;
    const disk = new TrackingDisk(env.disk, (read) => this.#note(read));
    return { clock, disk, network, random, jobs, failpoints, trace };
  }

  watch(damage: Watched): void {
    this.#watched.push(damage);
  }

  /** Did a read return bytes of `damage`? A file that was replaced since has neither the right nor the wrong ones. */
  saw(damage: Watched): boolean {
    return this.#seen.has(damage);
  }

  #note({ path, position, bytes }: Read): void {
    for (const damage of this.#watched) {
      if (damage.path !== path) continue;
      const { offset, right, wrong } = damage;
      const from = Math.max(position, offset);
      const to = Math.min(position + bytes.length, offset + right.length);
      let differs = false;
      let matches = true;
      for (let at = from; at < to && matches; at++) {
        matches = bytes[at - position] === wrong[at - offset];
        if (wrong[at - offset] !== right[at - offset]) differs = true;
      }
      if (matches && differs) this.#seen.add(damage);
    }
  }
}

interface Read {
  readonly path: string;
  readonly position: number;
  /** What was read; valid during the call only. */
  readonly bytes: Uint8Array;
}

class TrackingDisk implements Disk {
  readonly #disk: Disk;
  readonly #note: (read: Read) => void;

  constructor(disk: Disk, note: (read: Read) => void) {
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

  link(source: string, target: string): void {
    this.#disk.link(source, target);
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

  syncDirNow(dir: string): void {
    this.#disk.syncDirNow(dir);
  }

  lock(path: string, owner: string): DiskLock {
    return this.#disk.lock(path, owner);
  }

  lockShared(path: string): DiskLock {
    return this.#disk.lockShared(path);
  }
}

class TrackingFile implements DiskFile {
  readonly path: string;
  readonly #file: DiskFile;
  readonly #note: (read: Read) => void;

  constructor(file: DiskFile, note: (read: Read) => void) {
    this.path = file.path;
    this.#file = file;
    this.#note = note;
  }

  sizeBytes(): number {
    return this.#file.sizeBytes();
  }

  read(position: number, target: Uint8Array, start: number, end: number): number {
    const count = this.#file.read(position, target, start, end);
    this.#note({ path: this.path, position, bytes: target.subarray(start, start + count) });
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

  syncNow(): void {
    this.#file.syncNow();
  }

  close(): void {
    this.#file.close();
  }
}
