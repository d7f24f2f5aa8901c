import type { PeerId } from "../entry.ts";
import { peerOnStore } from "../region.ts";
import { ElectionTurns } from "./election-turns.ts";
import type { Peer } from "./peer.ts";
import { StoreLiveness } from "./store-liveness.ts";
import type { StoreOptions } from "./store-options.ts";
import type { StoreStats } from "./store-stats.ts";

export interface HibernationParts {
  readonly storeId: number;
  readonly options: StoreOptions;
  readonly stats: StoreStats;
  /** All of them, ascending by region. */
  readonly peers: () => readonly Peer[];
  /** Tells another store that this one is there. */
  readonly greet: (storeId: number, isAnswer: boolean) => void;
  /** Since the last call of `tick`. */
  readonly passedTicks: () => number;
}

/**
 * Groups that have nothing to do sleep: no heartbeats, no timers, no ticks. What a leader's heartbeats said of its
 * group, stores say of themselves: each greets those with whom it shares a region. When the epoch of a store ends,
 * leaders that have a member there look again, and those who follow a leader there forget it and stand for election,
 * a few at a time.
 */
export class Hibernation {
  readonly #parts: HibernationParts;
  readonly #liveness: StoreLiveness;
  readonly #greetTicks: number;
  readonly #awake = new Set<Peer>();
  #inOrder: readonly Peer[] | null = null;
  readonly #elections: ElectionTurns;
  /** Something happened to them since somebody asked. */
  #stirred = new Set<Peer>();
  /** Who sleeps behind a leader elsewhere, and the process there that it relies on. */
  readonly #relied = new Map<Peer, number>();
  /** Stores with which this one shares a region; null: regions have changed. */
  #neighbours: readonly number[] | null = null;
  #nowTick = 0;
  #greetTick = 0;

  constructor(parts: HibernationParts) {
    this.#parts = parts;
    const { stats, options: { raft, campaignsMax } } = parts;
    const { electionTicks } = raft;
    this.#elections = new ElectionTurns({ raft, campaignsMax, stood: () => void stats.orphans++ });
    this.#greetTicks = Math.max(1, electionTicks >> 1);
    // As soon as a follower that is awake would ask for votes at the earliest.
    this.#liveness = new StoreLiveness(electionTicks);
  }

  get awakeCount(): number {
    return this.#awake.size;
  }

  /** Who is awake, or was since the last call; ascending by region. */
  takeStirred(): readonly Peer[] {
    const stirred = this.#stirred;
    this.#stirred = new Set(this.#awake);
    return [...stirred].toSorted((a, b) => a.regionId - b.regionId);
  }

