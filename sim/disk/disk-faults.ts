/**
 * What a simulated disk may do wrong, and how often. Rates are per 1,000,000 operations (or per whatever the
 * field names); 0 is never, 1,000,000 always. The object given to `SimDisk` is read at every operation, so
 * the nemesis turns a fault on or off by assigning a field.
 */
export interface DiskFaults {
  /**
   * What a failed sync leaves. "ext4" (and xfs): the cache keeps the new bytes and calls them clean, the
   * device holds any mixture. "btrfs": the cache falls back to what the device holds.
   */
  personality: "ext4" | "btrfs";

  /** Power loss: of the files with unsynced changes, how many lose any. 0: the whole cache survives. */
  lostWrite: number;
  /** Power loss: of the files that lose some, how many tear between sectors, not between writes. */
  tornWrite: number;
  /** Power loss: of the sectors within the size whose first content was lost, how many hold garbage. */
  garbageGap: number;
  /** Power loss: of the creations, removals and renames no `syncDir` covered, how many are undone. */
  entryLost: number;

  eioRead: number;
  eioWrite: number;
  /** open, rename, remove, mkdir, list, kind, truncate, lock. */
  eioMetadata: number;
  /** Of the EIO above, how many hold on for that file and operation class until `heal()`. */
  eioSticky: number;
  /** Of `open`: fails with EMFILE although below `openFilesMax`. */
  emfile: number;
  /** Files this machine may hold open; the next `open` throws EMFILE. */
  openFilesMax: number;
  /** Room for file contents. Raise it (or remove files) and writes work again. */
  quotaBytes: number;
  /** Of the writes that grow a file: ENOSPC although within the quota, over with the next write. */
  enospc: number;
  /** Of `sync` and `syncDir`: completes with EIO (rarely ENOSPC); see `personality`. */
  syncFailed: number;
  /** The kernel gave the file system up: every change is refused with EROFS, reads go on. Not counted. */
  readOnly: boolean;
  shortRead: number;
  shortWrite: number;

  /** Of all operations: takes `slowUsMin` to `slowUsMax` longer. 1,000,000: a disk that is slowly dying. */
  slow: number;
  slowUsMin: number;
  slowUsMax: number;
  /** Of `sync` and `syncDir`: completes only after `stallUsMin` to `stallUsMax`. */
  stall: number;
  stallUsMin: number;
  stallUsMax: number;
  /** Ordinary time of one read, write or metadata operation. */
  operationUs: number;
  /** Ordinary time of a sync, drawn between the two: later syncs overtake earlier ones. */
  syncUsMin: number;
  syncUsMax: number;

  /** Of the reads: one bit flipped on the way to the caller. The next four reads of the file are right. */
  flipOnRead: number;
  /** Of the reads: a sector comes from elsewhere on the disk. The next four reads of the file are right. */
  misdirectedRead: number;
}

/** A disk that keeps its promises and, at power loss, everything else too. Spread it to start from. */
export const diskFaultsNone: Readonly<DiskFaults> = {
  personality: "ext4",
  lostWrite: 0,
  tornWrite: 0,
  garbageGap: 0,
  entryLost: 0,
  eioRead: 0,
  eioWrite: 0,
  eioMetadata: 0,
  eioSticky: 0,
  emfile: 0,
  openFilesMax: 65_536,
  quotaBytes: Number.MAX_SAFE_INTEGER,
  enospc: 0,
  syncFailed: 0,
  readOnly: false,
  shortRead: 0,
  shortWrite: 0,
  slow: 0,
  slowUsMin: 1_000,
  slowUsMax: 50_000,
  stall: 0,
  stallUsMin: 1_000_000,
  stallUsMax: 10_000_000,
  operationUs: 0,
  syncUsMin: 100,
  syncUsMax: 400,
  flipOnRead: 0,
  misdirectedRead: 0,
};

/** A healthy disk in a machine that may lose power: what every crash scenario should start from. */
export const diskFaultsPowerLoss: Readonly<DiskFaults> = {
  ...diskFaultsNone,
  lostWrite: 800_000,
  tornWrite: 500_000,
  garbageGap: 300_000,
  entryLost: 500_000,
};

/** Every kind a disk reports through `DiskWorld.count`, once per change that somebody could have observed. */
export const diskFaultKinds = [
  "disk.lost-write",
  "disk.torn-write",
  "disk.kept-unacked",
  "disk.garbage-gap",
  "disk.entry-lost",
  "disk.rename-lost",
  "disk.eio-read",
  "disk.eio-write",
  "disk.eio-metadata",
  "disk.emfile",
  "disk.enospc",
  "disk.enospc-freed",
  "disk.sync-failed",
  "disk.short-read",
  "disk.short-write",
  "disk.slow",
  "disk.stall",
  "disk.bit-rot",
  "disk.flip-on-read",
  "disk.misdirected-read",
  "disk.misdirected-write",
  "disk.stale-sector",
] as const;

export type DiskFaultKind = (typeof diskFaultKinds)[number];

/** Silent damage to bytes that were durable and correct; nothing heals it. */
export type AtRestKind = "bit-rot" | "misdirected-write" | "stale-sector";

/**
 * The fault atlas: whether bytes `[offset, offset + length)` of `path` may be damaged at rest. Asked before
 * anything is changed; whoever owns the redundancy of the data knows the answer.
 */
export type MayCorrupt = (path: string, offset: number, length: number) => boolean;

/** What `corruptAtRest` changed, for the story of the run. `length` in bytes. */
export interface AtRestDamage {
  readonly kind: AtRestKind;
  readonly path: string;
  readonly offset: number;
  readonly length: number;
}
