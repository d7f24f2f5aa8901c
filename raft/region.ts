import { type Layout, blob, list, oneOf, struct, u53 } from "../core/bytes/layout.ts";
import { compareKeys } from "../core/bytes/record.ts";
import type { RegionEpoch } from "./epoch.ts";

/**
 * What a replica is to its group. The last two exist between entering and leaving a joint configuration: one is a
 * voter of the new half only, the other of the old half only and a learner afterwards.
 */
const peerRoles = ["voter", "learner", "incoming-voter", "demoting-voter"] as const;
export type PeerRole = (typeof peerRoles)[number];

/** One replica. `peerId` is given out once in the life of a cluster; a store has at most one peer of a region. */
export interface RegionPeer {
  readonly peerId: number;
  readonly storeId: number;
  readonly role: PeerRole;
}

/**
 * A region's descriptor: local truth where it is applied, a view everywhere else. Keys in [start, end); an empty
 * `start` is below every key, an empty `end` above. Peers are sorted by `peerId`.
 */
export interface RegionMeta {
  readonly id: number;
  readonly start: Uint8Array;
  readonly end: Uint8Array;
  readonly epoch: RegionEpoch;
  readonly peers: readonly RegionPeer[];
}

/** The same, without the id and the epoch. */
export interface KeyRange {
  readonly start: Uint8Array;
  readonly end: Uint8Array;
}

export const epochLayout: Layout<RegionEpoch> = struct({ version: u53, confVer: u53 });
export const peerLayout: Layout<RegionPeer> = struct({ peerId: u53, storeId: u53, role: oneOf(peerRoles) });
export const regionLayout: Layout<RegionMeta> = struct({
  id: u53,
  start: blob,
  end: blob,
  epoch: epochLayout,
  peers: list(peerLayout),
});

/** Order of ends: an empty one is the last. */
export function compareRangeEnds(a: Uint8Array, b: Uint8Array): number {
  if (a.length === 0 || b.length === 0) return (a.length === 0 ? 1 : 0) - (b.length === 0 ? 1 : 0);
  return compareKeys(a, b);
}

/** `key` is before `end`, which may be the end of everything. */
export function isBeforeEnd(key: Uint8Array, end: Uint8Array): boolean {
  return end.length === 0 || compareKeys(key, end) < 0;
}

export function rangeContains(range: KeyRange, key: Uint8Array): boolean {
  return compareKeys(range.start, key) <= 0 && isBeforeEnd(key, range.end);
}

export function rangesOverlap(a: KeyRange, b: KeyRange): boolean {
  return isBeforeEnd(a.start, b.end) && isBeforeEnd(b.start, a.end);
}

export function sameRange(a: KeyRange, b: KeyRange): boolean {
  return compareKeys(a.start, b.start) === 0 && compareKeys(a.end, b.end) === 0;
}

export function peerOnStore(region: RegionMeta, storeId: number): RegionPeer | null {
  return region.peers.find((peer) => peer.storeId === storeId) ?? null;
}

export function peerById(region: RegionMeta, peerId: number): RegionPeer | null {
  return region.peers.find((peer) => peer.peerId === peerId) ?? null;
}

/** What makes `region` no descriptor, or null. */
export function regionProblem(region: RegionMeta): string | null {
  const { id, start, end, epoch, peers } = region;
  if (!isId(id)) return "its id is not a positive integer";
  if (end.length > 0 && compareKeys(start, end) >= 0) return "its range is empty";
  if (!isId(epoch.version) || !isId(epoch.confVer)) return "its epoch does not start at 1";
  if (peers.length === 0) return "it has no peers";
  const stores = new Set<number>();
  let last = 0;
  for (const { peerId, storeId } of peers) {
    if (!isId(peerId) || !isId(storeId)) return "a peer has no positive id or store";
    if (peerId <= last) return "its peers are not sorted by id, or one is there twice";
    if (stores.has(storeId)) return `store ${storeId} holds two of its peers`;
    last = peerId;
    stores.add(storeId);
  }
  return peers.some(({ role }) => role !== "learner") ? null : "none of its peers votes";
}

function isId(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1;
}

/** For people: `7 ["a", "m") v3 c2`. */
export function describeRegion(region: RegionMeta): string {
  const { id, start, end, epoch } = region;
  return `${id} [${describeKey(start, "-")}, ${describeKey(end, "-")}) v${epoch.version} c${epoch.confVer}`;
}

/** Printable ASCII as it is, else `hex:…`; `none` for no bytes. */
export function describeKey(key: Uint8Array, none: string): string {
  if (key.length === 0) return none;
  if (key.every((byte) => byte > 0x20 && byte < 0x7f)) return `"${String.fromCharCode(...key)}"`;
  return `hex:${[...key].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
