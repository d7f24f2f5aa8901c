import type { OpenTables } from "../lsm/open-tables.ts";
import { RangeWalk } from "../lsm/range-walk.ts";
import type { Memtables } from "./memtables.ts";

/** What range tombstones hide at `version`, from now on unchanged; null: there are none. */
export function walkRanges(memtables: Memtables, tables: OpenTables, version: number): RangeWalk | null {
  if (!memtables.hasRanges && !tables.hasRanges) return null;
  const sets = memtables.rangeSets();
  if (tables.hasRanges) sets.push(tables.ranges);
  return new RangeWalk(sets, version);
}
