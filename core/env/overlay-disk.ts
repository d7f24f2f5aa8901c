import { assert } from "../assert.ts";
import type { Clock } from "./clock.ts";
import { DiskError } from "./disk.ts";
import type { Disk, DiskFile, DiskLock, OpenMode, PathKind, SyncDone } from "./disk.ts";

const imageBytesMin = 4096;

/**
 * A disk on which everything can be done and nothing happens: reads meet `base`, changes stay in memory. `base` is
 * only ever asked to read, to list, and to lock shared. What a recovery would do to a directory can be seen this way
 * without doing it. Nothing is durable, and a sync says so to nobody: it completes without error.
 *
 * Directories are neither made nor renamed, and files that were opened by name in `base` and are then written to
 * are refused with EROFS: no recovery writes to a file that it did not create.
 */
export class OverlayDisk implements Disk {
  readonly #base: Disk;
  readonly #clock: Clock;
  /** By path: what stands there instead of what `base` has. Null: nothing. */
  readonly #changed = new Map<string, Entry | null>();

  constructor(base: Disk, clock: Clock) {
    this.#base = base;
    this.#clock = clock;
  }

  mkdir(path: string): void {
    throw new DiskError("EROFS", "mkdir", path);
  }

  open(path: string, mode: OpenMode): DiskFile {
    const entry = this.#find(path);
    if (mode === "create") {
      if (entry !== null) throw new DiskError("EEXIST", "open", path);
      const image = new MemoryImage();
      this.#changed.set(path, image);
      return new MemoryFile(path, image, this.#clock);
    }
    if (entry === null) throw new DiskError("ENOENT", "open", path);
    if (entry instanceof MemoryImage) return new MemoryFile(path, entry, this.#clock);
    if (mode === "write") throw new DiskError("EROFS", "open", path);
    return this.#base.open(entry.path, "read");
  }

  rename(source: string, target: string): void {
    const entry = this.#find(source);
    if (entry === null) throw new DiskError("ENOENT", "rename", source);
    this.#changed.set(target, entry);
    if (source !== target) this.#changed.set(source, null);
  }

  link(source: string, target: string): void {
    const entry = this.#find(source);
    if (entry === null) throw new DiskError("ENOENT", "link", source);
    if (this.#find(target) !== null) throw new DiskError("EEXIST", "link", target);
    this.#changed.set(target, entry);
  }

  remove(path: string): void {
    if (this.#find(path) === null) throw new DiskError("ENOENT", "remove", path);
    this.#changed.set(path, null);
  }

  list(dir: string): readonly string[] {
    const names = new Set(this.#base.list(dir));
    for (const [path, entry] of this.#changed) {
      const slash = path.lastIndexOf("/");
      if (path.slice(0, slash) !== dir) continue;
      if (entry === null) names.delete(path.slice(slash + 1));
      else names.add(path.slice(slash + 1));
    }
    return [...names].sort();
  }

  kind(path: string): PathKind | null {
    const entry = this.#changed.get(path);
    if (entry === undefined) return this.#base.kind(path);
    if (entry === null) return null;
    return entry instanceof MemoryImage ? "file" : this.#base.kind(entry.path);
  }

  syncDir(_dir: string, done: SyncDone): void {
    this.#clock.soon(() => done(null));
  }

  syncDirNow(_dir: string): void {}

  lock(path: string): DiskLock {
    return this.#base.lockShared(path);
  }

  lockShared(path: string): DiskLock {
    return this.#base.lockShared(path);
  }

  #find(path: string): Entry | null {
    const entry = this.#changed.get(path);
    if (entry !== undefined) return entry;
    return this.#base.kind(path) === null ? null : { path };
  }
}

/** Bytes in memory, or a file of the base under the name it has there. */
type Entry = MemoryImage | { readonly path: string };

class MemoryImage {
  bytes: Uint8Array = new Uint8Array(0);
  sizeBytes = 0;

  resize(sizeBytes: number): void {
    if (sizeBytes > this.bytes.length) {
      const larger = new Uint8Array(Math.max(sizeBytes, 2 * this.bytes.length, imageBytesMin));
      larger.set(this.bytes.subarray(0, this.sizeBytes));
      this.bytes = larger;
    }
    if (sizeBytes < this.sizeBytes) this.bytes.fill(0, sizeBytes, this.sizeBytes);
    this.sizeBytes = sizeBytes;
  }
}

class MemoryFile implements DiskFile {
  readonly path: string;
  readonly #image: MemoryImage;
  readonly #clock: Clock;

  constructor(path: string, image: MemoryImage, clock: Clock) {
    this.path = path;
    this.#image = image;
    this.#clock = clock;
  }

  sizeBytes(): number {
    return this.#image.sizeBytes;
  }

  read(position: number, target: Uint8Array, start: number, end: number): number {
    const { bytes, sizeBytes } = this.#image;
    const count = Math.max(0, Math.min(end - start, sizeBytes - position));
    target.set(bytes.subarray(position, position + count), start);
    return count;
  }

  write(position: number, source: Uint8Array, start: number, end: number): number {
    assert(start < end, "a write has bytes");
    const image = this.#image;
    image.resize(Math.max(image.sizeBytes, position + end - start));
    image.bytes.set(source.subarray(start, end), position);
    return end - start;
  }

  truncate(sizeBytes: number): void {
    this.#image.resize(sizeBytes);
  }

  sync(done: SyncDone): void {
    this.#clock.soon(() => done(null));
  }

  syncNow(): void {}

  close(): void {}
}
