import { columnFamily, versionMax } from "../bytes/record.ts";
import { versionMs } from "./drop-rules.ts";
import type { Compaction, PickOptions } from "./compaction-picker.ts";
import { collide, compactionFrom, isBottom, rangeOf, rewriteOf } from "./compaction-picker.ts";
import type { RangeTombstones } from "./range-tombstones.ts";
import type { TableMeta } from "./table-meta.ts";
import { levelsMax } from "./version.ts";
import type { Version } from "./version.ts";

/** In percent of a table's records: so many tombstones ask for a compaction. */
const tombstonePercent = 50;
const noCompactions: readonly Compaction[] = [];

/** Who may still read what is dead, and until when values live. */
export interface Readers {
  /** Of the oldest live snapshot; infinity if there is none. */
  readonly firstPin: number;
  /** Besides, somebody may read at this version or later. */
  readonly horizonVersion: number;
  readonly nowMs: number;
  /** As in `DropRules`. */
  readonly newestOnly?: boolean;
}

export interface Pressure {
  readonly compaction: Compaction | null;
  /** Something would be picked, were it not for snapshots. */
  readonly waitsForPins: boolean;
  /** The next instant at which a table becomes stale; infinity: none will. */
  readonly staleAtMs: number;
}

/**
 * What to compact although no level is over its bound: a table that is mostly tombstones, or whose values have
 * expired, costs reads and space for nothing.
 *
 * Where something older may lie below it goes one level down, which it can do `levelsMax` times at most. Where
 * nothing does, it is rewritten in its place, and only if all its tombstones, or the expired quarter, are sure to go:
 * with each such step it loses what asked for it. So this comes to rest. A pure function.
 */
export function pickPressure(
  version: Version,
  options: PickOptions,
  readers: Readers,
  running: readonly Compaction[] = noCompactions,
): Pressure {
  let compaction: Compaction | null = null;
  let waitsForPins = false;
  let staleAtMs = Infinity;
  for (const table of [...version.tables()].sort((a, b) => a.number - b.number)) {
    if (table.staleAtMs > readers.nowMs) staleAtMs = Math.min(staleAtMs, table.staleAtMs);
    const bottom = isBottom(version, table.level, [table]);
    if (!isDue(table, bottom, readers.nowMs)) continue;
    const mayRewrite = !bottom || losesDead(table, readers);
    if (!mayRewrite) {
      waitsForPins = true;
      continue;
    }
    const due = dueCompaction(version, table, bottom, options);
    if (due === null || running.some((other) => collide(other, due))) continue;
    compaction ??= due;
  }
  return { compaction, waitsForPins, staleAtMs };
}

/**
 * Tables that need no merge to go: range tombstones of other tables, newer than all they hold, hide all of it from
 * everybody. Tables with range tombstones of their own stay, since these may hide something further down.
 */
export function hiddenTables(
  version: Version,
  ranges: RangeTombstones,
  pins: readonly number[],
  horizonVersion: number,
): readonly TableMeta[] {
  return version.tables().filter((table) => {
    if (table.rangeTombstoneCount > 0) return false;
    // Up to the first version at which somebody may read one of its records, a tombstone must have come.
    const pin = pins.find((each) => each >= table.minVersion) ?? Infinity;
    return ranges.hidesAll(table, table.pointMaxVersion, Math.min(pin, horizonVersion));
  });
}

/** The removal of `tables`, which nobody reads: without a job, in one edit. */
export function removalOf(tables: readonly TableMeta[]): Compaction {
  const levels = tables.map((table) => table.level);
  return {
    reason: "hidden",
    level: Math.min(...levels),
    outputLevel: Math.max(...levels),
    inputs: tables,
    ...rangeOf(tables),
    trivialMove: false,
    bottom: false,
    relocate: [],
  };
}

/** Whether enough of the table is dead, or could be at the bottom. */
function isDue(table: TableMeta, bottom: boolean, nowMs: number): boolean {
  // At the bottom range tombstones hide nothing, and any number of them makes every read look.
  if (bottom && table.rangeTombstoneCount > 0) return true;
  const dead = table.tombstoneCount + table.rangeTombstoneCount;
  if (dead > 0 && dead * 100 >= table.recordCount * tombstonePercent) return true;
  return isStale(table, nowMs);
}

function isStale(table: TableMeta, nowMs: number): boolean {
  return table.staleAtMs !== 0 && table.staleAtMs <= nowMs;
}

/** At the bottom: whether a rewrite is sure to drop what asked for it. */
function losesDead(table: TableMeta, readers: Readers): boolean {
  const { firstPin, nowMs } = readers;
  const holdsData = table.smallest[0] === columnFamily.data;
  const horizonVersion = readers.newestOnly === true && !holdsData ? versionMax : readers.horizonVersion;
  if (table.maxVersion > Math.min(firstPin, horizonVersion)) return false;
  if (table.tombstoneCount + table.rangeTombstoneCount > 0) return true;
  // A snapshot judges expiry at its own instant.
  const judgedMs = firstPin === Infinity ? nowMs : Math.min(nowMs, versionMs(firstPin));
  return isStale(table, judgedMs);
}

// oxlint-disable-next-line max-params
function dueCompaction(
  version: Version,
  table: TableMeta,
  bottom: boolean,
  options: PickOptions,
): Compaction | null {
  if (bottom && table.level > 0) return { ...rewriteOf(version, table), reason: "dead-records" };
  if (table.level === levelsMax - 1) return null;
  const down = compactionFrom(version, table.level, table, options);
  // What has expired becomes tombstones on the way down.
  return { ...down, reason: "dead-records", trivialMove: down.trivialMove && table.staleAtMs === 0 };
}
