import type { NokvError } from "../errors.ts";
import type { BlockCache } from "../lsm/block-cache.ts";
import type { PointBudget } from "../lsm/point-index.ts";
import type { Compactor } from "./compactor.ts";
import type { Flusher } from "./flusher.ts";
import type { EngineOptions } from "./options.ts";
import { readCacheStats } from "./read-cache-stats.ts";
import type { Reader } from "./reader.ts";
import type { RecordCache } from "./record-cache.ts";
import type { EngineStats, RecoveryStats } from "./stats.ts";
import type { TableSet } from "./table-set.ts";
import { valueStats } from "./value-stats.ts";
import { workStats } from "./work-stats.ts";
import type { WritePath } from "./write-path.ts";

/** The parts of an engine that count. */
export interface CountingParts {
  readonly options: EngineOptions;
  readonly write: WritePath;
  readonly tables: TableSet;
  readonly reader: Reader;
  readonly flusher: Flusher;
  readonly compactor: Compactor;
  readonly cache: BlockCache;
  readonly records: RecordCache;
  readonly points: PointBudget;
  readonly openIterators: number;
  readonly openSnapshots: number;
  readonly poisoned: boolean;
  readonly damage: NokvError | null;
  readonly recovery: RecoveryStats;
}

/** What each of them counted, in one place. */
export function engineStats(parts: CountingParts): EngineStats {
  const { options, write, tables, flusher, compactor, cache, records, points } = parts;
  const { wal, memtables } = write;
  const { version } = tables.current;
  return {
    puts: write.putCount,
    deletes: write.deleteCount,
    rangeDeletes: write.rangeDeleteCount,
    rangeTombstones: version.tables().reduce((sum, table) => sum + table.rangeTombstoneCount, 0),
    batches: write.batchCount,
    gets: parts.reader.getCount,
    walBytes: wal.writtenBytes,
    walGroups: wal.groupCount,
    walSyncs: wal.syncCount,
    walSpares: wal.spares.count,
    walRecycled: wal.spares.takenCount,
    arenasReused: write.arenasReused,
    flushes: flusher.flushCount,
    flushedVersion: flusher.flushedVersion,
    flushFailures: flusher.lane.failureCount,
    bytesFlushed: flusher.bytesFlushed,
    compactions: compactor.compactionCount,
    compactionFailures: compactor.lane.failureCount,
    tablesMoved: compactor.movedCount,
    tablesRemoved: compactor.removedCount,
    bytesCompacted: compactor.bytesCompacted,
    tablesPerLevel: version.levels.map((tables) => tables.length),
    tableBytesPerLevel: version.levels.map((_, level) => version.levelBytes(level)),
    ...valueStats(tables, flusher, compactor),
    ...workStats(options, write, version, flusher, compactor),
    memtableBytes: memtables.usedBytes,
    immutableMemtables: memtables.immutableCount,
    blockCacheHits: cache.hits,
    blockCacheMisses: cache.misses,
    blockCacheBytes: cache.usedBytes,
    blockCacheEvictions: cache.evictions,
    blockCachePins: cache.pinCount,
    ...readCacheStats(records, points, memtables),
    openIterators: parts.openIterators,
    openSnapshots: parts.openSnapshots,
    ...write.stallStats(),
    poisoned: parts.poisoned,
    damage: parts.damage?.message ?? null,
    visibleVersion: write.visibleVersion,
    pendingVersion: write.pendingVersion,
    recovery: parts.recovery,
  };
}
