import type { PeerChange } from "../raft/store/peer-change.ts";
import { type RegionMeta, peerOnStore } from "../raft/region.ts";
import type { Dice } from "../sim/dice.ts";
import type { World } from "../sim/world.ts";
import { type Office, type RegionSeat, leaderOf } from "./region-seat.ts";

/** What goes on while a store is away, one step after the other. */
type Step = (region: RegionMeta) => PeerChange[];

export interface ForsakeParts {
  readonly world: World;
  readonly seats: readonly RegionSeat[];
  readonly dice: Dice;
  readonly electionMs: number;
  readonly newId: () => number;
  readonly changePeers: (office: Office, changes: readonly PeerChange[]) => void;
  /** The second one hears nothing of the first. */
  readonly deafen: (from: RegionSeat, to: RegionSeat, lengthMs: number) => void;
  readonly crash: (seat: RegionSeat, lengthMs: number) => void;
  readonly stopped: () => boolean;
}

/**
 * A learner's store is away, and its region goes on without it; or it hears nothing of its leader for a moment, too
 * short for anybody to notice, and is removed in that moment.
 */
export class Forsaking {
  readonly #parts: ForsakeParts;

  constructor(parts: ForsakeParts) {
    this.#parts = parts;
  }

  /** Where the region has no learner it gets one, for the next time. */
  begin(office: Office): void {
    const { region } = office;
    const { dice, changePeers, seats } = this.#parts;
    const learner = region.peers.find(({ role }) => role === "learner");
    const seat = seats.find(({ storeId }) => storeId === learner?.storeId);
    if (learner === undefined || seat === undefined) changePeers(office, this.#newcomer(region));
    else if (dice.chance(1, 2)) this.#whileAway(region.id, learner.peerId, seat);
    else this.#unnoticed(office, learner.peerId, seat);
  }

  #whileAway(regionId: number, learnerId: number, seat: RegionSeat): void {
    const { dice, electionMs, crash } = this.#parts;
    const steps = [...(dice.chance(1, 2) ? this.#replacement(learnerId) : []), removal(learnerId)];
    // Long enough for its silence to be noticed, and for each step to have its learners catch up.
    const firstMs = 3 * electionMs;
    crash(seat, firstMs + (2 * steps.length + 1) * electionMs);
    for (const [at, step] of steps.entries()) this.#later(regionId, firstMs + 2 * at * electionMs, step);
  }

  #unnoticed(office: Office, learnerId: number, seat: RegionSeat): void {
    const { electionMs, deafen, changePeers } = this.#parts;
    if (office.seat === seat) return;
    deafen(office.seat, seat, Math.ceil(electionMs / 4));
    changePeers(office, removal(learnerId)(office.region));
  }

  #later(regionId: number, delayMs: number, step: Step): void {
    const { world, seats, stopped, changePeers } = this.#parts;
    world.after(delayMs * 1_000, () => {
      const office = stopped() ? null : leaderOf(seats, regionId);
      if (office !== null) changePeers(office, step(office.region));
    });
  }

  /** A voter comes, and all those leave whom the learner knows. */
  #replacement(learnerId: number): Step[] {
    let newId = 0;
    const others = (region: RegionMeta): RegionMeta["peers"] =>
      region.peers.filter(({ peerId }) => peerId !== learnerId && peerId !== newId);
    return [
      (region) => {
        const changes = this.#newcomer(region);
        newId = changes[0]?.peerId ?? 0;
        return changes;
      },
      ({ peers }) => peers.filter(({ peerId }) => peerId === newId).map((peer) => ({ op: "promote", ...peer })),
      // Not before there is somebody else: a leader that is alone stays.
      (region) => (isVoter(region, newId) ? others(region).slice(0, 1).map(remove) : []),
      (region) => (isVoter(region, newId) ? others(region).slice(0, 1).map(remove) : []),
    ];
  }

  #newcomer(region: RegionMeta): PeerChange[] {
    const { seats, dice, newId } = this.#parts;
    const free = seats.filter(({ storeId }) => peerOnStore(region, storeId) === null);
    return free.length === 0 ? [] : [{ op: "addLearner", peerId: newId(), storeId: dice.pick(free).storeId }];
  }
}

function isVoter({ peers }: RegionMeta, id: number): boolean {
  return peers.some(({ peerId, role }) => peerId === id && role === "voter");
}

function remove({ peerId, storeId }: { readonly peerId: number; readonly storeId: number }): PeerChange {
  return { op: "remove", peerId, storeId };
}

function removal(id: number): Step {
  return ({ peers }) => peers.filter(({ peerId }) => peerId === id).map(remove);
}
