import { type ContentSum, contentSumLayout } from "../../core/bytes/content-hash.ts";
import {
  blob,
  decode,
  encode,
  type Layout,
  list,
  nullable,
  struct,
  text,
  u53,
  u8,
} from "../../core/bytes/layout.ts";
import { columnFamily, versionMax } from "../../core/bytes/record.ts";
import type { VersionedBatch } from "../../core/engine/versioned-batch.ts";
import type { VersionedStore } from "../../core/engine/versioned-store.ts";
import { NokvError } from "../../core/errors.ts";
import type { ModeFile, SeedRegion } from "../mode/mode-file.ts";

/** In family `local`: what MODE said when the seed was made, in one batch with it. */
const recordKey = Uint8Array.of(0x4d);
const formatVersion = 1;

export type MigrationRecord = Omit<ModeFile, "mode" | "step">;

const regionLayout: Layout<SeedRegion> = struct({ regionId: u53, peerId: u53, start: blob, end: blob });
const layout: Layout<MigrationRecord & { readonly format: number }> = struct({
  format: u8,
  migrationId: text,
  clusterId: text,
  storeId: u53,
  regions: list(regionLayout),
  baseTs: u53,
  verify: nullable<ContentSum>(contentSumLayout),
});

export function putMigrationRecord(batch: VersionedBatch, store: VersionedStore, record: MigrationRecord): void {
  batch.set(columnFamily.local, recordKey, store.nextVersion(), encodeRecord(record));
}

/** Null: the directory was never made a seed. Throws `NOKV_CORRUPTION`. */
export function readMigrationRecord(store: Pick<VersionedStore, "newest">): MigrationRecord | null {
  const found = store.newest(columnFamily.local, recordKey, versionMax);
  if (found === null || found.value === null) return null;
  const read = decode(layout, found.value);
  if (typeof read !== "string" && read.value.format === formatVersion) {
    const { format: _format, ...record } = read.value;
    return record;
  }
  const what = typeof read === "string" ? read : `format ${read.value.format}; this program knows ${formatVersion}`;
  throw new NokvError("NOKV_CORRUPTION", `the record of the migration: ${what}; restore the directory from a copy`);
}

/** Equal: made by one migration, with one outcome. */
export function sameRecord(one: MigrationRecord, other: MigrationRecord): boolean {
  const [a, b] = [one, other].map(encodeRecord);
  return a !== undefined && b !== undefined && a.length === b.length && a.every((byte, i) => byte === b[i]);
}

export function recordOf({ mode: _mode, step: _step, ...record }: ModeFile): MigrationRecord {
  return record;
}

function encodeRecord(record: MigrationRecord): Uint8Array {
  return encode(layout, { format: formatVersion, ...record });
}
