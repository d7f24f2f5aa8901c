import { DiskError } from "../../core/env/disk.ts";
import type { Disk, DiskErrorCode, DiskFile, DiskLock, OpenMode, PathKind, SyncDone } from "../../core/env/disk.ts";

/** What stands under a name: bytes, or something that is no file, or a file that may not be opened. */
export type ImageEntry = { readonly bytes: Uint8Array } | { readonly refuses: DiskErrorCode; readonly kind: PathKind };

export type Image = ReadonlyMap<string, ImageEntry>;

export function sameEntry(a: ImageEntry, b: ImageEntry): boolean {
  if ("bytes" in a && "bytes" in b) return Buffer.compare(a.bytes, b.bytes) === 0;
  return a === b;
}

/**
 * A directory in memory that begins as `image`. Files are copied when they are first written, so that thousands
 * of damaged variants of one image cost only what differs. Everything is durable at once; there are no faults but
 * those of the image.
 */
export class ImageDisk implements Disk {
  readonly #directory: string;
  readonly #entries: Map<string, ImageEntry | Content>;

  constructor(directory: string, image: Image) {
    this.#directory = directory;
    this.#entries = new Map(image);
  }

  /** What stands there now. */
  image(): Map<string, ImageEntry> {
    const now = new Map<string, ImageEntry>();
    for (const [name, entry] of this.#entries) {
      now.set(name, entry instanceof Content ? { bytes: entry.present() } : entry);
    }
    return now;
  }

  mkdir(path: string): void {
    throw new DiskError("EEXIST", "mkdir", path);
  }

  open(path: string, mode: OpenMode): DiskFile {
    const name = this.#nameOf(path);
    const entry = this.#entries.get(name);
    if (mode === "create") {
      if (entry !== undefined) throw new DiskError("EEXIST", "open", path);
      const content = new Content(new Uint8Array(0));
      this.#entries.set(name, content);
      return new ImageFile(path, content);
    }
    if (entry === undefined) throw new DiskError("ENOENT", "open", path);
    if (entry instanceof Content) return new ImageFile(path, entry);
    if ("refuses" in entry) throw new DiskError(entry.refuses, "open", path);
    const content = new Content(entry.bytes);
    this.#entries.set(name, content);
    return new ImageFile(path, content);
  }

  rename(source: string, target: string): void {
    const entry = this.#taken(source, "rename");
    this.#entries.delete(this.#nameOf(source));
    this.#entries.set(this.#nameOf(target), entry);
  }

  link(source: string, target: string): void {
    if (this.#entries.has(this.#nameOf(target))) throw new DiskError("EEXIST", "link", target);
    this.#entries.set(this.#nameOf(target), this.#taken(source, "link"));
  }

  remove(path: string): void {
    const entry = this.#taken(path, "remove");
    if ("refuses" in entry && entry.kind === "directory") throw new DiskError("EISDIR", "remove", path);
    this.#entries.delete(this.#nameOf(path));
  }

  list(): readonly string[] {
    return [...this.#entries.keys()].sort();
  }

  kind(path: string): PathKind | null {
    if (path === this.#directory) return "directory";
    const entry = this.#entries.get(this.#nameOf(path));
    if (entry === undefined) return null;
    return "refuses" in entry ? entry.kind : "file";
  }

  syncDir(_dir: string, done: SyncDone): void {
    process.nextTick(done, null);
  }

  syncDirNow(): void {}

  /** The real lock works on an inode, whatever is in it. */
  lock(path: string, owner: string): DiskLock {
    const name = this.#nameOf(path);
    const entry = this.#entries.get(name);
    if (entry !== undefined && "refuses" in entry) throw new DiskError(entry.refuses, "lock", path);
    this.#entries.set(name, { bytes: new TextEncoder().encode(owner) });
    return { release: () => {} };
  }

  lockShared(path: string): DiskLock {
    const entry = this.#entries.get(this.#nameOf(path));
    if (entry !== undefined && "refuses" in entry) throw new DiskError(entry.refuses, "lock-shared", path);
    return { release: () => {} };
  }

  #taken(path: string, operation: string): ImageEntry | Content {
    const entry = this.#entries.get(this.#nameOf(path));
    if (entry === undefined) throw new DiskError("ENOENT", operation, path);
    return entry;
  }

  #nameOf(path: string): string {
    return path.slice(this.#directory.length + 1);
  }
}

class Content {
  #bytes: Uint8Array;
  #size: number;
  #own = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#size = bytes.length;
  }

  present(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  resize(size: number): void {
    if (size > this.#bytes.length || !this.#own) {
      const larger = new Uint8Array(Math.max(size, this.#own ? 2 * this.#bytes.length : this.#size));
      larger.set(this.present());
      this.#bytes = larger;
      this.#own = true;
    }
    if (size < this.#size) this.#bytes.fill(0, size, this.#size);
    this.#size = size;
  }

  write(position: number, source: Uint8Array): void {
    this.resize(Math.max(this.#size, position + source.length));
    this.#bytes.set(source, position);
  }
}

class ImageFile implements DiskFile {
  readonly path: string;
  readonly #content: Content;

  constructor(path: string, content: Content) {
    this.path = path;
    this.#content = content;
  }

  sizeBytes(): number {
    return this.#content.present().length;
  }

  // oxlint-disable-next-line max-params -- the interface of a disk's file
  read(position: number, target: Uint8Array, start: number, end: number): number {
    const available = this.#content.present().subarray(position, position + (end - start));
    target.set(available, start);
    return available.length;
  }

  // oxlint-disable-next-line max-params -- the interface of a disk's file
  write(position: number, source: Uint8Array, start: number, end: number): number {
    this.#content.write(position, source.subarray(start, end));
    return end - start;
  }

  truncate(sizeBytes: number): void {
    this.#content.resize(sizeBytes);
  }

  sync(done: SyncDone): void {
    process.nextTick(done, null);
  }

  syncNow(): void {}

  close(): void {}
}
