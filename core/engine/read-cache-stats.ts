import type { PointBudget } from "../lsm/point-index.ts";
import type { Memtables } from "./memtables.ts";
import type { RecordCache } from "./record-cache.ts";

/** What answers point reads before blocks of tables do. */
export interface ReadCacheStats {
  /** Point reads that the record cache answered, and those that looked there in vain; what it holds. */
  readonly recordCacheHits: number;
  readonly recordCacheMisses: number;
  readonly recordCacheEvictions: number;
  readonly recordCacheRecords: number;
  readonly recordCacheBytes: number;
  /** Pages of the point index in memory, those that were ever read, and those that had to leave. */
  readonly pointIndexBytes: number;
  readonly pointIndexLoads: number;
  readonly pointIndexEvictions: number;
  /** Point reads answered by a memtable that was flushed already; memory of those. */
  readonly retainedMemtableHits: number;
  readonly retainedMemtableBytes: number;
}

export function readCacheStats(records: RecordCache, points: PointBudget, memtables: Memtables): ReadCacheStats {
  return {
    recordCacheHits: records.hits,
    recordCacheMisses: records.misses,
    recordCacheEvictions: records.evictions,
    recordCacheRecords: records.count,
    recordCacheBytes: records.usedBytes,
    pointIndexBytes: points.usedBytes,
    pointIndexLoads: points.loads,
    pointIndexEvictions: points.evictions,
    retainedMemtableHits: memtables.retainedHits,
    retainedMemtableBytes: memtables.retainedBytes,
  };
}
