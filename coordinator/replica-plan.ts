import type { RegionPeer } from "../raft/region.ts";
import { isJointRegion } from "../raft/voter-configuration.ts";
import type { RegionLeader } from "./leader-view.ts";
import type { Operator } from "./operator.ts";
import type { Decision, PlanLimits } from "./plan-view.ts";
import { reportOfPeer } from "./region-report.ts";
import type { Newcomer, Standing } from "./standing.ts";
import { type Move, type StoreLoads, weightOf } from "./store-loads.ts";
import type { StoreRoles } from "./store-roles.ts";

/** What is next in one region. */
export interface Next {
  readonly operator: Operator | null;
  readonly decision: Decision | null;
  /** A newcomer is wanted, and nothing else is to be done first. */
  readonly wants: boolean;
  /** A replica is on its way for balance alone. */
  readonly moves: boolean;
}

/** What a plan of one region looks at besides it. `loads` is told of what is under way. */
export interface Surroundings {
  readonly roles: StoreRoles;
  readonly loads: StoreLoads;
  readonly limits: PlanLimits;
}

/**
 * The next step towards the wanted replicas: a learner, then one change in which it takes the place of a voter that is
 * gone, then the removal of that one. Nobody is removed before, and nobody votes without the data: there are never
 * fewer voters on the way, and never more that cannot be relied on.
 */
export function nextOf(standing: Standing, surroundings: Surroundings): Next {
  const { report, rests, leader, addition, region } = standing;
  // Looked at even where nothing can be done now: what is under way counts.
  const move = spareMove(standing, surroundings);
  if (move !== null) surroundings.loads.moved(move.from.storeId, move.to.storeId, report);
  const leaver = voterTooMany(standing, surroundings);
  const next: Next = { operator: null, decision: null, wants: false, moves: move !== null };
  if (rests || leader === null) return next;
  // As long as a voter's store is silent, nobody knows whether the newcomer is of use.
  const isCertain = standing.kept.every(({ storeId }) => surroundings.roles.answers(storeId));
  const useless = uselessLearner(standing, isCertain, move);
  if (useless !== null) return { ...next, operator: removal(standing, leader, useless) };
  if (addition !== null && !hasPeer(standing, addition.peer.peerId)) {
    const { transitionId, peer } = addition;
    const { peerId, storeId } = peer;
    const wanted = [...standing.needed, ...(move === null ? [] : [move.to])];
    if (!wanted.some((newcomer) => newcomer.peerId === peerId)) {
      if (!isCertain && standing.spare.some((newcomer) => newcomer.peerId === peerId)) return next;
      return { ...next, decision: { kind: "cancel", transitionId } };
    }
    const place = { target: { peerId, storeId }, epoch: region.epoch };
    return { ...next, operator: { kind: "add-learner", ...forLeader(standing, leader), ...place } };
  }
  const operator = promotionOf(standing, leader, move) ?? farewellOf(standing, leader, leaver);
  if (operator !== null) return { ...next, operator };
  return { ...next, wants: standing.missing > 0 };
}

/**
 * The voter whose place the spare newcomer takes; null: the newcomer is of no use. Less is asked of what is on its way
 * than of what is to be begun: what was worth it is not given up for a trifle. And something: it must not go back.
 */
function spareMove({ region, spare, kept, gone, report }: Standing, around: Surroundings): Move | null {
  const { loads, limits, roles } = around;
  const [to] = spare;
  if (to === undefined || gone.length > 0 || kept.length !== limits.replicas || isJointRegion(region)) return null;
  const from = loads.fullest(kept);
  if (from === null || !roles.takes(to.storeId)) return null;
  return loads.gap(from.storeId, to.storeId) > weightOf(report) ? { from, to } : null;
}

/** One beyond those that the region is to have: who is gone comes first, then who is on the fullest store. */
function voterTooMany({ gone, kept, report }: Standing, { loads, limits }: Surroundings): RegionPeer | null {
  if (gone.length + kept.length <= limits.replicas) return null;
  const [first] = gone;
  if (first !== undefined) return first;
  const leaver = loads.fullest(kept);
  if (leaver !== null) loads.dropped(leaver.storeId, report);
  return leaver;
}

function uselessLearner(standing: Standing, isCertain: boolean, move: Move | null): RegionPeer | Newcomer | null {
  const { lost, spare } = standing;
  const unused = isCertain ? spare.find(({ isThere, peerId }) => isThere && peerId !== move?.to.peerId) : null;
  return lost[0] ?? unused ?? null;
}

/** Null: nobody is ready, or too few are. */
function promotionOf(standing: Standing, leader: RegionLeader, move: Move | null): Operator | null {
  const { gone, kept, needed } = standing;
  if (move !== null) return move.to.isReady ? swap(standing, leader, move.to, move.from) : null;
  const ready = needed.filter(({ isReady }) => isReady);
  const [first] = ready;
  if (first === undefined) return null;
  // Whoever leads is the last to go: until then it can still see to the others.
  const dead = gone.find(({ peerId }) => peerId !== leader.peerId) ?? gone[0];
  if (dead !== undefined) return swap(standing, leader, first, dead);
  // As many as make an odd number, all in one change: of two voters each is one too many to lose.
  const isComplete = ready.length === needed.length && standing.missing === 0;
  const count = isComplete ? ready.length : ready.length - ((kept.length + ready.length + 1) % 2);
  return count === 0 ? null : promotion(standing, leader, ready.slice(0, count), []);
}

function swap(standing: Standing, leader: RegionLeader, to: Newcomer, from: RegionPeer): Operator {
  return handover(standing, leader, from) ?? promotion(standing, leader, [to], [from]);
}

function promotion(
  standing: Standing,
  leader: RegionLeader,
  promoted: readonly Newcomer[],
  demoted: readonly RegionPeer[],
): Operator {
  return {
    kind: "promote",
    ...forLeader(standing, leader),
    epoch: standing.region.epoch,
    promoted: promoted.map(({ peerId }) => peerId),
    demoted: demoted.map(({ peerId }) => peerId),
  };
}

function farewellOf(standing: Standing, leader: RegionLeader, leaver: RegionPeer | null): Operator | null {
  if (leaver === null) return null;
  return handover(standing, leader, leaver) ?? removal(standing, leader, leaver);
}

/** Who leads hands over before it goes, as long as somebody else could take over; null: it does not lead. */
function handover(standing: Standing, leader: RegionLeader, leaver: RegionPeer): Operator | null {
  if (leaver.peerId !== leader.peerId) return null;
  const { kept, report } = standing;
  const able = kept.filter(({ peerId }) => {
    return peerId !== leaver.peerId && reportOfPeer(report, peerId)?.caughtUp === true;
  });
  const [target] = able;
  if (target === undefined) return null;
  const { storeId, peerId } = target;
  return { kind: "transfer-leader", ...forLeader(standing, leader), target: { storeId, peerId } };
}

function removal(standing: Standing, leader: RegionLeader, { storeId, peerId }: RegionPeer | Newcomer): Operator {
  const { epoch } = standing.region;
  return { kind: "remove-peer", ...forLeader(standing, leader), epoch, target: { storeId, peerId } };
}

type ForLeader = Pick<Operator, "regionId" | "term" | "source">;

function forLeader({ region }: Standing, { term, storeId, peerId }: RegionLeader): ForLeader {
  return { regionId: region.id, term, source: { storeId, peerId } };
}

function hasPeer({ region }: Standing, id: number): boolean {
  return region.peers.some(({ peerId }) => peerId === id);
}
