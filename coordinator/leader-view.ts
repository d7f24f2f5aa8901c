import type { RegionMeta } from "../raft/region.ts";
import { forgetGone } from "./region-map.ts";

export interface RegionLeader {
  readonly peerId: number;
  readonly storeId: number;
  readonly term: number;
}

interface Told {
  readonly leader: RegionLeader;
  /** Of the word that told of it. */
  readonly seq: number;
}

/** Who leads which region, as far as heartbeats have told. Forgotten with the process. */
export class LeaderView {
  readonly #leaders = new Map<number, Told>();

  of(regionId: number): RegionLeader | null {
    return this.#leaders.get(regionId)?.leader ?? null;
  }

  /** The highest term known of; 0: none. */
  termOf(regionId: number): number {
    return this.#leaders.get(regionId)?.leader.term ?? 0;
  }

  /** False: a leader of a later term is known, or this one has said more since: `seq` grows with its words. */
  // oxlint-disable-next-line max-params
  hear(region: RegionMeta, peerId: number, term: number, seq: number): boolean {
    const told = this.#leaders.get(region.id);
    const known = told?.leader;
    if (known !== undefined && known.term > term) return false;
    if (told?.leader.term === term && told.seq > seq) return false;
    const peer = region.peers.find((candidate) => candidate.peerId === peerId);
    if (peer !== undefined) this.#leaders.set(region.id, { leader: { peerId, storeId: peer.storeId, term }, seq });
    return true;
  }

  prune(regions: readonly RegionMeta[]): void {
    forgetGone(this.#leaders, regions);
  }
}
