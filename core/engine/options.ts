import { type Compression, codecId, missingCodec } from "../bytes/codec.ts";
import { NokvError } from "../errors.ts";
import { fileHeaderBytes } from "../wal/file-header.ts";
import { frameHeaderBytes, framePayloadBytesMax } from "../wal/frame.ts";

/**
 * When a write counts as done.
 *
 * - `sync`: its log record is on the device. It survives a power loss.
 * - `interval`: the operating system has it. It survives the process; a power loss takes back at most what
 *   was written within the last `syncIntervalMs`, always the newest writes.
 * - `none`: the operating system has it, and nobody hurries it to the device.
 */
export type Durability = "sync" | "interval" | "none";

export interface EngineOptions {
  readonly durability: Durability;
  /**
   * `own`: commits get their versions from the engine. `given`: who writes gives each record its version, and the
   * engine is used as a `VersionedStore`.
   */
  readonly versions: "own" | "given";
  /** Given versions are compared with everything that is there, and not only with what is in memory. For tests. */
  readonly checkVersions: boolean;
  readonly syncIntervalMs: number;
  readonly createIfMissing: boolean;
  readonly errorIfExists: boolean;
  /** What LOCK tells others about who has the directory open. */
  readonly owner: string;
  /**
   * Memory of one memtable, which is also the length of one log segment. A larger batch gets a larger one.
   */
  readonly memtableBytes: number;
  /** Full memtables that may wait for their flush before writes are held back. */
  readonly immutableMemtablesMax: number;
  readonly valueBytesMax: number;
  readonly batchBytesMax: number;
  /** Bytes of one frame of the log, beyond which the next batch begins another. */
  readonly walGroupBytesMax: number;
  /**
   * While syncs of the log take less than so many microseconds, the thread waits in them: that is faster than
   * to be told by another. 0: it never waits.
   */
  readonly waitedSyncUs: number;
  /** Files of obsolete log segments kept to be written over, which is faster than new ones. */
  readonly walSparesMax: number;
  /**
   * Zeros that are written ahead of the end of the log at level `sync`, so that most syncs change neither the size of
   * the file nor its blocks: at most so many, and no more than the log has bytes. 0: none.
   */
  readonly walAheadBytesMax: number;
  /** Bytes of writes taken and not yet handed to the disk; beyond it writes are refused with `NOKV_BUSY`. */
  readonly pendingBytesMax: number;
  /** The manifest is rewritten when it has grown beyond this. */
  readonly manifestBytesMax: number;
  readonly blockBytes: number;
  readonly tableBytes: number;
  /** 0: no filters. */
  readonly bloomBitsPerKey: number;
  /** Of tables written from now on; those that are there are read as they are. */
  readonly compression: Compression;
  readonly blockCacheBytes: number;
  /** Memory for records that point reads found in tables, by key. 0: off. */
  readonly recordCacheBytes: number;
  /** Memory for where records stand in tables, for point reads. 0: off, and new tables do without. */
  readonly pointIndexBytes: number;
  /** Arenas of flushed memtables that point reads still find their records in. 0: none is kept. */
  readonly retainedMemtableBytes: number;
  /** Tables in level 0 that start a compaction. */
  readonly level0TablesMax: number;
  /**
   * What one scan is worth, for each table of level 0 that it has to look into, in bytes of merging: after enough
   * scans level 0 is merged before it is full. 0: scans ask for nothing.
   */
  readonly walkWorthBytes: number;
  /** Tables in level 0 that hold writes back. */
  readonly level0TablesStop: number;
  /** Bytes in levels beyond their bounds that slow writes the most; from half of that on they slow them at all. */
  readonly compactionDebtBytesMax: number;
  /** The pace that writes are slowed down to before they stop. */
  readonly slowestBytesPerSecond: number;
  readonly levelBytesBase: number;
  readonly levelBytesFactor: number;
  /**
   * Values of at least so many bytes leave the tables and stand in value files, where merges of tables do not copy
   * them; 0: none do. A value that was separated with another threshold stays where it is until it is moved.
   */
  readonly valueThresholdBytes: number;
  /** A value file of which so much, in percent, belongs to no table any more is emptied and removed. */
  readonly valueGarbagePercent: number;
  /** Value files that are open for reading at a time. */
  readonly valueFilesOpenMax: number;
  /** Written keys whose heat is counted, at most; 0: none. */
  readonly hotKeysMax: number;
  /** Writes of one key within a second, beyond which more get `NOKV_BUSY`; 0: no limit. Needs `hotKeysMax`. */
  readonly hotKeyWritesMax: number;
  /** First delay after a failed flush or compaction; it doubles up to 64 times that. */
  readonly jobRetryMs: number;
}

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

