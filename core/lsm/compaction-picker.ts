import { assert } from "../assert.ts";
import { compareKeys } from "../bytes/record.ts";
import { rangesOverlap } from "./table-meta.ts";
import type { TableMeta } from "./table-meta.ts";
import { levelsMax } from "./version.ts";
import type { Version } from "./version.ts";

export interface PickOptions {
  /** So many tables in level 0 ask for a compaction. */
  readonly level0TablesMax: number;
  /** Size of level 1; each level below holds `levelBytesFactor` times more. The last one is not bounded. */
  readonly levelBytesBase: number;
  readonly levelBytesFactor: number;
}

export type CompactionReason = "level-0-count" | "level-size" | "manual";

/** Tables to be merged into one level. Plain data. */
export interface Compaction {
  readonly reason: CompactionReason;
  /** The upper level; inputs come from here and from `outputLevel` ("manual": from every level). */
  readonly level: number;
  readonly outputLevel: number;
  /** Newest first: level by level, and within level 0 by number. */
  readonly inputs: readonly TableMeta[];
  /** The range of all inputs, hence of all outputs. */
  readonly smallest: Uint8Array;
  readonly largest: Uint8Array;
  /** The only input may change its level as it is. */
  readonly trivialMove: boolean;
  /** Nothing older of any key in the range lies in a level below the output's. */
  readonly bottom: boolean;
}

const scoreFull = 100;

/**
 * What to compact next: from the level that exceeds its bound the most, the table that has waited longest
 * (the lowest number: outputs get new ones, so this goes round the level), with all it must take along.
 * Null when no level asks for it, or none can without touching what `running` reads or writes. A pure
 * function.
 */
export function pickCompaction(
  version: Version,
  options: PickOptions,
  running: readonly Compaction[] = [],
): Compaction | null {
  const busy = new Set(running.flatMap((compaction) => compaction.inputs.map((table) => table.number)));
  const scored = version.levels
    .slice(0, levelsMax - 1)
    .map((tables, level) => {
      const idle = tables.filter((table) => !busy.has(table.number));
      return { level, idle, score: levelScore(level, idle, options) };
    })
    .filter((candidate) => candidate.score >= scoreFull)
    .sort((a, b) => b.score - a.score || a.level - b.level);
  for (const { level, idle } of scored) {
    const seeds = [...idle].sort((a, b) => a.number - b.number);
    for (const seed of seeds) {
      const compaction = compactionFrom(version, level, seed, options);
      if (!running.some((other) => collide(other, compaction))) return compaction;
    }
  }
  return null;
}

/** Everything into the deepest level in use. Null when there is nothing. Only while nothing else runs. */
export function pickFullCompaction(version: Version): Compaction | null {
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
  };
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

function levelBytesMax(level: number, options: PickOptions): number {
  let bytes = options.levelBytesBase;
  for (let i = 1; i < level; i++) bytes = Math.min(Number.MAX_SAFE_INTEGER, bytes * options.levelBytesFactor);
  return bytes;
}

function compactionFrom(version: Version, level: number, seed: TableMeta, options: PickOptions): Compaction {
  const outputLevel = level + 1;
  const upper = level === 0 ? closure(version.level(0), seed) : expanded(version, seed, options);
  const lower = overlapping(version.level(outputLevel), upper);
  const inputs = [...upper, ...lower];
  const bottom = !version.levels.some(
    (tables, below) => below > outputLevel && overlapping(tables, inputs).length > 0,
  );
  return {
    reason: level === 0 ? "level-0-count" : "level-size",
    level,
    outputLevel,
    inputs,
    ...rangeOf(inputs),
    // A table with tombstones is rewritten where they can go at last.
    trivialMove: inputs.length === 1 && !(bottom && seed.tombstoneCount > 0),
    bottom,
  };
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
  const { smallest, largest } = rangeOf(others);
  return tables.filter((table) => rangesOverlap(table.smallest, table.largest, smallest, largest));
}

function rangeOf(tables: readonly TableMeta[]): { smallest: Uint8Array; largest: Uint8Array } {
  const [first, ...rest] = tables;
  assert(first !== undefined, "a range is that of some tables");
  let { smallest, largest } = first;
  for (const table of rest) {
    if (compareKeys(table.smallest, smallest) < 0) smallest = table.smallest;
    if (compareKeys(table.largest, largest) > 0) largest = table.largest;
  }
  return { smallest, largest };
}

/** Two compactions may run at once when they share no level or no key. */
function collide(a: Compaction, b: Compaction): boolean {
  if (a.reason === "manual" || b.reason === "manual") return true;
  const shareLevel = a.level <= b.outputLevel && b.level <= a.outputLevel;
  return shareLevel && rangesOverlap(a.smallest, a.largest, b.smallest, b.largest);
}
