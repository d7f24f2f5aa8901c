import type { RegionHeader } from "../../net/rpc/request-codec.ts";
import type { RegionHint } from "../../net/rpc/rpc-error.ts";
import type { RegionMeta } from "../../raft/region.ts";
import type { Region } from "../client/region-cache.ts";

/** Regions remembered at most; beyond, all are forgotten and asked for again. */
const placesMax = 100_000;

interface Place {
  readonly version: number;
  readonly confVer: number;
  /** With a replica, ascending. */
  readonly stores: readonly number[];
  /** 0: unknown. */
  leader: number;
  /** Who is asked next while the leader is unknown: an index into `stores`. */
  turn: number;
}

export function regionOf({ id, start, end, epoch }: RegionMeta): Region {
  return { id, range: { start, end: end.length === 0 ? null : end }, version: epoch.version };
}

export function regionOfHint({ regionId, version, start, end }: RegionHint): Region {
  return { id: regionId, range: { start, end: end.length === 0 ? null : end }, version };
}

/** Where the replicas of regions are and who of them leads, as far as this client was told. */
export class RegionPlaces {
  readonly #places = new Map<number, Place>();

  /** `leader` 0: nobody knows. */
  learn(region: RegionMeta, leader: number): void {
    const { version, confVer } = region.epoch;
    const stores = region.peers.map(({ storeId }) => storeId).sort((a, b) => a - b);
    this.#put(region.id, { version, confVer, stores, leader, turn: 0 });
  }

  /** What `store` says of a region, answering for the region `asked`: what came of a split lies where it lay. */
  learnHint(hint: RegionHint, asked: number, store: number): void {
    const { regionId, version, confVer, leaderStore } = hint;
    const known = this.#places.get(regionId) ?? this.#places.get(asked);
    const stores = new Set([...(known?.stores ?? []), store]);
    if (leaderStore !== 0) stores.add(leaderStore);
    const sorted = [...stores].sort((a, b) => a - b);
    const turn = sorted.indexOf(store);
    this.#put(regionId, { version, confVer, stores: sorted, leader: leaderStore, turn });
  }

  lead(regionId: number, store: number): void {
    const place = this.#places.get(regionId);
    if (place !== undefined) place.leader = store;
  }

  /** `store` does not lead the region, or does not answer: whoever comes after it is asked next. */
  passOver(regionId: number, store: number): void {
    const place = this.#places.get(regionId);
    if (place === undefined) return;
    if (place.leader === store) place.leader = 0;
    const at = place.stores.indexOf(store);
    if (at >= 0) place.turn = (at + 1) % place.stores.length;
  }

  header({ id, version }: Region): RegionHeader {
    const place = this.#places.get(id);
    return { regionId: id, confVer: place?.confVer ?? 0, version, peerId: 0 };
  }

  /** Whom to ask; 0: no store is known. `avoids`: who has not answered lately, and is asked only when all have not. */
  target(regionId: number, avoids: (store: number) => boolean): number {
    const place = this.#places.get(regionId);
    if (place === undefined) return 0;
    const { stores, leader, turn } = place;
    if (leader !== 0 && !avoids(leader)) return leader;
    for (let i = 0; i < stores.length; i++) {
      const store = stores[(turn + i) % stores.length] as number;
      if (!avoids(store)) return store;
    }
    return leader === 0 ? (stores[turn % Math.max(1, stores.length)] ?? 0) : leader;
  }

  #put(regionId: number, place: Place): void {
    const known = this.#places.get(regionId);
    const isOlder =
      known !== undefined &&
      (known.version > place.version || (known.version === place.version && known.confVer > place.confVer));
    if (isOlder) return;
    if (known === undefined && this.#places.size >= placesMax) this.#places.clear();
    const leader = place.leader === 0 && known?.version === place.version ? known.leader : place.leader;
    this.#places.set(regionId, { ...place, leader });
  }
}
