import { assert } from "../assert.ts";
import { compareKeys } from "../bytes/record.ts";
import { garbagePercent, type ValueUsage } from "../vlog/value-file.ts";
import { compareEnds, rangesOverlap } from "./table-meta.ts";
import type { KeySpan, TableMeta } from "./table-meta.ts";
import { levelsMax } from "./version.ts";
import type { Version } from "./version.ts";

export interface PickOptions {
  /** So many tables in level 0 ask for a compaction. */
  readonly level0TablesMax: number;
  /** Size of level 1; each level below holds `levelBytesFactor` times more. The last one is not bounded. */
  readonly levelBytesBase: number;
  readonly levelBytesFactor: number;
  /** So much garbage in a value file, in percent, asks for a compaction that moves the rest out of it. */
  readonly valueGarbagePercent: number;
  /** Bounds what one compaction moves, once it has begun a file. */
  readonly tableBytes: number;
}

/** "dead-records" and "hidden": see `compaction-pressure.ts`. */
export type CompactionReason =
  | "level-0-count"
  | "level-size"
  | "value-garbage"
  | "dead-records"
  | "hidden"
  | "manual";

/** Tables to be merged into one level. Plain data. */
export interface Compaction {
  readonly reason: CompactionReason;
  /**
   * The upper level; inputs come from here and from `outputLevel` ("manual", "hidden": from every level between;
   * "value-garbage", "dead-records": or below level 0 one table, rewritten in its place).
   */
  readonly level: number;
  readonly outputLevel: number;
  /** Newest first: level by level, and within level 0 by number. */
  readonly inputs: readonly TableMeta[];
  /** The range of all inputs, hence of all outputs. */
  readonly smallest: Uint8Array;
  readonly largest: Uint8Array;
  readonly largestExcluded: boolean;
  /** The only input may change its level as it is. */
  readonly trivialMove: boolean;
  /** Nothing older of any key in the range lies in a level below the output's. */
  readonly bottom: boolean;
  /** Value files that the inputs' values leave. */
  readonly relocate: readonly number[];
}

const scoreFull = 100;
/** Values that one compaction moves, in tables' worth. */
const relocateTables = 4;
const noFiles: ReadonlySet<number> = new Set();

/**
 * What to compact next: from the level that exceeds its bound the most, the table that has waited longest
 * (the lowest number: outputs get new ones, so this goes round the level), with all it must take along; or, when
 * a value file exceeds its bound more, a table that points into it. Null when nothing asks for it, or none can
 * without touching what `running` reads or writes. `spoiled` are value files that can not be read: nothing is
 * moved out of them. A pure function.
 */
export function pickCompaction(
  version: Version,
  options: PickOptions,
  running: readonly Compaction[] = [],
  spoiled: ReadonlySet<number> = noFiles,
): Compaction | null {
  const busy = new Set(running.flatMap((compaction) => compaction.inputs.map((table) => table.number)));
  const worst = collectable(version, options, spoiled)[0];
  const garbageScore = worst === undefined ? 0 : valueScore(worst, options);
  const scored = version.levels
    .slice(0, levelsMax - 1)
    .map((tables, level) => {
      const idle = tables.filter((table) => !busy.has(table.number));
      return { level, idle, score: levelScore(level, idle, options) };
    })
    .filter((candidate) => candidate.score >= scoreFull)
    .sort((a, b) => b.score - a.score || a.level - b.level);
  const urgent = scored.filter((candidate) => candidate.score >= garbageScore);
  return (
    pickFromLevels(version, options, urgent, { running, spoiled }) ??
    pickValueGarbage(version, options, running, spoiled) ??
    pickFromLevels(version, options, scored.slice(urgent.length), { running, spoiled })
  );
}

/**
 * A table that points into a value file with too much garbage: it is rewritten where it stands, and what it points
 * to in such files moves into a new one. Null when there is none. A table of level 0 moves to level 1, because
 * level 0 is ordered by number.
 */
export function pickValueGarbage(
  version: Version,
  options: PickOptions,
  running: readonly Compaction[] = [],
  spoiled: ReadonlySet<number> = noFiles,
): Compaction | null {
  for (const { file } of collectable(version, options, spoiled)) {
    const tables = version.tables().filter((table) => table.valueRefs.some((ref) => ref.file === file.number));
    for (const seed of tables.sort((a, b) => a.number - b.number)) {
      const compaction = collectionFrom(version, seed, options, spoiled);
      if (!running.some((other) => collide(other, compaction))) return compaction;
    }
  }
  return null;
}