  /** Something happens to it: its ticks count until it sleeps again. */
  stirred(peer: Peer): void {
    if (this.#awake.has(peer)) return;
    this.#awake.add(peer);
    this.#stirred.add(peer);
    this.#inOrder = null;
  }

  gone(peer: Peer): void {
    this.#elections.gone(peer);
    this.#stirred.delete(peer);
    this.#relied.delete(peer);
    this.#neighbours = null;
    if (this.#awake.delete(peer)) this.#inOrder = null;
  }

  regionChanged(): void {
    this.#neighbours = null;
  }

  /** A message is about to wake it. The votes of who follows a leader that is lost are free. */
  waking(peer: Peer): void {
    if (peer.isLeader) return;
    const isLost = this.#elections.isOrphan(peer) || !this.#liveness.isAlive(peer.leaderStore);
    if (isLost) peer.input({ kind: "forgetLeader" });
  }

  /** A frame came from there. */
  heard(storeId: number, incarnation: number): void {
    if (this.#liveness.heard(storeId, incarnation, this.#parts.passedTicks())) this.#epochEnded(storeId);
  }

  /** For the simulator: who sleeps on although the epoch that it relies on is over; null: nobody. */
  overslept(): string | null {
    for (const peer of this.#parts.peers()) {
      if (!peer.initialised || this.#awake.has(peer) || this.#elections.isOrphan(peer)) continue;
      const { leaderStore, regionId } = peer;
      const absent = this.#absentOf(peer).join();
      if (peer.isLeader) {
        const known = peer.raft.absent.join();
        if (absent !== known) return `region ${regionId} leads without ${known}, and [${absent}] are absent`;
        continue;
      }
      const isSame = this.#relied.get(peer) === this.#liveness.incarnationOf(leaderStore);
      if (!isSame || !this.#liveness.isAlive(leaderStore)) return `region ${regionId} relies on store ${leaderStore}`;
    }
    return null;
  }

  /** So many ticks on there is something to do; 1 while anybody is awake. */
  ticksToWait(): number {
    if (this.#awake.size > 0 || this.#elections.busy || !this.#isOn) return 1;
    return Math.max(1, Math.min(this.#greetTick - this.#nowTick, this.#liveness.ticksLeft()));
  }

  /** `ticks`: more than one only where so many were waited for. */
  tick(ticks: number): void {
    this.#nowTick += ticks;
    for (const peer of this.#sorted()) this.#tickPeer(peer);
    for (const storeId of this.#liveness.pass(ticks)) this.#epochEnded(storeId);
    this.#elections.tick(this.#nowTick, this.#sorted());
    if (this.#isOn && this.#nowTick >= this.#greetTick) this.#greet();
  }

  get #isOn(): boolean {
    return this.#parts.options.hibernateTicks > 0;
  }

  #tickPeer(peer: Peer): void {
    const { hibernateTicks } = this.#parts.options;
    // Before the tick: the answers to a heartbeat would wake it.
    const isQuiet = peer.isLeader && peer.quietTicks >= hibernateTicks && peer.merge === null;
    if (this.#isOn && isQuiet) peer.rest(this.#absentOf(peer));
    peer.tick();
    if (!peer.asleep) return;
    this.#awake.delete(peer);
    this.#inOrder = null;
    if (!peer.isLeader) this.#relied.set(peer, this.#liveness.incarnationOf(peer.leaderStore));
  }

  /** Nobody waits for those; when their store is there again, the leader wakes. */
  #absentOf({ region }: Peer): PeerId[] {
    return region.peers
      .filter(({ storeId }) => storeId !== this.#parts.storeId && !this.#liveness.isAlive(storeId))
      .map(({ peerId }) => peerId);
  }

  /** What a store was cannot be relied upon any more: it fell silent, is there again, or is another process. */
  #epochEnded(storeId: number): void {
    const orphans: Peer[] = [];
    for (const peer of this.#parts.peers()) {
      if (!peer.raft.quiesced || !peer.initialised) continue;
      if (!peer.isLeader) {
        if (peer.leaderStore === storeId) orphans.push(peer);
      } else if (peerOnStore(peer.region, storeId) !== null) this.#lookAgain(peer, storeId);
    }
    this.#elections.lost(orphans, this.#nowTick, (peer) => this.#rankOf(peer));
  }

  /** Who is silent is not waited for any more; who is there again may have missed something, or know of no leader. */
  #lookAgain(peer: Peer, storeId: number): void {
    if (this.#liveness.isAlive(storeId)) peer.input({ kind: "wake" });
    else peer.rest(this.#absentOf(peer));
    if (!peer.raft.quiesced) this.#parts.stats.wakes++;
  }

  /** Those who lost the same leader stand one after the other: at once, they would divide the votes. */
  #rankOf(peer: Peer): number {
    const { peers } = peer.region;
    const leaderAt = peers.findIndex(({ peerId }) => peerId === peer.leaderPeer);
    let rank = 0;
    for (let i = 1; i < peers.length; i++) {
      const other = peers[(leaderAt + i) % peers.length];
      if (other === undefined || other.peerId === peer.peerId) return rank;
      if (other.role !== "learner" && this.#liveness.isAlive(other.storeId)) rank++;
    }
    return rank;
  }

  #greet(): void {
    this.#greetTick = this.#nowTick + this.#greetTicks;
    this.#neighbours ??= this.#findNeighbours();
    for (const storeId of this.#neighbours) this.#parts.greet(storeId, false);
  }

  /**
   * A store that has nothing of a region yet does not know whom it shares it with. It says that it is there to whoever
   * greets it, or a leader that sleeps would never send it anything.
   */
  greeted(storeId: number, isAnswer: boolean): void {
    this.#neighbours ??= this.#findNeighbours();
    if (!isAnswer && !this.#neighbours.includes(storeId)) this.#parts.greet(storeId, true);
  }

  #findNeighbours(): readonly number[] {
    const stores = new Set<number>();
    for (const peer of this.#parts.peers()) {
      if (peer.initialised) for (const { storeId } of peer.region.peers) stores.add(storeId);
    }
    stores.delete(this.#parts.storeId);
    return [...stores].toSorted((a, b) => a - b);
  }

  #sorted(): readonly Peer[] {
    this.#inOrder ??= [...this.#awake].toSorted((a, b) => a.regionId - b.regionId);
    return this.#inOrder;
  }
}
