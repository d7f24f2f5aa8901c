import type { RegionMeta } from "../region.ts";
import { peerById } from "../region.ts";
import type { Peer } from "./peer.ts";

export interface StalePeersParts {
  readonly storeId: number;
  /** Between two rounds of questions; so long a silence makes a learner wonder. */
  readonly roundTicks: number;
  /** All of them, ascending by region. */
  readonly peers: () => readonly Peer[];
  /** Sends the peer's question there. */
  readonly ask: (storeId: number, peer: Peer) => void;
}

/** In one round. A store with 10,000 regions is through with all of them in 40 minutes, at a second between rounds. */
const questionsMax = 4;

/**
 * Replicas that were removed while their store was away, and do not know it. A voter finds out when it asks for votes.
 * A learner never asks for any, and who sleeps relies on a store that is there, whatever became of the region since: so
 * these ask, in turn, whether they are members still. Who stands in the way of another region's records asks at once.
 */
export class StalePeers {
  readonly #parts: StalePeersParts;
  /** Regions that have moved on, to members whom the peer here does not know: by region, as somebody told. */
  readonly #movedOn = new Map<number, RegionMeta>();
  #leftTicks: number;
  /** Of the region that asked last. */
  #lastId = 0;
  /** How often everybody had a turn: so often, others are asked. */
  #lap = 0;

  constructor(parts: StalePeersParts) {
    this.#parts = parts;
    this.#leftTicks = parts.roundTicks;
  }

  tick(ticks: number): void {
    this.#leftTicks -= ticks;
    if (this.#leftTicks > 0) return;
    this.#leftTicks = this.#parts.roundTicks;
    this.#round();
  }

  /** `region`, newer than what the peer knows, has it as a member: its members can say more. */
  movedOn(region: RegionMeta): void {
    this.#movedOn.set(region.id, region);
  }

  gone(peer: Peer): void {
    this.#movedOn.delete(peer.regionId);
  }

  /** It has records that another region wants to bring. */
  obstructs(peer: Peer): void {
    if (!isUninformed(peer)) return;
    for (const storeId of this.#storesOf(peer)) this.#parts.ask(storeId, peer);
  }

  #round(): void {
    const peers = this.#parts.peers();
    const from = peers.findIndex(({ regionId }) => regionId > this.#lastId);
    if (from < 0) this.#lap++;
    let asked = 0;
    for (let at = Math.max(0, from); at < peers.length && asked < questionsMax; at++) {
      const peer = peers[at];
      if (peer === undefined) break;
      this.#lastId = peer.regionId;
      if (!this.#wonders(peer)) continue;
      const stores = this.#storesOf(peer);
      const storeId = stores[this.#lap % stores.length];
      if (storeId === undefined) continue;
      this.#parts.ask(storeId, peer);
      asked++;
    }
  }

  #wonders(peer: Peer): boolean {
    if (!isUninformed(peer)) return false;
    if (peer.raft.quiesced) return true;
    const isLearner = peerById(peer.region, peer.peerId)?.role === "learner";
    return isLearner && peer.silentTicks > this.#parts.roundTicks;
  }

  /** Of the members that are known of it. */
  #storesOf({ region, regionId }: Peer): number[] {
    const newer = this.#movedOn.get(regionId) ?? null;
    const isNewer = newer !== null && newer.epoch.confVer > region.epoch.confVer;
    const { peers } = isNewer ? newer : region;
    return peers.map(({ storeId }) => storeId).filter((storeId) => storeId !== this.#parts.storeId);
  }
}

/** Somebody else may know better. */
function isUninformed(peer: Peer): boolean {
  return peer.initialised && !peer.isLeader && peer.installing === null;
}
