import { NokvError } from "../../core/errors.ts";
import { type Layout, decode, encode, struct, u53, u8 } from "../../core/bytes/layout.ts";
import { columnFamily, versionMax } from "../../core/bytes/record.ts";
import type { VersionedBatch } from "../../core/engine/versioned-batch.ts";
import type { VersionedStore } from "../../core/engine/versioned-store.ts";
import { machineStateKey } from "../../raft/store/machine-state.ts";

/** How far garbage was collected in a region: part of its replicated state (`View`). */
export interface GcState {
  readonly floor: number;
  readonly safePoint: number;
}

const gcFormatVersion = 1;
const gcLayout: Layout<GcState & { readonly format: number }> = struct({ format: u8, floor: u53, safePoint: u53 });

/** Throws `NOKV_CORRUPTION`. A region that has no record never collected anything. */
export function readGcState(store: VersionedStore, regionId: number): GcState {
  const found = store.newest(columnFamily.local, machineStateKey(regionId), versionMax);
  if (found === null || found.value === null) return { floor: 0, safePoint: 0 };
  const read = decode(gcLayout, found.value);
  if (typeof read === "string" || read.value.format !== gcFormatVersion) {
    const what = typeof read === "string" ? read : `format ${read.value.format}; this program knows ${gcFormatVersion}`;
    throw new NokvError("NOKV_CORRUPTION", `garbage collection of region ${regionId}: ${what}; restore this peer`);
  }
  const { floor, safePoint } = read.value;
  return { floor, safePoint };
}

// oxlint-disable-next-line max-params
export function putGcState(batch: VersionedBatch, store: VersionedStore, regionId: number, state: GcState): void {
  const value = encode(gcLayout, { format: gcFormatVersion, ...state });
  batch.set(columnFamily.local, machineStateKey(regionId), store.nextVersion(), value);
}
