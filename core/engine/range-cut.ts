import { compareKeys } from "../bytes/record.ts";
import type { Clip } from "../lsm/clipped-cursor.ts";
import { rangeOf } from "../lsm/compaction-picker.ts";
import { endsBefore, rangesOverlap, type TableMeta } from "../lsm/table-meta.ts";
import type { Version } from "../lsm/version.ts";

/** Part of some tables, to be written anew. */
export interface Piece {
  readonly inputs: readonly TableMeta[];
  readonly clip: Clip;
  readonly level: number;
}

/** How everything in some ranges leaves a version of the tables. */
export interface RangeCut {
  /** All tables that hold anything there. */
  readonly removed: readonly TableMeta[];
  /** What of them lies outside the ranges; one after the other. */
  readonly pieces: readonly Piece[];
}

/** Below and above all keys, as bounds. */
const lowest = Uint8Array.of(0);
const highest = Uint8Array.of(0xff);

/**
 * What it takes to empty `clips`, which ascend and have nothing in common. A table that lies wholly in one of them
 * goes; one that reaches out is replaced, in its level, by what it holds outside. Level 0 is ordered by number, and
 * tables that come into it later must stay above: if one of its tables reaches out, all of them are merged
 * into level 1. A pure function.
 *
 * Afterwards no table of the version spans any key of the clips.
 */
export function planRangeCut(version: Version, clips: readonly Clip[]): RangeCut {
  const removed = new Set<TableMeta>();
  const pieces: Piece[] = [];
  for (const table of version.tables()) if (clips.some((clip) => isWithin(table, clip))) removed.add(table);
  const sticksOut = (table: TableMeta): boolean =>
    !removed.has(table) && clips.some((clip) => reaches(table, clip));
  const outside = gaps(clips);
  if (version.level(0).some(sticksOut)) {
    const upper = version.level(0).filter((table) => !removed.has(table));
    const span = rangeOf(upper);
    const lower = version.level(1).filter((table) => !removed.has(table) && rangesOverlap(table, span));
    pieces.push(...piecesOf([...upper, ...lower], 1, outside));
    for (const table of [...upper, ...lower]) removed.add(table);
  }
  for (const table of version.tables().filter(sticksOut)) {
    pieces.push(...piecesOf([table], table.level, outside));
    removed.add(table);
  }
  return { removed: [...removed], pieces };
}

/** Whether a table's span has anything in common with the clip. */
export function reaches(table: TableMeta, clip: Clip): boolean {
  return !endsBefore(table, clip.from) && compareKeys(table.smallest, clip.to) < 0;
}

export function isWithin(table: TableMeta, clip: Clip): boolean {
  return compareKeys(table.smallest, clip.from) >= 0 && endsBefore(table, clip.to);
}

function piecesOf(tables: readonly TableMeta[], level: number, outside: readonly Clip[]): Piece[] {
  return outside
    .map((clip) => ({ inputs: tables.filter((table) => reaches(table, clip)), clip, level }))
    .filter(({ inputs }) => inputs.length > 0);
}

/** What lies before, between and behind the clips. */
function gaps(clips: readonly Clip[]): Clip[] {
  const edges = [lowest, ...clips.flatMap(({ from, to }) => [from, to]), highest];
  const found: Clip[] = [];
  for (let i = 0; i < edges.length; i += 2) {
    const [from = lowest, to = highest] = [edges[i], edges[i + 1]];
    if (compareKeys(from, to) < 0) found.push({ from, to, upToVersion: Number.MAX_SAFE_INTEGER });
  }
  return found;
}
