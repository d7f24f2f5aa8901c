import { levelScore } from "../lsm/compaction-picker.ts";
import { levelsMax, type Version } from "../lsm/version.ts";
import type { Compactor } from "./compactor.ts";
import type { Flusher } from "./flusher.ts";
import type { EngineOptions } from "./options.ts";
import type { WorkStats } from "./stats.ts";
import type { WritePath } from "./write-path.ts";

const scoreFull = 100;
const hotKeysShown = 16;

// oxlint-disable-next-line max-params
export function workStats(
  options: EngineOptions,
  { memtables, hot }: WritePath,
  version: Version,
  flusher: Flusher,
  compactor: Compactor,
): WorkStats {
  // The last level is not bounded: what it holds waits for nothing.
  const bounded = version.levels.slice(0, levelsMax - 1);
  const scores = bounded.map((tables, level) => (tables.length === 0 ? 0 : levelScore(level, tables, options)));
  const { segment } = memtables.active;
  const inTables = version.tables().reduce((sum, table) => sum + table.recordCount, 0);
  const inMemory = memtables.all().reduce((sum, { memtable }) => sum + memtable.count, 0);
  return {
    entries: inTables + inMemory,
    flushWaited: flusher.waited.stats(),
    flushWorked: flusher.lane.worked.stats(),
    compactionWorked: compactor.lane.worked.stats(),
    compactionBacklog: scores.filter((score) => score >= scoreFull).length,
    compactionScoreMax: Math.max(...scores),
    hotKeys: hot === null ? [] : hot.top(hotKeysShown),
    hotKeyLimited: hot === null ? 0 : hot.limited,
    walSegments: memtables.segmentNumbers().length,
    walActiveSegment: segment.number,
    walActiveBytes: segment.endBytes,
    rawBytesPerLevel: version.levels.map((tables) => tables.reduce((sum, { rawBytes }) => sum + rawBytes, 0)),
    valueBytesPerLevel: version.levels.map((tables) =>
      tables.reduce((sum, { valueRefs }) => sum + valueRefs.reduce((bytes, ref) => bytes + ref.bytes, 0), 0),
    ),
  };
}
