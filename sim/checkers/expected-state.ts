import { compareText, show } from "./text.ts";

/** What an ordered store holds, as a model sees it: keys and values are binary strings. */
export interface ModelEntry {
  readonly value: string;
  /** 0: never. */
  readonly expiresAtMs: number;
}

/** By `modelKey`. */
export type ModelState = ReadonlyMap<string, ModelEntry>;

/** Binary strings end here: a first character above says which family a key is of. Family 0 has none. */
const familyBase = 0x100;

/** The key of a model that stands for `key` of a column family. The keys of a family stay together, in order. */
export function modelKey(family: number, key: string): string {
  return family === 0 ? key : String.fromCharCode(familyBase + family) + key;
}

export function familyOf(key: string): number {
  return Math.max(0, key.charCodeAt(0) - familyBase) || 0;
}

/** One pair that a read returned; its key as `modelKey` has it. */
export interface SeenEntry extends ModelEntry {
  readonly key: string;
}

/**
 * When a read may have judged lifetimes, in Unix milliseconds. The store's present was somewhere in
 * [earliestMs, latestMs]; `highestMs` is the highest present that any incarnation before may have seen: what
 * had expired by then may have been dropped for good, even if a clock went back since.
 */
export interface ReadInstant {
  readonly earliestMs: number;
  readonly latestMs: number;
  readonly highestMs: number;
}

/** A read at one known instant, such as that of a snapshot. */
export function exactly(ms: number): ReadInstant {
  return { earliestMs: ms, latestMs: ms, highestMs: ms };
}

export interface ScanBounds {
  readonly gt?: string;
  readonly gte?: string;
  readonly lt?: string;
  readonly lte?: string;
  readonly reverse?: boolean;
  readonly limit?: number;
  /** Absent: 0. */
  readonly family?: number;
}

/** Judges a point read. Null: as `state` demands; else what is wrong. */
export function judgeGet(
  state: ModelState,
  key: string,
  seen: { readonly value: string } | null,
  instant: ReadInstant,
): string | null {
  const entry = state.get(key);
  if (seen === null) {
    if (entry === undefined || mayBeGone(entry, instant)) return null;
    return `key ${show(key)} reads as nothing, expected ${showEntry(entry)}`;
  }
  if (entry === undefined) return `key ${show(key)} reads as ${show(seen.value)}, expected nothing`;
  if (entry.value !== seen.value) {
    return `key ${show(key)} reads as ${show(seen.value)}, expected ${showEntry(entry)}`;
  }
  return isGone(entry, instant) ? `key ${show(key)} outlived ${entry.expiresAtMs}ms` : null;
}

/** Judges everything a scan returned, in the order in which it did. Null: as `state` demands. */
export function judgeScan(
  state: ModelState,
  bounds: ScanBounds,
  seen: readonly SeenEntry[],
  instant: ReadInstant,
): string | null {
  const limit = bounds.limit ?? Infinity;
  if (seen.length > limit) return `scan returned ${seen.length} entries, limit ${limit}`;
  let at = 0;
  for (const key of keysWithin(state, bounds)) {
    if (at === limit) break;
    const entry = state.get(key) as ModelEntry;
    const found = seen[at];
    if (found === undefined || found.key !== key) {
      if (mayBeGone(entry, instant)) continue;
      const got = found === undefined ? "its end" : show(found.key);
      return `scan reached ${got} where ${show(key)} = ${showEntry(entry)} was expected`;
    }
    const problem = judgeGet(state, key, found, instant);
    if (problem !== null) return `scan: ${problem}`;
    if (found.expiresAtMs !== entry.expiresAtMs) {
      return `scan: key ${show(key)} expires at ${found.expiresAtMs}, expected ${entry.expiresAtMs}`;
    }
    at++;
  }
  const extra = seen[at];
  return extra === undefined ? null : `scan returned ${show(extra.key)}, which is out of place`;
}

/** Judges forward scans over every family there is, one after another. Null: as `state` demands. */
export function judgeEverything(
  state: ModelState,
  seen: readonly SeenEntry[],
  instant: ReadInstant,
): string | null {
  const families = new Set([...state.keys(), ...seen.map((entry) => entry.key)].map(familyOf));
  for (const family of families) {
    const own = seen.filter((entry) => familyOf(entry.key) === family);
    const problem = judgeScan(state, { family }, own, instant);
    if (problem !== null) return problem;
  }
  return null;
}

function keysWithin(state: ModelState, bounds: ScanBounds): readonly string[] {
  const { gt, gte, lt, lte, family = 0 } = bounds;
  const keys = [...state.keys()].filter(
    (key) =>
      familyOf(key) === family &&
      (gt === undefined || key > modelKey(family, gt)) &&
      (gte === undefined || key >= modelKey(family, gte)) &&
      (lt === undefined || key < modelKey(family, lt)) &&
      (lte === undefined || key <= modelKey(family, lte)),
  );
  keys.sort(compareText);
  return bounds.reverse === true ? keys.reverse() : keys;
}

/** Certainly expired at the instant of the read. */
function isGone(entry: ModelEntry, instant: ReadInstant): boolean {
  return entry.expiresAtMs !== 0 && entry.expiresAtMs <= instant.earliestMs;
}

/** Possibly expired at the instant of the read, or dropped because it had expired earlier. */
function mayBeGone(entry: ModelEntry, instant: ReadInstant): boolean {
  const latest = Math.max(instant.latestMs, instant.highestMs);
  return entry.expiresAtMs !== 0 && entry.expiresAtMs <= latest;
}

function showEntry(entry: ModelEntry): string {
  const lifetime = entry.expiresAtMs === 0 ? "" : ` until ${entry.expiresAtMs}ms`;
  return show(entry.value) + lifetime;
}
