import type { Clock } from "../../core/env/clock.ts";
import { peerOnStore } from "../region.ts";
import { type SplitItem, splitEntry } from "./admin-entry.ts";
import { MergeRequests } from "./merge-requests.ts";
import type { PeerChange } from "./peer-change.ts";
import type { Peer } from "./peer.ts";
import type { ChangeDone } from "./requests.ts";
import type { StoreOptions } from "./store-options.ts";

/** How a hand-over of leadership ended. */
export type TransferOutcome =
  | { readonly kind: "done" }
  | { readonly kind: "refused" | "unknown"; readonly reason: string };

interface Handover {
  readonly regionId: number;
  readonly storeId: number;
  readonly done: (outcome: TransferOutcome) => void;
  ticksLeft: number;
}

/** Changes of a region that its leader's store executes. Each `done` is called once, never inside the call. */
export class RaftAdmin {
  readonly #clock: Clock;
  readonly #options: StoreOptions;
  readonly #find: (regionId: number) => Peer | null;
  readonly #merges: MergeRequests;
  #handovers: Handover[] = [];

  constructor(clock: Clock, options: StoreOptions, find: (regionId: number) => Peer | null) {
    this.#clock = clock;
    this.#options = options;
    this.#find = find;
    this.#merges = new MergeRequests(options, find);
  }

  /**
   * One step of a configuration, or, with more than one voter's difference, into a joint one, which the leader leaves
   * by itself. A new peer comes as a learner, and votes when its log follows the leader's: a voter without data would
   * count in majorities that it cannot help to reach.
   */
  changePeers(regionId: number, changes: readonly PeerChange[], done: ChangeDone): void {
    const peer = this.#find(regionId);
    const reason = peer === null ? `region ${regionId} is not here` : newVoterProblem(peer, changes);
    if (peer !== null && reason === null) peer.intake.changePeers(changes, done);
    else this.#clock.soon(() => done({ kind: "refused", reason: reason ?? "" }));
  }

  /**
   * Divides a region at the keys of `items`, whose ids were given out for this. `done` tells of the region and its
   * children as they are applied here.
   */
  split(regionId: number, items: readonly SplitItem[], done: ChangeDone): void {
    const peer = this.#find(regionId);
    const refused = (reason: string): void => this.#clock.soon(() => done({ kind: "refused", reason }));
    if (peer === null || peer.leadingTerm === 0) return refused("this store does not lead the region");
    peer.intake.command(splitEntry(peer.region, items), done);
  }

  /** Merges a region into its right neighbour. `done` tells of that one with the range of both, or why not. */
  merge(regionId: number, targetId: number, done: ChangeDone): void {
    const peer = this.#find(regionId);
    const leads = peer !== null && peer.leadingTerm > 0;
    const reason = leads ? this.#merges.begin(peer, targetId, done) : "this store does not lead the region";
    if (reason !== null) this.#clock.soon(() => done({ kind: "refused", reason }));
  }

  /** Why `merge` would be refused now; null: nothing is known that speaks against it. */
  mergeRefusal(regionId: number, targetId: number): string | null {
    const peer = this.#find(regionId);
    const leads = peer !== null && peer.leadingTerm > 0;
    return leads ? this.#merges.problem(peer, targetId) : "this store does not lead the region";
  }

  transferLeader(regionId: number, storeId: number, done: (outcome: TransferOutcome) => void): void {
    const peer = this.#find(regionId);
    const refused = (reason: string): void => this.#clock.soon(() => done({ kind: "refused", reason }));
    if (peer === null || !peer.isLeader) return refused("this store does not lead the region");
    const target = peerOnStore(peer.region, storeId);
    if (target === null) return refused(`store ${storeId} has no peer of the region`);
    const votes = target.role === "voter" || target.role === "incoming-voter";
    if (!votes) return refused(`peer ${target.peerId} does not vote`);
    if (target.peerId !== peer.peerId) peer.intake.transfer(target.peerId);
    this.#handovers.push({ regionId, storeId, done, ticksLeft: this.#options.transferTicks });
  }

  /** Asks for an election, in which others are asked first whether they would take part. */
  campaign(regionId: number): void {
    this.#find(regionId)?.intake.campaign();
  }

  /** Somebody waits for ticks. */
  get busy(): boolean {
    return this.#handovers.length > 0 || this.#merges.busy;
  }

  tick(): void {
    this.#merges.tick();
    if (this.#handovers.length === 0) return;
    const waiting: Handover[] = [];
    for (const handover of this.#handovers) if (!this.#settled(handover)) waiting.push(handover);
    this.#handovers = waiting;
  }

  close(): void {
    this.#merges.close();
    const handovers = this.#handovers;
    this.#handovers = [];
    for (const { done } of handovers) done({ kind: "unknown", reason: "the store was closed" });
  }

  #settled(handover: Handover): boolean {
    const { regionId, storeId, done } = handover;
    const peer = this.#find(regionId);
    handover.ticksLeft--;
    if (peer?.leaderStore === storeId) done({ kind: "done" });
    else if (peer !== null && handover.ticksLeft > 0) return false;
    else done({ kind: "unknown", reason: "it did not take over in time" });
    return true;
  }
}

/** Why one of `changes` would make a voter of a peer that has nothing to vote on; null: none would. */
function newVoterProblem(peer: Peer, changes: readonly PeerChange[]): string | null {
  const { peers } = peer.status();
  for (const { op, peerId } of changes) {
    if (op === "addVoter") return `peer ${peerId} comes as a learner, and is promoted when it has the data`;
    if (op !== "promote" || !peer.isLeader) continue;
    const progress = peers.find(({ id }) => id === peerId);
    if (progress !== undefined && progress.state !== "replicate") return `learner ${peerId} has not caught up yet`;
  }
  return null;
}
