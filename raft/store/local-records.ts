import { type Layout, decode, encode, oneOf, struct, u32, u53 } from "../../core/bytes/layout.ts";
import { columnFamily, versionMax } from "../../core/bytes/record.ts";
import type { VersionedBatch } from "../../core/engine/versioned-batch.ts";
import type { VersionedStore } from "../../core/engine/versioned-store.ts";
import { NokvError } from "../../core/errors.ts";
import type { LogIndex, PeerId, Term } from "../entry.ts";
import { type RegionMeta, regionLayout } from "../region.ts";
import { type MergeState, mergeStateLayout } from "./merge-state.ts";

/**
 * normal: the peer is there. tombstone: it was, and none of this id or a smaller one comes back; `region` is the one
 * that it was removed from, or that another region took. merging: it is there, and its region is frozen (`MergeState`).
 */
const peerStates = ["normal", "tombstone", "merging"] as const;
export type PeerState = (typeof peerStates)[number];

/** What a store holds of a region: in the same batch as the data that it describes (R4). */
export interface RegionLocalState {
  readonly state: PeerState;
  readonly peerId: PeerId;
  readonly region: RegionMeta;
}

/** How far the region's records are, and what they came from. */
export interface ApplyState {
  readonly index: LogIndex;
  readonly term: Term;
  /** The history hash at `index`. */
  readonly high: number;
  readonly low: number;
}

const regionLocalStateLayout: Layout<RegionLocalState> = struct({
  state: oneOf(peerStates),
  peerId: u53,
  region: regionLayout,
});
export const applyStateLayout: Layout<ApplyState> = struct({ index: u53, term: u53, high: u32, low: u32 });

/** First byte of a key of family `local`; behind it the region's id, big-endian. Never reused. */
const regionPrefix = 0x72;
const applyPrefix = 0x61;
const mergePrefix = 0x66;
const scanMax = 1024;

function keyOf(prefix: number, regionId: number): Uint8Array {
  const key = new Uint8Array(9);
  const view = new DataView(key.buffer);
  view.setUint8(0, prefix);
  view.setUint32(1, Math.floor(regionId / 0x1_0000_0000));
  view.setUint32(5, regionId >>> 0);
  return key;
}

function regionOf(key: Uint8Array): number {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return view.getUint32(1) * 0x1_0000_0000 + view.getUint32(5);
}

export function putRegionState(batch: VersionedBatch, store: VersionedStore, state: RegionLocalState): void {
  const value = encode(regionLocalStateLayout, state);
  batch.set(columnFamily.local, keyOf(regionPrefix, state.region.id), store.nextVersion(), value);
}

// oxlint-disable-next-line max-params
export function putApplyState(batch: VersionedBatch, store: VersionedStore, id: number, state: ApplyState): void {
  batch.set(columnFamily.local, keyOf(applyPrefix, id), store.nextVersion(), encode(applyStateLayout, state));
}

/** Null: its region is not frozen any more. */
// oxlint-disable-next-line max-params
export function putMergeState(
  batch: VersionedBatch,
  store: VersionedStore,
  regionId: number,
  merge: MergeState | null,
): void {
  const key = keyOf(mergePrefix, regionId);
  if (merge === null) batch.delete(columnFamily.local, key, store.nextVersion());
  else batch.set(columnFamily.local, key, store.nextVersion(), encode(mergeStateLayout, merge));
}

export function readMergeStates(store: VersionedStore): Map<number, MergeState> {
  return readAll(store, mergePrefix, mergeStateLayout);
}

export function readRegionStates(store: VersionedStore): Map<number, RegionLocalState> {
  return readAll(store, regionPrefix, regionLocalStateLayout);
}

export function readApplyStates(store: VersionedStore): Map<number, ApplyState> {
  return readAll(store, applyPrefix, applyStateLayout);
}

/** Throws `NOKV_CORRUPTION`. Ascending by region. */
function readAll<T>(store: VersionedStore, prefix: number, layout: Layout<T>): Map<number, T> {
  const found = new Map<number, T>();
  let start: Uint8Array = Uint8Array.of(prefix);
  for (;;) {
    const end = Uint8Array.of(prefix + 1);
    const wish = { family: columnFamily.local, start, end, versionMax, limit: scanMax, live: true };
    const entries = store.scan(wish);
    for (const { key, value } of entries) {
      const read = value === null || key.length !== 9 ? "its key or value is missing" : decode(layout, value);
      if (typeof read === "string") {
        const what = `a local record 0x${prefix.toString(16)} of region ${key.length === 9 ? regionOf(key) : "?"}`;
        throw new NokvError("NOKV_CORRUPTION", `${what} is damaged: ${read}; restore this store from its peers`);
      }
      found.set(regionOf(key), read.value);
    }
    const last = entries.at(-1);
    if (last === undefined || entries.length < scanMax) return found;
    start = Uint8Array.of(...last.key, 0);
  }
}