export const engineOptionsDefault: EngineOptions = {
  durability: "sync",
  versions: "own",
  checkVersions: false,
  syncIntervalMs: 100,
  createIfMissing: true,
  errorIfExists: false,
  owner: "unknown",
  memtableBytes: 64 * MiB,
  immutableMemtablesMax: 3,
  valueBytesMax: 64 * MiB,
  batchBytesMax: 128 * MiB,
  walGroupBytesMax: 4 * MiB,
  waitedSyncUs: 300,
  walSparesMax: 2,
  walAheadBytesMax: MiB,
  pendingBytesMax: 256 * MiB,
  manifestBytesMax: 4 * MiB,
  blockBytes: 8 * KiB,
  tableBytes: 64 * MiB,
  bloomBitsPerKey: 10,
  compression: "none",
  // Together 512 MiB, taken as reads need it.
  blockCacheBytes: 128 * MiB,
  recordCacheBytes: 224 * MiB,
  pointIndexBytes: 32 * MiB,
  retainedMemtableBytes: 128 * MiB,
  level0TablesMax: 8,
  walkWorthBytes: 32 * KiB,
  level0TablesStop: 36,
  compactionDebtBytesMax: 16 * GiB,
  slowestBytesPerSecond: 64 * MiB,
  levelBytesBase: GiB,
  levelBytesFactor: 10,
  valueThresholdBytes: 2 * KiB,
  valueGarbagePercent: 50,
  valueFilesOpenMax: 256,
  hotKeysMax: 0,
  hotKeyWritesMax: 0,
  jobRetryMs: 500,
};

type NumericOption = {
  [K in keyof EngineOptions]: EngineOptions[K] extends number ? K : never;
}[keyof EngineOptions];

/** The least and the most that each number may be. */
const bounds: Readonly<Record<NumericOption, readonly [number, number]>> = {
  syncIntervalMs: [1, 3_600_000],
  memtableBytes: [fileHeaderBytes + 3 * frameHeaderBytes, GiB],
  immutableMemtablesMax: [1, 64],
  valueBytesMax: [1, GiB - MiB],
  batchBytesMax: [64, framePayloadBytesMax],
  walGroupBytesMax: [64, framePayloadBytesMax],
  waitedSyncUs: [0, 1_000_000],
  walSparesMax: [0, 64],
  walAheadBytesMax: [0, GiB],
  pendingBytesMax: [64, 4 * GiB],
  manifestBytesMax: [256, GiB],
  blockBytes: [64, 16 * MiB],
  tableBytes: [KiB, GiB],
  bloomBitsPerKey: [0, 32],
  blockCacheBytes: [0, 64 * GiB],
  recordCacheBytes: [0, 32 * GiB],
  pointIndexBytes: [0, 64 * GiB],
  retainedMemtableBytes: [0, 64 * GiB],
  level0TablesMax: [1, 64],
  walkWorthBytes: [0, GiB],
  level0TablesStop: [1, 256],
  compactionDebtBytesMax: [KiB, 1024 * GiB],
  slowestBytesPerSecond: [KiB, 64 * GiB],
  levelBytesBase: [KiB, 1024 * GiB],
  levelBytesFactor: [2, 100],
  valueThresholdBytes: [0, GiB],
  valueGarbagePercent: [1, 100],
  valueFilesOpenMax: [1, 65_536],
  hotKeysMax: [0, 1 << 20],
  hotKeyWritesMax: [0, 1_000_000_000],
  jobRetryMs: [1, 60_000],
};

