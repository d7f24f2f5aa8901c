import type { RegionMeta } from "../../raft/region.ts";
import type { ModeFile, SeedRegion } from "../mode/mode-file.ts";

/** Peers of the seed's regions: behind the ids of the regions, so that no id is two things. */
const peerIdOffset = 100;

/** The regions between `bounds`, in order; with none, one region of everything. */
export function seedRegions(bounds: readonly Uint8Array[]): readonly SeedRegion[] {
  const offset = Math.max(peerIdOffset, bounds.length + 1);
  const none = new Uint8Array(0);
  return [none, ...bounds].map((start, i) => {
    return { regionId: i + 1, peerId: offset + i + 1, start, end: bounds[i] ?? none };
  });
}

/** As it begins: this store's peer is its only voter. */
export function regionMeta({ regionId, peerId, start, end }: SeedRegion, storeId: number): RegionMeta {
  return { id: regionId, start, end, epoch: { version: 1, confVer: 1 }, peers: [{ peerId, storeId, role: "voter" }] };
}

export function regionMetas({ regions, storeId }: ModeFile): readonly RegionMeta[] {
  return regions.map((region) => regionMeta(region, storeId));
}
