import type { HotKey } from "../hot/hot-ring.ts";
import type { DurationStats } from "./background.ts";
import type { PressureCause } from "./backpressure.ts";
import type { ReadCacheStats } from "./read-cache-stats.ts";

/** What an engine did since it was opened, and what it holds now. Plain numbers. */
export interface EngineStats extends ValueStats, ReadCacheStats, WorkStats, StallStats {
  /** Values and tombstones committed, and the batches they came in. */
  readonly puts: number;
  readonly deletes: number;
  /** Range tombstones committed. */
  readonly rangeDeletes: number;
  /** Range tombstones in tables; one that was cut into fragments counts once per fragment. */
  readonly rangeTombstones: number;
  readonly batches: number;
  /** Calls of `get` and `latest`. */
  readonly gets: number;
  /** Bytes and groups written to the log, and syncs of it that were started. */
  readonly walBytes: number;
  readonly walGroups: number;
  readonly walSyncs: number;
  /** Files of obsolete segments that wait to be written over, and how often one was. */
  readonly walSpares: number;
  readonly walRecycled: number;
  /** How often a memtable took over the memory of a flushed one. */
  readonly arenasReused: number;
  readonly flushes: number;
  /** Every record up to this version is in durable tables. */
  readonly flushedVersion: number;
  readonly flushFailures: number;
  readonly bytesFlushed: number;
  readonly compactions: number;
  readonly compactionFailures: number;
  /** Tables that changed their level without being rewritten. */
  readonly tablesMoved: number;
  /** Tables dropped unread, since range tombstones hid all of them from everybody. */
  readonly tablesRemoved: number;
  readonly bytesCompacted: number;
  /** By level, from level 0. */
  readonly tablesPerLevel: readonly number[];
  readonly tableBytesPerLevel: readonly number[];
  /** Bytes used in the arenas of all memtables. */
  readonly memtableBytes: number;
  readonly immutableMemtables: number;
  readonly blockCacheHits: number;
  readonly blockCacheMisses: number;
  /** Memory that the cache took, of its budget; it keeps it for other blocks. */
  readonly blockCacheBytes: number;
  readonly blockCacheEvictions: number;
  /** How often open iterators hold a block: such a block is not evicted. */
  readonly blockCachePins: number;
  readonly openIterators: number;
  readonly openSnapshots: number;
  readonly poisoned: boolean;
  /** What the last flush or merge failed with, if it met damage; null: it did not. */
  readonly damage: string | null;
  readonly visibleVersion: number;
  readonly pendingVersion: number;
  readonly recovery: RecoveryStats;
}

/** What the opening found. */
export interface RecoveryStats {
  readonly framesReplayed: number;
  /**
   * Bytes of the log and the manifest that a crash had torn and that were dropped, and what the earlier use of
   * a file had left behind the end of a segment that was never sealed.
   */
  readonly bytesTorn: number;
  /** Files that belonged to nothing any more. */
  readonly filesRemoved: number;
}

/** How the background gets on, and what its work has come to. */
export interface WorkStats {
  /** Records in tables and memtables, old versions and tombstones included. */
  readonly entries: number;
  /** From a memtable being full until its flush began, and from there until reads find it in a table. */
  readonly flushWaited: DurationStats;
  readonly flushWorked: DurationStats;
  readonly compactionWorked: DurationStats;
  /** Levels that are due for compaction, and how full the fullest is, in percent of where it becomes due. */
  readonly compactionBacklog: number;
  readonly compactionScoreMax: number;
  /** The keys written most within the last second, hottest first, and batches refused for one; see `hotKeysMax`. */
  readonly hotKeys: readonly HotKey[];
  readonly hotKeyLimited: number;
  readonly walSegments: number;
  readonly walActiveSegment: number;
  readonly walActiveBytes: number;
  /** Blocks of the tables of each level before compression; bytes their pointers point to. By level, from level 0. */
  readonly rawBytesPerLevel: readonly number[];
  readonly valueBytesPerLevel: readonly number[];
}

/** Values that stand outside tables. */
export interface ValueStats {
  /** Files that tables point into, and files that left the manifest while a reader still holds them. */
  readonly valueFiles: number;
  readonly valueFilesLingering: number;
  /** Of both, those that are kept log segments. */
  readonly valueSegments: number;
  /** Bytes of the files that tables point into, headers and frames included. */
  readonly valueBytes: number;
  /** Bytes of the record images in them that tables point to; `valueBytes` over this is the space amplification. */
  readonly valueLiveBytes: number;
  /** Bytes of images that tables once pointed to and no longer do. */
  readonly valueGarbageBytes: number;
  /** Values that flushes and compactions moved out of tables. */
  readonly valuesSeparated: number;
  /** Log segments that were kept: their values were never copied. */
  readonly valueSegmentsKept: number;
  /** Bytes written to value files by flushes and compactions. */
  readonly valueBytesWritten: number;
  /** Values that reads fetched from value files. */
  readonly valueReads: number;
  readonly valueFilesRemoved: number;
  /** Values that were moved out of files full of garbage, their bytes, and compactions that began for that. */
  readonly valuesRelocated: number;
  readonly valueBytesRelocated: number;
  readonly gcRuns: number;
}

/** Writes that had to wait for the background. */
export interface StallStats {
  /** How often groups began to be held back because the background was behind. */
  readonly stallCount: number;
  /** Time that groups were held back, and the longest that is over, milliseconds. */
  readonly stallMs: number;
  readonly longestStallMs: number;
  /** Stops for level 0 right after a group that pressure should have slowed and did not: a defect. */
  readonly unslowedStalls: number;
  /** Groups and synchronous commits that waited because the background was behind, for how long, and for what. */
  readonly slowdowns: number;
  readonly slowdownMs: number;
  readonly longestSlowdownMs: number;
  readonly slowdownsByCause: Readonly<Record<Exclude<PressureCause, "none">, number>>;
  /** 0 to 1000, as of the last group: how close writes are to being stopped, and what for. */
  readonly pressure: number;
  readonly pressureCause: PressureCause;
}
