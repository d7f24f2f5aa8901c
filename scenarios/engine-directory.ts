import type { EngineStats } from "../core/engine/stats.ts";

/**
 * Whether a directory holds exactly what its engine says it holds, background work aside: right after an
 * opening or in the middle of a merge there may be more for a moment. Null: nothing wrong.
 */
export function judgeDirectory(names: readonly string[], stats: EngineStats): string | null {
  const count = (pattern: RegExp): number => names.filter((name) => pattern.test(name)).length;
  const tables = count(/^table-\d+\.sst$/);
  const segments = count(/^wal-\d+\.log$/);
  const tablesKnown = stats.tablesPerLevel.reduce((sum, some) => sum + some, 0);
  const segmentsKnown = stats.immutableMemtables + 1;
  const list = names.join(" ");
  if (count(/^CURRENT$/) !== 1) return `no CURRENT among ${list}`;
  if (count(/^LOCK$/) !== 1) return `no LOCK among ${list}`;
  if (count(/^MANIFEST-\d+$/) !== 1) return `not exactly one manifest among ${list}`;
  if (tables !== tablesKnown) return `${tables} tables, of which ${tablesKnown} are known: ${list}`;
  if (segments !== segmentsKnown) return `${segments} log segments, ${segmentsKnown} in use: ${list}`;
  if (names.length !== tables + segments + 3) return `unknown files among ${list}`;
  return null;
}
