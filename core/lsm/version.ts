import { assert } from "../assert.ts";
import { compareKeys } from "../bytes/record.ts";
import type { ValueFileMeta, ValueUsage } from "../vlog/value-file.ts";
import { endsBefore } from "./table-meta.ts";
import type { TableMeta } from "./table-meta.ts";

/** One change of the set of tables, as the manifest records it. */
export interface VersionEdit {
  readonly added: readonly TableMeta[];
  /** Numbers of tables that leave; a table that changes level is removed and added. */
  readonly removed: readonly number[];
  /** Value files that the added tables point into and none before did. */
  readonly valuesAdded?: readonly ValueFileMeta[];
}

/** No sane tree is deeper: with a factor of 10 the last of them holds 10^6 times the first. */
export const levelsMax = 7;

/**
 * Which tables make up the store, by level. Immutable. Level 0: newest first, ranges may overlap. Levels
 * below: sorted by key, ranges disjoint. For one key, everything in a level is newer than everything
 * further down.
 */
export class Version {
  readonly levels: readonly (readonly TableMeta[])[];
  /** The value files that its tables point into, and no others; ascending. */
  readonly values: readonly ValueUsage[];

  private constructor(levels: readonly (readonly TableMeta[])[], values: readonly ValueUsage[]) {
    this.levels = levels;
    this.values = values;
  }

  static empty(): Version {
    return new Version(Array.from({ length: levelsMax }, () => []), []);
  }

  static of(tables: readonly TableMeta[], values: readonly ValueFileMeta[] = []): Version {
    return Version.empty().apply({ added: tables, removed: [], valuesAdded: values });
  }

  /** The edit is all or nothing; one that does not fit this version is a defect of its author. */
  apply(edit: VersionEdit): Version {
    const removed = new Set(edit.removed);
    assert(removed.size === edit.removed.length, "an edit removes a table once");
    const levels = this.levels.map((tables) => tables.filter((table) => !removed.has(table.number)));
    const left = this.tableCount() - levels.reduce((sum, tables) => sum + tables.length, 0);
    assert(left === removed.size, "an edit removes tables that are there");
    for (const table of edit.added) {
      const level = levels[table.level];
      assert(level !== undefined, "a table's level exists");
      level.push(table);
    }
    levels[0]?.sort((a, b) => b.number - a.number);
    for (const level of levels.slice(1)) level.sort((a, b) => compareKeys(a.smallest, b.smallest));
    const files = [...this.valueFiles(), ...(edit.valuesAdded ?? [])];
    const next = new Version(levels, valueUsage(levels.flat(), files));
    next.check();
    return next;
  }

  /** Asserts what the class promises. */
  check(): void {
    assert(this.levels.length === levelsMax, "a version has all levels");
    for (const { file, liveBytes } of this.values) {
      assert(liveBytes <= file.separableBytes, "tables point to no more than a value file was made for");
    }
    const numbers = new Set<number>();
    for (const [level, tables] of this.levels.entries()) {
      for (const [i, table] of tables.entries()) {
        assert(table.level === level, "a table stands in its level");
        assert(!numbers.has(table.number), "a table stands in one level");
        assert(!endsBefore(table, table.smallest), "a table's range is not reversed");
        assert(table.minVersion <= table.maxVersion, "a table's versions are not reversed");
        numbers.add(table.number);
        const before = tables[i - 1];
        if (before === undefined) continue;
        if (level === 0) assert(before.number > table.number, "level 0 is ordered newest first");
        else assert(endsBefore(before, table.smallest), "a level below 0 is disjoint");
      }
    }
  }

  level(level: number): readonly TableMeta[] {
    const tables = this.levels[level];
    assert(tables !== undefined, "a level exists");
    return tables;
  }

  /** All tables, level by level. */
  tables(): readonly TableMeta[] {
    return this.levels.flat();
  }

  valueFiles(): ValueFileMeta[] {
    return this.values.map((usage) => usage.file);
  }

  tableCount(): number {
    return this.levels.reduce((sum, tables) => sum + tables.length, 0);
  }

  /** Newest version in any table; 0 when there is none. */
  maxVersion(): number {
    let newest = 0;
    for (const table of this.tables()) newest = Math.max(newest, table.maxVersion);
    return newest;
  }

  levelBytes(level: number): number {
    return this.level(level).reduce((sum, table) => sum + table.sizeBytes, 0);
  }

  /** The deepest level that holds a table; 0 when there is none. */
  deepestLevel(): number {
    return Math.max(0, this.levels.findLastIndex((tables) => tables.length > 0));
  }
}

/** Of `files` those that `tables` point into, with what they point to. */
function valueUsage(tables: readonly TableMeta[], files: readonly ValueFileMeta[]): ValueUsage[] {
  const usage = new Map(files.map((file) => [file.number, { file, liveRecords: 0, liveBytes: 0 }]));
  assert(usage.size === files.length, "a value file is added once");
  for (const table of tables) {
    for (const ref of table.valueRefs) {
      const used = usage.get(ref.file);
      assert(used !== undefined, "a table points into value files that are there");
      used.liveRecords += ref.records;
      used.liveBytes += ref.bytes;
    }
  }
  return [...usage.values()]
    .filter((used) => used.liveRecords > 0)
    .sort((a, b) => a.file.number - b.file.number);
}
