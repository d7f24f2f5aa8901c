import type { RaftLimits } from "../raft-options.ts";
import type { Peer } from "./peer.ts";

export interface ElectionTurnsParts {
  readonly raft: RaftLimits;
  /** That stand at a time. */
  readonly campaignsMax: number;
  /** A replica that slept behind a lost leader stands. */
  readonly stood: () => void;
}

/** From the end of a store's epoch to the first campaign: the others have noticed it by then, too. */
const noticeTicks = 1;

/**
 * Who of a store's replicas stands for election, and when. Thousands that lose their leader at once would take longer,
 * all of them together, than any of them waits for an answer: so a bounded number stands at a time. A place is free
 * again when its election is decided, or when it would stand again. That time is drawn anew for each: two stores whose
 * places came free at fixed distances would divide the votes of the same region again and again.
 */
export class ElectionTurns {
  readonly #parts: ElectionTurnsParts;
  /** Between those who would stand for the same region. */
  readonly #turnTicks: number;
  /** Who sleeps behind a leader that is lost, and the tick at which it stands. */
  readonly #orphans = new Map<Peer, number>();
  /** Who stands. */
  readonly #standing = new Set<Peer>();

  constructor(parts: ElectionTurnsParts) {
    this.#parts = parts;
    this.#turnTicks = Math.max(1, parts.raft.electionTicks >> 1);
  }

  get busy(): boolean {
    return this.#orphans.size > 0;
  }

  isOrphan(peer: Peer): boolean {
    return this.#orphans.has(peer);
  }

  gone(peer: Peer): void {
    this.#orphans.delete(peer);
    this.#standing.delete(peer);
  }

  /**
   * They have lost the same store's leaders. `rankOf`: how many others of its region stand before it. Those are let
   * pass, with as many turns as there are orphans here, about as many as there are there.
   */
  lost(peers: readonly Peer[], nowTick: number, rankOf: (peer: Peer) => number): void {
    const spreadTicks = Math.ceil((this.#orphans.size + peers.length) / this.#parts.campaignsMax);
    for (const peer of peers) {
      if (this.#orphans.has(peer)) continue;
      const waitTicks = rankOf(peer) * (this.#turnTicks + spreadTicks - 1);
      this.#orphans.set(peer, nowTick + noticeTicks + waitTicks);
    }
  }

  /** `awake`: their ticks have passed; those who are due by them wait for this. */
  tick(nowTick: number, awake: readonly Peer[]): void {
    for (const peer of this.#standing) {
      if (peer.closed || !peer.raft.stands || peer.raft.overdueTicks >= 0) this.#standing.delete(peer);
    }
    for (const peer of this.#due(awake)) this.#stand(peer);
    for (const [peer, tick] of this.#orphans) {
      // Somebody else has woken it: its own timer runs.
      if (peer.closed || !peer.raft.quiesced) this.#orphans.delete(peer);
      else if (tick <= nowTick && this.#hasPlace) this.#standUp(peer);
    }
  }

  get #hasPlace(): boolean {
    return this.#standing.size < this.#parts.campaignsMax;
  }

  /** As many as there are places, those first who have waited for longest, but after others of their region. */
  #due(awake: readonly Peer[]): readonly Peer[] {
    const due = awake.filter((peer) => !peer.closed && peer.raft.overdueTicks >= 0);
    const places = Math.max(0, this.#parts.campaignsMax - this.#standing.size);
    if (due.length <= places) return due;
    const waited = new Map(due.map((peer) => [peer, peer.raft.overdueTicks - this.#turnOf(peer) * this.#turnTicks]));
    const order = (peer: Peer): number => waited.get(peer) ?? 0;
    return due.toSorted((a, b) => order(b) - order(a) || a.regionId - b.regionId).slice(0, places);
  }

  /** Stores in which all are due at once do not begin with the same regions. */
  #turnOf(peer: Peer): number {
    if (!peer.initialised) return 0;
    const { peers } = peer.region;
    const at = peers.findIndex(({ peerId }) => peerId === peer.peerId);
    return (peer.regionId + at) % Math.max(1, peers.length);
  }

  #standUp(peer: Peer): void {
    this.#orphans.delete(peer);
    this.#parts.stood();
    peer.input({ kind: "forgetLeader" });
    this.#stand(peer);
  }

  #stand(peer: Peer): void {
    this.#standing.add(peer);
    peer.input({ kind: "campaign", force: false });
  }
}