/** Everything into the deepest level in use. Null when there is nothing. Only while nothing else runs. */
export function pickFullCompaction(
  version: Version,
  options: PickOptions,
  spoiled: ReadonlySet<number> = noFiles,
): Compaction | null {
  const inputs = version.tables();
  if (inputs.length === 0) return null;
  return {
    reason: "manual",
    level: 0,
    outputLevel: Math.max(1, version.deepestLevel()),
    inputs,
    ...rangeOf(inputs),
    trivialMove: false,
    bottom: true,
    relocate: filesToLeave(version, inputs, options, spoiled),
  };
}

/** Bytes that may be written into new value files, when the values of `inputs` leave `relocate`. */
export function relocatedBytesMax(inputs: readonly TableMeta[], relocate: readonly number[]): number {
  let bytes = 0;
  for (const table of inputs) {
    // A value that stands in the table may be as long as the table.
    bytes += table.sizeBytes;
    for (const ref of table.valueRefs) if (relocate.includes(ref.file)) bytes += ref.bytes;
  }
  return bytes;
}

/**
 * The sorted runs among the inputs, newest first: each table of level 0, and what there is of each level
 * below.
 */
export function runsOf(inputs: readonly TableMeta[]): TableMeta[][] {
  const runs = inputs
    .filter((table) => table.level === 0)
    .sort((a, b) => b.number - a.number)
    .map((table) => [table]);
  for (let level = 1; level < levelsMax; level++) {
    const run = inputs.filter((table) => table.level === level);
    if (run.length > 0) runs.push(run.sort((a, b) => compareKeys(a.smallest, b.smallest)));
  }
  return runs;
}

/** Table numbers a compaction may need at most, when its outputs are cut at `tableBytes`. */
export function outputTablesMax(inputs: readonly TableMeta[], tableBytes: number): number {
  // Compressed inputs may become tables that are not.
  const totalBytes = inputs.reduce((sum, table) => sum + Math.max(table.sizeBytes, table.rawBytes), 0);
  return Math.floor(totalBytes / tableBytes) + 1;
}

/** How full a level is, in percent. */
export function levelScore(level: number, tables: readonly TableMeta[], options: PickOptions): number {
  if (level === 0) return Math.floor((tables.length * scoreFull) / options.level0TablesMax);
  const sizeBytes = tables.reduce((sum, table) => sum + table.sizeBytes, 0);
  return Math.floor((sizeBytes * scoreFull) / levelBytesMax(level, options));
}

/** Bytes that levels hold beyond their bounds: what compactions have to move. */
export function compactionDebtBytes(version: Version, options: PickOptions): number {
  let debt = 0;
  // The last level is not bounded.
  for (let level = 0; level < levelsMax - 1; level++) {
    const tables = version.levels[level] ?? [];
    if (levelScore(level, tables, options) < scoreFull) continue;
    const bytes = version.levelBytes(level);
    debt += level === 0 ? bytes : bytes - levelBytesMax(level, options);
  }
  return debt;
}

function levelBytesMax(level: number, options: PickOptions): number {
  let bytes = options.levelBytesBase;
  for (let i = 1; i < level; i++) bytes = Math.min(Number.MAX_SAFE_INTEGER, bytes * options.levelBytesFactor);
  return bytes;
}

interface Level {
  readonly level: number;
  readonly idle: readonly TableMeta[];
}

interface Others {
  readonly running: readonly Compaction[];
  readonly spoiled: ReadonlySet<number>;
}

function pickFromLevels(
  version: Version,
  options: PickOptions,
  levels: readonly Level[],
  others: Others,
): Compaction | null {
  for (const { level, idle } of levels) {
    const seeds = [...idle].sort((a, b) => a.number - b.number);
    for (const seed of seeds) {
      const compaction = compactionFrom(version, level, seed, options);
      if (others.running.some((other) => collide(other, compaction))) continue;
      // A move leaves values where they are; a merge takes those along that must leave their file.
      if (compaction.trivialMove) return compaction;
      return { ...compaction, relocate: filesToLeave(version, compaction.inputs, options, others.spoiled) };
    }
  }
  return null;
}

/** How full of garbage a value file is, measured as levels are: at 100 it asks for a compaction. */
function valueScore(usage: ValueUsage, options: PickOptions): number {
  return Math.floor((garbagePercent(usage) * scoreFull) / options.valueGarbagePercent);
}

/** Value files with too much garbage, the worst first. */
function collectable(
  version: Version,
  options: PickOptions,
  spoiled: ReadonlySet<number>,
): readonly ValueUsage[] {
  return version.values
    .filter((usage) => valueScore(usage, options) >= scoreFull && !spoiled.has(usage.file.number))
    .sort((a, b) => valueScore(b, options) - valueScore(a, options) || a.file.number - b.file.number);
}

