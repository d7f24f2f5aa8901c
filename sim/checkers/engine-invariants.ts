import type { EngineOptions } from "../../core/engine/options.ts";
import { engineOptionsDefault } from "../../core/engine/options.ts";
import type { EngineStats } from "../../core/engine/stats.ts";

/**
 * Whether a directory holds exactly what its engine says it holds, background work aside: right after an
 * opening or in the middle of a merge there may be more for a moment. Null: nothing wrong.
 */
export function judgeDirectory(names: readonly string[], stats: EngineStats): string | null {
  // Files that wait to be written over by a later log segment.
  const spares = names.filter((name) => /^spare-\d+\.log$/.test(name)).length;
  const count = (pattern: RegExp): number => names.filter((name) => pattern.test(name)).length;
  const tables = count(/^table-\d+\.sst$/);
  const segments = count(/^wal-\d+\.log$/);
  const tablesKnown = stats.tablesPerLevel.reduce((sum, some) => sum + some, 0);
  const segmentsKnown = stats.immutableMemtables + 1 + stats.valueSegments;
  const values = count(/^value-\d+\.vlog$/);
  const valuesKnown = stats.valueFiles + stats.valueFilesLingering - stats.valueSegments;
  const list = names.join(" ");
  if (count(/^CURRENT$/) !== 1) return `no CURRENT among ${list}`;
  if (count(/^LOCK$/) !== 1) return `no LOCK among ${list}`;
  if (count(/^MANIFEST-\d+$/) !== 1) return `not exactly one manifest among ${list}`;
  if (tables !== tablesKnown) return `${tables} tables, of which ${tablesKnown} are known: ${list}`;
  if (segments !== segmentsKnown) return `${segments} log segments, ${segmentsKnown} in use: ${list}`;
  if (values !== valuesKnown) return `${values} value files, of which ${valuesKnown} are known: ${list}`;
  if (spares !== stats.walSpares) return `${spares} spare files, ${stats.walSpares} known: ${list}`;
  if (names.length !== tables + segments + values + spares + 3) return `unknown files among ${list}`;
  return null;
}

/** What a user holds open at the moment. */
export interface HeldOpen {
  readonly iterators: number;
  readonly snapshots: number;
}

/** Whether the caches of point reads keep to the budgets that the engine was opened with. Null: they do. */
export function judgeBudgets(stats: EngineStats, options: Partial<EngineOptions>): string | null {
  const { recordCacheBytes, pointIndexBytes, retainedMemtableBytes } = { ...engineOptionsDefault, ...options };
  if (stats.recordCacheBytes > recordCacheBytes) {
    return `stats: ${stats.recordCacheBytes} bytes of records are cached, ${recordCacheBytes} allowed`;
  }
  if (stats.pointIndexBytes > pointIndexBytes) {
    return `stats: ${stats.pointIndexBytes} bytes of point indexes are in memory, ${pointIndexBytes} allowed`;
  }
  if (stats.retainedMemtableBytes > retainedMemtableBytes) {
    return `stats: ${stats.retainedMemtableBytes} bytes of memtables are retained, ${retainedMemtableBytes} allowed`;
  }
  return null;
}

/** Whether what an engine says of itself can be true. Null: nothing wrong. */
export function judgeStats(stats: EngineStats, held: HeldOpen): string | null {
  for (const [name, value] of Object.entries(stats)) {
    const wrong = numbersIn(value).find((number) => !Number.isSafeInteger(number) || Number(number) < 0);
    if (wrong !== undefined) return `stats: ${name} is ${JSON.stringify(wrong)}`;
  }
  const { tablesPerLevel, tableBytesPerLevel, visibleVersion, pendingVersion } = stats;
  if (tablesPerLevel.length !== tableBytesPerLevel.length) return "stats: levels are counted differently";
  const empty = tablesPerLevel.findIndex((count, level) => (count === 0) !== (tableBytesPerLevel[level] === 0));
  if (empty >= 0) {
    return `stats: level ${empty} has ${tablesPerLevel[empty]} tables of ${tableBytesPerLevel[empty]} bytes`;
  }
  if (stats.longestStallMs > stats.stallMs) return "stats: one stall took longer than all of them";
  if ((stats.slowdowns === 0) !== (stats.slowdownMs === 0)) return "stats: slowdowns and their time do not agree";
  // Writes are slowed before they are stopped.
  if (stats.unslowedStalls > 0) return `stats: ${stats.unslowedStalls} stops for level 0 came without a slowdown`;
  if ((stats.pressure === 0) !== (stats.pressureCause === "none")) return "stats: pressure without a cause";
  if (visibleVersion > pendingVersion) return `stats: ${visibleVersion} is visible, ${pendingVersion} the newest`;
  if (stats.openIterators !== held.iterators) {
    return `stats: ${stats.openIterators} iterators are open, ${held.iterators} expected`;
  }
  if (held.iterators === 0 && stats.blockCachePins !== 0) {
    return `stats: ${stats.blockCachePins} blocks are pinned, and no iterator is open`;
  }
  if (stats.openSnapshots !== held.snapshots) {
    return `stats: ${stats.openSnapshots} snapshots are open, ${held.snapshots} expected`;
  }
  return null;
}

/** Of lists and plain objects all that is in them; a key is no statistic. */
function numbersIn(value: unknown): readonly number[] {
  if (typeof value === "number") return [value];
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return [];
  return Object.values(value).flatMap(numbersIn);
}
