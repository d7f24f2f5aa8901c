/** What an engine did since it was opened, and what it holds now. Plain numbers. */
export interface EngineStats {
  /** Values and tombstones committed, and the batches they came in. */
  readonly puts: number;
  readonly deletes: number;
  readonly batches: number;
  /** Calls of `get` and `latest`. */
  readonly gets: number;
  /** Bytes and groups written to the log, and syncs of it that were started. */
  readonly walBytes: number;
  readonly walGroups: number;
  readonly walSyncs: number;
  readonly flushes: number;
  /** Every record up to this version is in durable tables. */
  readonly flushedVersion: number;
  readonly flushFailures: number;
  readonly bytesFlushed: number;
  readonly compactions: number;
  readonly compactionFailures: number;
  /** Tables that changed their level without being rewritten. */
  readonly tablesMoved: number;
  readonly bytesCompacted: number;
  /** By level, from level 0. */
  readonly tablesPerLevel: readonly number[];
  readonly tableBytesPerLevel: readonly number[];
  /** Bytes used in the arenas of all memtables. */
  readonly memtableBytes: number;
  readonly immutableMemtables: number;
  readonly blockCacheHits: number;
  readonly blockCacheMisses: number;
  readonly blockCacheBytes: number;
  readonly openIterators: number;
  readonly openSnapshots: number;
  /** How often groups began to be held back because the background was behind. */
  readonly stallCount: number;
  readonly poisoned: boolean;
  readonly visibleVersion: number;
  readonly pendingVersion: number;
  readonly recovery: RecoveryStats;
}

/** What the opening found. */
export interface RecoveryStats {
  readonly framesReplayed: number;
  /** Bytes of the log and the manifest that a crash had torn and that were dropped. */
  readonly bytesTorn: number;
  /** Files that belonged to nothing any more. */
  readonly filesRemoved: number;
}