/** For each option that a simulated run may draw: the values, pathological minima first. */
export const engineOptionExtremes: Readonly<Partial<Record<keyof EngineOptions, readonly number[]>>> = {
  syncIntervalMs: [1, 10, 1000],
  memtableBytes: [512, 4 * KiB, 64 * KiB],
  immutableMemtablesMax: [1, 2, 4],
  walGroupBytesMax: [64, KiB, MiB],
  waitedSyncUs: [0, 1, 200, 1_000_000],
  walSparesMax: [0, 1, 4],
  walAheadBytesMax: [0, 64, KiB, MiB],
  pendingBytesMax: [64, 16 * KiB, MiB],
  manifestBytesMax: [256, KiB, MiB],
  blockBytes: [64, 512, 16 * KiB],
  tableBytes: [KiB, 8 * KiB, 256 * KiB],
  bloomBitsPerKey: [0, 1, 10],
  blockCacheBytes: [0, 4 * KiB, MiB],
  recordCacheBytes: [0, 2 * KiB, 8 * KiB, 64 * KiB],
  pointIndexBytes: [0, KiB, 4 * KiB, MiB],
  retainedMemtableBytes: [0, 4 * KiB, 32 * KiB, MiB],
  level0TablesMax: [1, 2, 4],
  walkWorthBytes: [0, 1, 2 * KiB, GiB],
  level0TablesStop: [2, 4, 20],
  compactionDebtBytesMax: [KiB, 64 * KiB, GiB],
  slowestBytesPerSecond: [KiB, 64 * KiB, GiB],
  levelBytesBase: [KiB, 16 * KiB, MiB],
  levelBytesFactor: [2, 4, 10],
  valueThresholdBytes: [0, 1, 16, 256, 2 * KiB],
  valueGarbagePercent: [1, 20, 50, 100],
  valueFilesOpenMax: [1, 2, 64],
  hotKeysMax: [0, 1, 64],
  jobRetryMs: [1, 50, 500],
};

/** Fills in the defaults. Throws `NOKV_INVALID_ARGUMENT` naming the option and what it may be. */
export function checkOptions(given: Partial<EngineOptions>): EngineOptions {
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(engineOptionsDefault, name)) throw invalid(`unknown option ${name}`);
  }
  const defined = Object.entries(given).filter(([, value]) => value !== undefined);
  const options: EngineOptions = { ...engineOptionsDefault, ...Object.fromEntries(defined) };
  for (const [name, [least, most]] of Object.entries(bounds)) {
    const value = options[name as NumericOption];
    if (!Number.isSafeInteger(value) || value < least || value > most) {
      throw invalid(`${name} is ${String(value)}; it must be an integer from ${least} to ${most}`);
    }
  }
  if (!["sync", "interval", "none"].includes(options.durability)) {
    throw invalid(`durability is ${String(options.durability)}; it must be "sync", "interval" or "none"`);
  }
  if (options.versions !== "own" && options.versions !== "given") {
    throw invalid(`versions is ${String(options.versions)}; it must be "own" or "given"`);
  }
  checkCompression(options.compression);
  for (const name of ["createIfMissing", "errorIfExists", "checkVersions"] as const) {
    if (typeof options[name] !== "boolean") throw invalid(`${name} must be true or false`);
  }
  if (typeof options.owner !== "string") throw invalid("owner must be a string");
  if (options.hotKeyWritesMax > 0 && options.hotKeysMax === 0) {
    throw invalid("hotKeyWritesMax needs hotKeysMax: only keys that are counted can be limited");
  }
  if (options.level0TablesStop < options.level0TablesMax) {
    throw invalid(`level0TablesStop is ${options.level0TablesStop}; it must not be below level0TablesMax`);
  }
  return options;
}

function checkCompression(compression: Compression): void {
  if (!Object.hasOwn(codecId, compression)) {
    throw invalid(`compression is ${String(compression)}; it must be "none", "deflate" or "zstd"`);
  }
  const missing = missingCodec(codecId[compression]);
  if (missing !== null) throw invalid(`compression is "${compression}"; ${missing}`);
}

function invalid(message: string): NokvError {
  return new NokvError("NOKV_INVALID_ARGUMENT", message);
}
