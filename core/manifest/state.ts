import { assert } from "../assert.ts";
import { compareKeys } from "../bytes/record.ts";
import { endsBefore } from "../lsm/table-meta.ts";
import type { TableMeta } from "../lsm/table-meta.ts";
import type { ValueFileMeta } from "../vlog/value-file.ts";
import { levelsMax } from "../lsm/version.ts";
import type { ManifestEdit } from "./edit.ts";
import { type FormatGate, standaloneGate } from "./format-gate.ts";

/** The structure of a database as its manifest tells it: the sum of all edits so far. */
export class ManifestState {
  logNumber = 0;
  nextFile = 0;
  lastVersion = 0;
  closedBytes = 0;
  gate: FormatGate = standaloneGate;
  /** Ascending. */
  listed: number[] = [];
  readonly tables = new Map<number, TableMeta>();
  readonly values = new Map<number, ValueFileMeta>();

  /** Takes `edit` in, or says why it can not follow; the state is then of no use. */
  apply(edit: ManifestEdit): string | null {
    const isFirst = this.nextFile === 0;
    if (isFirst !== (edit.kind === "base")) return isFirst ? "the first edit is not a base" : "a second base";
    if (edit.nextFile < 1 || edit.nextFile < this.nextFile) return "the next file number goes back";
    if (edit.lastVersion < this.lastVersion) return "the last version goes back";
    if (edit.logNumber < this.logNumber) return "the log number goes back";
    this.nextFile = edit.nextFile;
    this.lastVersion = edit.lastVersion;
    this.logNumber = edit.logNumber;
    this.closedBytes = edit.closedBytes;
    if (edit.gate !== null) this.gate = edit.gate;
    return this.#applySegments(edit) ?? this.#applyTables(edit) ?? this.#applyValues(edit);
  }

  /** All of it as one edit. */
  base(): ManifestEdit {
    assert(this.nextFile > 0, "a state begins with a base");
    return {
      kind: "base",
      logNumber: this.logNumber,
      nextFile: this.nextFile,
      lastVersion: this.lastVersion,
      closedBytes: this.closedBytes,
      listed: this.listed,
      removed: [],
      added: this.tablesInOrder(),
      valuesRemoved: [],
      valuesAdded: this.valuesInOrder(),
      // Only where it says something: a directory that never was anything else stays readable for older programs.
      gate: this.gate.mode === "standalone" ? null : this.gate,
    };
  }

  /** By number, so that equal states give equal bytes. */
  tablesInOrder(): TableMeta[] {
    return [...this.tables.values()].sort((a, b) => a.number - b.number);
  }

  valuesInOrder(): ValueFileMeta[] {
    return [...this.values.values()].sort((a, b) => a.number - b.number);
  }

  /** What tables say of value files must be what the manifest says of them. Null: it is. */
  valueProblem(): string | null {
    const liveBytes = new Map([...this.values.keys()].map((number) => [number, 0]));
    for (const table of this.tablesInOrder()) {
      for (const { file, bytes } of table.valueRefs) {
        const before = liveBytes.get(file);
        if (before === undefined) return `table ${table.number} points into value file ${file}, which is unknown`;
        liveBytes.set(file, before + bytes);
      }
    }
    for (const { number, separableBytes } of this.valuesInOrder()) {
      const bytes = liveBytes.get(number) ?? 0;
      if (bytes === 0) return `no table points into value file ${number}`;
      if (bytes > separableBytes) return `tables point to more than value file ${number} holds`;
    }
    return null;
  }

  newestTableVersion(): number {
    let newest = 0;
    for (const table of this.tables.values()) newest = Math.max(newest, table.maxVersion);
    return newest;
  }

  /** Tables of one level below the first never overlap: a read looks into one of them only. */
  overlap(): string | null {
    const tables = this.tablesInOrder().filter((table) => table.level > 0);
    tables.sort((a, b) => a.level - b.level || compareKeys(a.smallest, b.smallest));
    for (let i = 1; i < tables.length; i++) {
      const before = tables[i - 1];
      const table = tables[i];
      assert(before !== undefined && table !== undefined, "the index is within the array");
      if (before.level === table.level && !endsBefore(before, table.smallest)) {
        return `tables ${before.number} and ${table.number} of level ${table.level} overlap`;
      }
    }
    return null;
  }

  #applySegments(edit: ManifestEdit): string | null {
    const listed = this.listed.filter((number) => number >= edit.logNumber);
    for (const number of edit.listed) {
      if (number < edit.logNumber || number >= edit.nextFile) return `WAL segment ${number} is out of range`;
      const newest = listed[listed.length - 1] ?? 0;
      if (number <= newest) return `WAL segment ${number} is listed out of order`;
      listed.push(number);
    }
    this.listed = listed;
    return null;
  }

  #applyTables(edit: ManifestEdit): string | null {
    for (const number of edit.removed) {
      if (!this.tables.delete(number)) return `table ${number} is removed but was never added`;
    }
    for (const table of edit.added) {
      if (this.tables.has(table.number)) return `table ${table.number} is added twice`;
      if (table.number < 1 || table.number >= edit.nextFile) return `table ${table.number} is out of range`;
      if (table.level >= levelsMax) return `table ${table.number} is on impossible level ${table.level}`;
      if (endsBefore(table, table.smallest)) {
        return `table ${table.number} ends before it begins`;
      }
      if (table.minVersion > table.maxVersion) return `the versions of table ${table.number} are reversed`;
      if (table.maxVersion > edit.lastVersion) {
        return `table ${table.number} holds versions not given out yet`;
      }
      this.tables.set(table.number, table);
    }
    return null;
  }

  #applyValues(edit: ManifestEdit): string | null {
    for (const number of edit.valuesRemoved) {
      if (!this.values.delete(number)) return `value file ${number} is removed but was never added`;
    }
    for (const file of edit.valuesAdded) {
      if (this.values.has(file.number)) return `value file ${file.number} is added twice`;
      if (file.number < 1 || file.number >= edit.nextFile) return `value file ${file.number} is out of range`;
      // A segment that is still replayed must not be one that values are read from.
      if (file.kind === "log" && file.number >= edit.logNumber) {
        return `value file ${file.number} is a segment of the log in use`;
      }
      this.values.set(file.number, file);
    }
    return null;
  }
}