/** The worst of the collectable files that `inputs` point into, as many as one compaction may empty of them. */
// oxlint-disable-next-line max-params
function filesToLeave(
  version: Version,
  inputs: readonly TableMeta[],
  options: PickOptions,
  spoiled: ReadonlySet<number>,
): readonly number[] {
  const files: number[] = [];
  let movedBytes = 0;
  for (const { file } of collectable(version, options, spoiled)) {
    const refs = inputs.flatMap((table) => table.valueRefs).filter((ref) => ref.file === file.number);
    if (refs.length === 0) continue;
    if (movedBytes >= relocateTables * options.tableBytes) break;
    files.push(file.number);
    movedBytes += refs.reduce((sum, ref) => sum + ref.bytes, 0);
  }
  return files;
}

// oxlint-disable-next-line max-params
function collectionFrom(
  version: Version,
  seed: TableMeta,
  options: PickOptions,
  spoiled: ReadonlySet<number>,
): Compaction {
  const base = seed.level === 0 ? compactionFrom(version, 0, seed, options) : rewriteOf(version, seed);
  const relocate = filesToLeave(version, base.inputs, options, spoiled);
  return { ...base, reason: "value-garbage", trivialMove: false, relocate };
}

/** One table, written anew where it stands. */
export function rewriteOf(version: Version, table: TableMeta): Compaction {
  return {
    reason: "value-garbage",
    level: table.level,
    outputLevel: table.level,
    inputs: [table],
    ...rangeOf([table]),
    trivialMove: false,
    bottom: isBottom(version, table.level, [table]),
    relocate: [],
  };
}

/** Nothing older of any key of `inputs` lies below `level`. */
export function isBottom(version: Version, level: number, inputs: readonly TableMeta[]): boolean {
  return !version.levels.some((tables, below) => below > level && overlapping(tables, inputs).length > 0);
}

export function compactionFrom(version: Version, level: number, seed: TableMeta, options: PickOptions): Compaction {
  const outputLevel = level + 1;
  const upper = level === 0 ? closure(version.level(0), seed) : expanded(version, seed, options);
  const lower = overlapping(version.level(outputLevel), upper);
  const inputs = [...upper, ...lower];
  const bottom = isBottom(version, outputLevel, inputs);
  return {
    reason: level === 0 ? "level-0-count" : "level-size",
    level,
    outputLevel,
    inputs,
    ...rangeOf(inputs),
    // A table with tombstones is rewritten where they can go at last.
    trivialMove: inputs.length === 1 && !(bottom && hasTombstones(seed)),
    bottom,
    relocate: [],
  };
}

function hasTombstones(table: TableMeta): boolean {
  return table.tombstoneCount > 0 || table.rangeTombstoneCount > 0;
}

/**
 * `seed` and all tables of level 0 that overlap it, directly or through each other: an older one left behind
 * would come to lie above newer records. Newest first, as the level is.
 */
function closure(tables: readonly TableMeta[], seed: TableMeta): readonly TableMeta[] {
  let chosen: readonly TableMeta[] = [seed];
  for (;;) {
    const larger = overlapping(tables, chosen);
    if (larger.length === chosen.length) return larger;
    chosen = larger;
  }
}

/** `seed`, or all tables of its level that can come along without taking more of the level below. */
function expanded(version: Version, seed: TableMeta, options: PickOptions): readonly TableMeta[] {
  const below = version.level(seed.level + 1);
  const lower = overlapping(below, [seed]);
  const upper = overlapping(version.level(seed.level), [seed, ...lower]);
  if (overlapping(below, upper).length > lower.length) return [seed];
  const sizeBytes = [...upper, ...lower].reduce((sum, table) => sum + table.sizeBytes, 0);
  return sizeBytes <= options.levelBytesBase ? upper : [seed];
}

/** Those of `tables` that overlap the range of `others`, in their order. */
function overlapping(tables: readonly TableMeta[], others: readonly TableMeta[]): readonly TableMeta[] {
  const range = rangeOf(others);
  return tables.filter((table) => rangesOverlap(table, range));
}

export function rangeOf(tables: readonly TableMeta[]): KeySpan {
  const [first, ...rest] = tables;
  assert(first !== undefined, "a range is that of some tables");
  let [{ smallest }, ends] = [first, first];
  for (const table of rest) {
    if (compareKeys(table.smallest, smallest) < 0) smallest = table.smallest;
    if (compareEnds(table, ends) > 0) ends = table;
  }
  return { smallest, largest: ends.largest, largestExcluded: ends.largestExcluded };
}

/** Two compactions may run at once when they share no level or no key. */
export function collide(a: Compaction, b: Compaction): boolean {
  if (a.reason === "manual" || b.reason === "manual") return true;
  const shareLevel = a.level <= b.outputLevel && b.level <= a.outputLevel;
  return shareLevel && rangesOverlap(a, b);
}
