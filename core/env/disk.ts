/**
 * The only way bytes become durable.
 *
 * Reads, writes and metadata operations are synchronous: they meet the page cache, and a synchronous read
 * path keeps iterators and merges free of suspension. Durability is asynchronous: `sync` and `syncDir` wait, and
 * complete by callback. Who can not go on without it, or knows that it is fast, waits in `syncNow` and
 * `syncDirNow`.
 *
 * What a crash leaves, and what `sim/disk` exploits:
 * - Bytes written before a `sync` was *called* are durable once that sync has completed without error. The
 *   size of the file is covered too.
 * - Creating, linking, renaming or removing an entry of a directory before a `syncDir` of that directory was called is
 *   durable once it has completed. `sync` of a file says nothing about its entry.
 * - Anything else may survive in any subset of 512-byte sectors, in any order, torn inside a sector never,
 *   including bytes that nobody was ever told are durable. A file may have grown without its data: the gap
 *   reads as zeros or garbage.
 * - A rename is atomic: the target's old or new file, never neither, never half.
 * - After a failed `sync` the bytes it covered are indeterminate although they still read back, and a later
 *   successful `sync` does not cover them. The only remedy is to write them again to another file.
 *
 * Every method may throw `DiskError`. Paths are separated by `/`; `dir` and parents must exist.
 */
export interface Disk {
  /** Creates one directory; its entry needs `syncDir` of the parent. EEXIST if anything is there. */
  mkdir(path: string): void;
  open(path: string, mode: OpenMode): DiskFile;
  /** Replaces `target` if it exists, atomically. Open files follow their inode. */
  rename(source: string, target: string): void;
  /**
   * Gives the file `source` a second name, which must not exist: one content, and one room on the device, under
   * both until one of them is removed. The new entry needs `syncDir`, the content nothing that it had already.
   */
  link(source: string, target: string): void;
  /** Removes a file, or one of its names. Open handles stay usable. */
  remove(path: string): void;
  /** Names in `dir`, sorted by UTF-16 code unit so that every implementation agrees. */
  list(dir: string): readonly string[];
  /** What `path` is, without following a symbolic link; null when there is nothing. */
  kind(path: string): PathKind | null;
  syncDir(dir: string, done: SyncDone): void;
  /** As `syncDir`, complete when it returns. */
  syncDirNow(dir: string): void;
  /**
   * Holds `path` (created if missing) exclusively against other processes, other incarnations and a second
   * call in this one, until `release` or the end of the process, however it ends. `owner` is written into the
   * file for people. Throws `DiskError` ELOCKED, whose `holder` is what the present owner wrote.
   */
  lock(path: string, owner: string): DiskLock;
  /**
   * Holds `path` beside other shared holders and against `lock`, until `release` or the end of the process, and
   * changes not one byte: a file that is not there is not created, and then nothing is held. Throws `DiskError`
   * ELOCKED as `lock` does. Where the machine has no shared locks it only looks whether somebody holds `path`.
   */
  lockShared(path: string): DiskLock;
}

export interface DiskFile {
  readonly path: string;
  sizeBytes(): number;
  /**
   * Fills `target[start, end)` from byte `position` of the file. Returns how many bytes were filled, at least
   * one and possibly fewer than asked (a short read), or 0 at or past the end of the file.
   */
  read(position: number, target: Uint8Array, start: number, end: number): number;
  /**
   * Writes `source[start, end)` at byte `position` and returns how many bytes were taken: at least one,
   * possibly fewer than asked (a short write). The bytes are copied before it returns, so the caller may reuse
   * the buffer. Writing past the end extends the file; a gap reads as zeros.
   */
  write(position: number, source: Uint8Array, start: number, end: number): number;
  truncate(sizeBytes: number): void;
  /** Data and size. Invoked while an earlier sync is in flight, both complete, in any order. */
  sync(done: SyncDone): void;
  /**
   * As `sync`, complete when it returns: nothing else of this process runs meanwhile. A sync in flight does not
   * hide its failure from this one.
   */
  syncNow(): void;
  /** The handle must not be used afterwards; a sync in flight still completes. */
  close(): void;
}

export interface DiskLock {
  release(): void;
}

/** `create`: must not exist, read and write. `write`: must exist, read and write. `read`: must exist. */
export type OpenMode = "create" | "write" | "read";

export type PathKind = "file" | "directory" | "other";

/** Invoked exactly once, never before the call that registered it has returned; never after a crash. */
export type SyncDone = (error: DiskError | null) => void;

export type DiskErrorCode =
  | "EIO"
  | "ENOSPC"
  | "ENOENT"
  | "EEXIST"
  | "EMFILE"
  | "EACCES"
  | "EROFS"
  | "EISDIR"
  | "ENOTDIR"
  | "ELOCKED";

/** An operating error: expected, handled by the caller, never an assertion. */
export class DiskError extends Error {
  override readonly name = "DiskError";
  readonly code: DiskErrorCode;
  readonly path: string;
  /** For ELOCKED: the present owner's own words, or "" when unreadable. */
  readonly holder: string;

  constructor(code: DiskErrorCode, operation: string, path: string, holder = "") {
    super(`${code}: ${operation} ${path}`);
    this.code = code;
    this.path = path;
    this.holder = holder;
  }
}
