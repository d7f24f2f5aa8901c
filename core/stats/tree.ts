import type { DurationStats } from "../engine/background.ts";
import type { EngineStats } from "../engine/stats.ts";

/**
 * The statistics of one engine as tools know them: field names and units as in the original's `/debug/vars`, as far
 * as they are about storage. One tree per engine, never one per process. Rates are in [0, 1], rounded to 4 digits.
 */
export interface StatsTree {
  readonly entries: number;
  readonly flush: Readonly<Record<string, number>>;
  readonly compaction: Readonly<Record<string, number>>;
  readonly value_log: ValueLogTree;
  readonly wal: Readonly<Record<string, number>>;
  readonly write: Readonly<Record<string, number>>;
  /** Writes that were slowed because the background was behind; `pressure` in thousandths, of the last group. */
  readonly slowdown: Readonly<Record<string, number | string>>;
  readonly hot: { readonly write_keys: readonly { readonly key: string; readonly count: number }[] };
  readonly cache: Readonly<Record<string, number>>;
  readonly lsm: LsmTree;
}

export interface ValueLogTree {
  readonly segments: number;
  readonly pending_deletes: number;
  readonly bytes: number;
  readonly live_bytes: number;
  readonly garbage_bytes: number;
  readonly reads: number;
  readonly gc: Readonly<Record<string, number>>;
}

export interface LsmTree {
  readonly levels: readonly LevelTree[];
  readonly value_bytes_total: number;
  readonly compression_ratio: number;
}

export interface LevelTree {
  readonly level: number;
  readonly tables: number;
  readonly size_bytes: number;
  /** Blocks before compression. */
  readonly raw_bytes: number;
  readonly value_bytes: number;
}

export function statsTree(stats: EngineStats): StatsTree {
  const decoder = new TextDecoder();
  return {
    entries: stats.entries,
    flush: {
      pending: stats.immutableMemtables,
      completed: stats.flushes,
      failed: stats.flushFailures,
      bytes: stats.bytesFlushed,
      ...durations("wait", stats.flushWaited),
      ...durations("build", stats.flushWorked),
    },
    compaction: {
      backlog: stats.compactionBacklog,
      max_score: stats.compactionScoreMax / 100,
      runs: stats.compactions,
      failed: stats.compactionFailures,
      moved: stats.tablesMoved,
      bytes: stats.bytesCompacted,
      last_duration_ms: stats.compactionWorked.lastMs,
      max_duration_ms: stats.compactionWorked.maxMs,
    },
    value_log: {
      segments: stats.valueFiles,
      pending_deletes: stats.valueFilesLingering,
      bytes: stats.valueBytes,
      live_bytes: stats.valueLiveBytes,
      garbage_bytes: stats.valueGarbageBytes,
      reads: stats.valueReads,
      gc: {
        gc_runs: stats.gcRuns,
        segments_removed: stats.valueFilesRemoved,
        values_relocated: stats.valuesRelocated,
        bytes_relocated: stats.valueBytesRelocated,
      },
    },
    wal: {
      active_segment: stats.walActiveSegment,
      segment_count: stats.walSegments,
      active_size: stats.walActiveBytes,
      bytes: stats.walBytes,
      groups: stats.walGroups,
      syncs: stats.walSyncs,
    },
    write: {
      puts: stats.puts,
      deletes: stats.deletes,
      batches_total: stats.batches,
      sync_count: stats.walSyncs,
      avg_batch_entries: ratio(stats.puts + stats.deletes, stats.batches),
      stalls: stats.stallCount,
      stall_ms: stats.stallMs,
      longest_stall_ms: stats.longestStallMs,
      hot_key_limited: stats.hotKeyLimited,
    },
    slowdown: slowdownTree(stats),
    hot: { write_keys: stats.hotKeys.map(({ key, recent }) => ({ key: decoder.decode(key), count: recent })) },
    cache: {
      block_hit_rate: ratio(stats.blockCacheHits, stats.blockCacheHits + stats.blockCacheMisses),
      block_bytes: stats.blockCacheBytes,
      record_hit_rate: ratio(stats.recordCacheHits, stats.recordCacheHits + stats.recordCacheMisses),
      record_bytes: stats.recordCacheBytes,
    },
    lsm: lsmTree(stats),
  };
}

function slowdownTree(stats: EngineStats): StatsTree["slowdown"] {
  return {
    count: stats.slowdowns,
    total_ms: stats.slowdownMs,
    longest_ms: stats.longestSlowdownMs,
    by_memtables: stats.slowdownsByCause.memtables,
    by_level_0: stats.slowdownsByCause["level-0"],
    by_compaction_debt: stats.slowdownsByCause["compaction-debt"],
    pressure: stats.pressure,
    cause: stats.pressureCause,
  };
}

function lsmTree(stats: EngineStats): LsmTree {
  const levels = stats.tablesPerLevel.map((tables, level) => ({
    level,
    tables,
    size_bytes: stats.tableBytesPerLevel[level] ?? 0,
    raw_bytes: stats.rawBytesPerLevel[level] ?? 0,
    value_bytes: stats.valueBytesPerLevel[level] ?? 0,
  }));
  const sum = (pick: (level: LevelTree) => number): number => levels.reduce((total, level) => total + pick(level), 0);
  return {
    levels,
    value_bytes_total: sum((level) => level.value_bytes),
    compression_ratio: ratio(sum((level) => level.raw_bytes), sum((level) => level.size_bytes)),
  };
}

function durations(name: string, stats: DurationStats): Record<string, number> {
  return { [`${name}_ms`]: stats.totalMs, [`last_${name}_ms`]: stats.lastMs, [`max_${name}_ms`]: stats.maxMs };
}

/** 0 of 0 is 0. */
function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((part / whole) * 10_000) / 10_000;
}
