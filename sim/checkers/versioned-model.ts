import { assert } from "../../core/assert.ts";
import { columnFamily, versionMax } from "../../core/bytes/record.ts";
import { versionMs } from "../../core/lsm/drop-rules.ts";
import { compareText, show } from "./text.ts";

/** A record as it was written. Keys and values are binary strings; a null value is a tombstone. */
export interface ModelRecord {
  readonly version: number;
  readonly value: string | null;
  readonly expiresAtMs: number;
}

export interface ModelEntry extends ModelRecord {
  readonly family: number;
  readonly key: string;
}

export interface ModelRange {
  readonly family: number;
  readonly start: string;
  /** Not included; null: the end of the family. */
  readonly end: string | null;
}

/** `entries` in the place of everything in `ranges`, together with a batch. */
export interface ModelReplacement {
  readonly ranges: readonly ModelRange[];
  readonly entries: readonly ModelEntry[];
  readonly batch: readonly ModelEntry[];
}

/** What a store of given versions should hold: per key all its records, by the simplest means. */
export class VersionedModel {
  /** By (family, key); versions ascend. */
  readonly #records = new Map<string, ModelRecord[]>();

  clone(): VersionedModel {
    const copy = new VersionedModel();
    for (const [id, records] of this.#records) copy.#records.set(id, [...records]);
    return copy;
  }

  apply(entries: readonly ModelEntry[]): void {
    for (const { family, key, version, value, expiresAtMs } of entries) {
      const id = idOf(family, key);
      const records = this.#records.get(id) ?? [];
      // Of two writes of one version the later one counts; only a batch has them.
      if (records.at(-1)?.version === version) records.pop();
      // A tombstone that another store had forgotten never came, so its version is free, and those below.
      if (family !== columnFamily.data && records.at(-1)?.value === null) records.length = 0;
      assert((records.at(-1)?.version ?? 0) < version, "a workload writes growing versions of a key");
      records.push({ version, value, expiresAtMs });
      this.#records.set(id, records);
    }
  }

  replace({ ranges, entries, batch }: ModelReplacement): void {
    for (const id of this.#records.keys()) {
      if (ranges.some((range) => isWithin(id, range))) this.#records.delete(id);
    }
    this.apply(entries);
    this.apply(batch);
  }

  /** All that stands in the ranges, in order. */
  entries(ranges: readonly ModelRange[]): ModelEntry[] {
    const ids = [...this.#records.keys()].sort(compareText);
    return ids
      .filter((id) => ranges.some((range) => isWithin(id, range)))
      .flatMap((id) => this.records(familyOf(id), id.slice(1)).map((record) => ({ ...placeOf(id), ...record })));
  }

  /** Versions ascend. */
  records(family: number, key: string): readonly ModelRecord[] {
    return this.#records.get(idOf(family, key)) ?? [];
  }

  newest(family: number, key: string, at: number): ModelRecord | null {
    return this.records(family, key).findLast(({ version }) => version <= at) ?? null;
  }

  /** Keys with any record, in order. */
  keys(family: number): string[] {
    const ids = [...this.#records.keys()].filter((id) => familyOf(id) === family);
    return ids.map((id) => id.slice(1)).sort(compareText);
  }

  /** Records that must be left when everything that may be forgotten was. */
  leastCount(safePoint: number): number {
    let count = 0;
    for (const [id, records] of this.#records) {
      const family = familyOf(id);
      if (family !== columnFamily.data) {
        if (records.at(-1)?.value !== null) count++;
        continue;
      }
      const base = records.findLast(({ version }) => version <= safePoint) ?? null;
      if (base !== null && !mayBeGone(family, base, safePoint)) count++;
      count += records.filter(({ version }) => version > safePoint).length;
    }
    return count;
  }
}

/** What is wrong with `found` where `expected` was written; null: nothing. What is dead may be forgotten. */
// oxlint-disable-next-line max-params
export function judgeRecord(
  family: number,
  expected: ModelRecord | null,
  found: ModelRecord | null,
  safePoint: number,
): string | null {
  if (expected === null) return found === null ? null : `${describe(found)} was never written`;
  if (found === null) {
    return mayBeGone(family, expected, safePoint) ? null : `nothing, where ${describe(expected)} is`;
  }
  const same = found.version === expected.version;
  if (same && found.value === expected.value && found.expiresAtMs === expected.expiresAtMs) return null;
  if (same && found.value === null && hasExpired(family, expected, safePoint)) return null;
  return `${describe(found)} instead of ${describe(expected)}`;
}

/** Whether nobody who may still read would miss the newest record that he finds. */
export function mayBeGone(family: number, record: ModelRecord, safePoint: number): boolean {
  if (family !== columnFamily.data) return record.value === null;
  if (record.version > safePoint) return false;
  return record.value === null || hasExpired(family, record, safePoint);
}

/** Its time was over for everybody who may still read: a value may have become a tombstone. */
export function hasExpired(family: number, { expiresAtMs }: ModelRecord, safePoint: number): boolean {
  if (family !== columnFamily.data || safePoint === 0 || expiresAtMs === 0) return false;
  return expiresAtMs <= versionMs(safePoint);
}

/** From where on all reads of a family are judged. */
export function readFloor(family: number, safePoint: number): number {
  return family === columnFamily.data ? safePoint : versionMax;
}

function describe({ version, value, expiresAtMs }: ModelRecord): string {
  const what = value === null ? "a tombstone" : show(value);
  return `${what} at ${version}${expiresAtMs === 0 ? "" : ` until ${expiresAtMs}`}`;
}

export function isWithin(id: string, { family, start, end }: ModelRange): boolean {
  if (familyOf(id) !== family) return false;
  const key = id.slice(1);
  return compareText(key, start) >= 0 && (end === null || compareText(key, end) < 0);
}

export function idOf(family: number, key: string): string {
  return String.fromCharCode(family) + key;
}

function familyOf(id: string): number {
  return id.charCodeAt(0);
}

function placeOf(id: string): { readonly family: number; readonly key: string } {
  return { family: familyOf(id), key: id.slice(1) };
}
