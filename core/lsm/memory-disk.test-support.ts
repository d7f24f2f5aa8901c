/**
 * A disk for tests of this directory: files in memory, completions on demand, failures on demand. It has no
 * crash model; that is the simulator's.
 */
import { DiskError } from "../env/disk.ts";
import type { Disk, DiskErrorCode, DiskFile, DiskLock, OpenMode, PathKind, SyncDone } from "../env/disk.ts";

export class MemoryDisk implements Disk {
  readonly files = new Map<string, MemoryContent>();
  /** At most so many bytes per read or write. */
  transferBytesMax = Number.MAX_SAFE_INTEGER;
  /**
   * Counts down with every open, read, write, remove and sync; the call that finds 0 fails with `failCode`.
   */
  failAfter = -1;
  failCode: DiskErrorCode = "EIO";
  /** Called with the bytes of every read: may damage them in flight. */
  onRead: ((path: string, position: number, filled: Uint8Array) => void) | null = null;
  openCount = 0;
  readCount = 0;
  readonly #completions: (() => void)[] = [];

  mkdir(): void {}

  open(path: string, mode: OpenMode): DiskFile {
    this.check("open", path);
    const existing = this.files.get(path);
    if (mode === "create") {
      if (existing !== undefined) throw new DiskError("EEXIST", "open", path);
      const content = new MemoryContent();
      this.files.set(path, content);
      return new MemoryFile(this, path, content);
    }
    if (existing === undefined) throw new DiskError("ENOENT", "open", path);
    return new MemoryFile(this, path, existing);
  }

  rename(source: string, target: string): void {
    const content = this.files.get(source);
    if (content === undefined) throw new DiskError("ENOENT", "rename", source);
    this.files.delete(source);
    this.files.set(target, content);
  }

  link(source: string, target: string): void {
    const content = this.files.get(source);
    if (content === undefined) throw new DiskError("ENOENT", "link", source);
    if (this.files.has(target)) throw new DiskError("EEXIST", "link", source);
    this.files.set(target, content);
  }

  remove(path: string): void {
    this.check("remove", path);
    if (!this.files.delete(path)) throw new DiskError("ENOENT", "remove", path);
  }

  list(dir: string): readonly string[] {
    const names = [...this.files.keys()].filter((path) => path.startsWith(`${dir}/`));
    return names.map((path) => path.slice(dir.length + 1)).sort();
  }

  kind(path: string): PathKind | null {
    return this.files.has(path) ? "file" : null;
  }

  syncDir(dir: string, done: SyncDone): void {
    this.complete("syncDir", dir, done);
  }

  syncDirNow(dir: string): void {
    this.check("syncDir", dir);
  }

  lock(): DiskLock {
    return { release: () => {} };
  }

  lockShared(): DiskLock {
    return { release: () => {} };
  }

  /** Runs the completions that are due, and those they cause. */
  runCompletions(): void {
    for (let next = this.#completions.shift(); next !== undefined; next = this.#completions.shift()) next();
  }

  check(operation: string, path: string): void {
    if (this.failAfter < 0) return;
    if (this.failAfter-- === 0) throw new DiskError(this.failCode, operation, path);
  }

  complete(operation: string, path: string, done: SyncDone): void {
    this.#completions.push(() => {
      let error: DiskError | null = null;
      try {
        this.check(operation, path);
      } catch (caught) {
        if (!(caught instanceof DiskError)) throw caught;
        error = caught;
      }
      done(error);
    });
  }

  bytesOf(path: string): Uint8Array {
    const content = this.files.get(path);
    if (content === undefined) throw new DiskError("ENOENT", "bytesOf", path);
    return content.bytes.subarray(0, content.size);
  }
}

class MemoryContent {
  bytes = new Uint8Array(1024);
  size = 0;
}

class MemoryFile implements DiskFile {
  readonly path: string;
  readonly #disk: MemoryDisk;
  readonly #content: MemoryContent;
  #closed = false;

  constructor(disk: MemoryDisk, path: string, content: MemoryContent) {
    this.path = path;
    this.#disk = disk;
    this.#content = content;
    disk.openCount++;
  }

  sizeBytes(): number {
    this.#checkOpen();
    return this.#content.size;
  }

  read(position: number, target: Uint8Array, start: number, end: number): number {
    this.#checkOpen();
    this.#disk.check("read", this.path);
    this.#disk.readCount++;
    const available = Math.max(0, this.#content.size - position);
    const filled = Math.min(end - start, available, this.#disk.transferBytesMax);
    target.set(this.#content.bytes.subarray(position, position + filled), start);
    this.#disk.onRead?.(this.path, position, target.subarray(start, start + filled));
    return filled;
  }

  write(position: number, source: Uint8Array, start: number, end: number): number {
    this.#checkOpen();
    this.#disk.check("write", this.path);
    const content = this.#content;
    const taken = Math.min(end - start, this.#disk.transferBytesMax);
    if (position + taken > content.bytes.length) {
      const larger = new Uint8Array(Math.max(position + taken, content.bytes.length * 2));
      larger.set(content.bytes);
      content.bytes = larger;
    }
    content.bytes.set(source.subarray(start, start + taken), position);
    content.size = Math.max(content.size, position + taken);
    return taken;
  }

  truncate(sizeBytes: number): void {
    this.#checkOpen();
    this.#content.size = sizeBytes;
  }

  sync(done: SyncDone): void {
    this.#checkOpen();
    this.#disk.complete("sync", this.path, done);
  }

  syncNow(): void {
    this.#checkOpen();
    this.#disk.check("sync", this.path);
  }

  close(): void {
    this.#checkOpen();
    this.#closed = true;
    this.#disk.openCount--;
  }

  #checkOpen(): void {
    if (this.#closed) throw new Error(`${this.path}: used after close`);
  }
}
