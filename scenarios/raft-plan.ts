import type { PeerId } from "../raft/entry.ts";
import { type RaftLimits, raftLimitsDefault } from "../raft/raft-options.ts";
import type { Dice } from "../sim/dice.ts";
import type { World } from "../sim/world.ts";

/** What one seed's group is like, and what is done to it. Rates are per 1,000. */
export interface RaftPlan {
  readonly voters: readonly PeerId[];
  readonly learners: readonly PeerId[];
  /** Everyone there is; who is not in the group may join. */
  readonly peers: readonly PeerId[];
  readonly tickUs: number;
  readonly limits: RaftLimits;
  /** A leader ends a joint configuration after so many ticks. */
  readonly jointTicks: number;
  readonly steps: number;
  readonly stepGapMsMax: number;
  readonly network: NetworkPlan;
  readonly disk: DiskPlan;
  readonly faults: FaultPlan;
  /** Relative weights of what clients and operators ask for. */
  readonly weights: Readonly<Record<RequestKind, number>>;
}

export const requestKinds = [
  "propose",
  "read",
  "conf",
  "transfer",
  "compact",
  "flush",
  "campaign",
  "quiesce",
  "unreachable",
] as const;
export type RequestKind = (typeof requestKinds)[number];

/** Orders of events that are played, not drawn: `RaftActs`. */
export const actNames = [
  "figure-8",
  "halves",
  "removals",
  "inherited",
  "self-removal",
  "overwritten",
  "stale-read",
] as const;
export type ActName = (typeof actNames)[number];

export interface NetworkPlan {
  readonly lost: number;
  readonly duplicated: number;
  /** Messages overtake each other within this. */
  readonly delayUsMax: number;
  /** When the faults are over. */
  readonly calmDelayUsMax: number;
  /** So many take up to ten times as long. */
  readonly late: number;
}

export interface DiskPlan {
  readonly syncUsMax: number;
  /** So many syncs take up to `slowUsMax`. */
  readonly slow: number;
  readonly slowUsMax: number;
  /** Of those peers that are slow in it; the others take a turn. */
  readonly applyUsMax: number;
}

const faultNames = [
  "crash",
  "crashLeader",
  "crashAll",
  "isolate",
  "isolateLeader",
  "split",
  "oneWay",
  "pause",
  "heal",
] as const;
export type FaultName = (typeof faultNames)[number];

export interface FaultPlan {
  /** 0: none. */
  readonly gapMsMax: number;
  readonly kinds: readonly FaultName[];
  /** A crashed peer stays down for up to so long; a partition lasts so long. */
  readonly lengthMsMax: number;
}

export function drawPlan(world: World): RaftPlan {
  const dice = world.dice("plan");
  const { faultFree } = world.options;
  const voterCount = dice.pick([1, 2, 3, 3, 3, 3, 4, 5, 5]);
  const learnerCount = dice.pick([0, 0, 1]);
  const spareCount = dice.pick([0, 1, 2, 3]);
  const peers = Array.from({ length: voterCount + learnerCount + spareCount }, (_, at) => at + 1);
  const electionTicks = dice.pick([3, 5, 10]);
  const tickUs = dice.pick([10_000, 50_000, 100_000]);
  const tickMs = tickUs / 1_000;
  const hasFaults = !faultFree && !dice.chance(1, 20);
  return {
    voters: peers.slice(0, voterCount),
    learners: peers.slice(voterCount, voterCount + learnerCount),
    peers,
    tickUs,
    limits: drawLimits(dice, electionTicks),
    jointTicks: hasFaults ? dice.pick([0, electionTicks * 2, electionTicks * 10]) : 0,
    steps: dice.skewed(30, 400),
    stepGapMsMax: dice.pick([tickMs, tickMs * 4, tickMs * electionTicks * 2]),
    network: drawNetwork(dice, hasFaults, tickUs),
    disk: drawDisk(dice, hasFaults, tickUs),
    faults: drawFaults(dice, hasFaults, tickMs * electionTicks),
    weights: drawWeights(dice),
  };
}

/**
 * The same, bent to what changes of members are about: several in a row, peers that know of them and have not
 * applied them, and partitions that let old and new majorities act apart. Two disjoint majorities need all of
 * that at once.
 */
export function drawMembersPlan(world: World): RaftPlan {
  const plan = drawPlan(world);
  const dice = world.dice("members");
  const { tickUs, limits } = plan;
  const electionMs = (tickUs * limits.electionTicks) / 1_000;
  const voterCount = dice.pick([2, 3, 3, 3, 4]);
  const spareCount = dice.pick([0, 1, 2, 3]);
  const peers = Array.from({ length: voterCount + spareCount }, (_, at) => at + 1);
  const kinds: FaultName[] = ["split", "split", "isolateLeader", "heal"];
  if (dice.chance(1, 2)) kinds.push("crashLeader");
  if (dice.chance(1, 2)) kinds.push("isolate", "crash");
  const gapMsMax = world.options.faultFree ? 0 : electionMs * dice.pick([2, 8]);
  const applyUsMax = tickUs * limits.electionTicks * dice.pick([1, 10, 50]);
  const delayUsMax = dice.pick([1, tickUs / 10]);
  return {
    ...plan,
    voters: peers.slice(0, voterCount),
    learners: peers.slice(voterCount, voterCount + dice.below(spareCount + 1)),
    peers,
    steps: dice.between(60, 300),
    stepGapMsMax: dice.pick([electionMs / 2, electionMs * 2]),
    network: { lost: 0, duplicated: 0, delayUsMax, calmDelayUsMax: delayUsMax, late: 0 },
    disk: { ...plan.disk, syncUsMax: 1_000, applyUsMax },
    faults: { gapMsMax, kinds, lengthMsMax: electionMs * dice.pick([3, 10]) },
    weights: {
      ...noRequests,
      propose: 8,
      read: 1,
      conf: 8,
      transfer: dice.below(2),
      flush: dice.below(3),
      campaign: 1,
    },
  };
}

/**
 * The same, bent to what elections are about: leaders that come and go before anything is everywhere, with logs
 * that part in several terms and are sent entry by entry. Figure 8 of the paper needs three of them in a row.
 */
export function drawElectionsPlan(world: World): RaftPlan {
  const plan = drawPlan(world);
  const dice = world.dice("elections");
  const electionTicks = 3;
  const electionMs = (plan.tickUs * electionTicks) / 1_000;
  const voterCount = dice.pick([3, 4, 5, 5]);
  const voters = Array.from({ length: voterCount }, (_, at) => at + 1);
  const kinds: FaultName[] = ["crashLeader", "isolateLeader", "split", "heal"];
  if (dice.chance(1, 2)) kinds.push("crashLeader", "crash");
  const delayUsMax = plan.tickUs / 10;
  const lost = world.options.faultFree ? 0 : dice.pick([0, 100, 300, 500]);
  return {
    ...plan,
    voters,
    learners: [],
    peers: voters,
    steps: dice.between(100, 400),
    stepGapMsMax: dice.pick([electionMs / 3, electionMs]),
    limits: { ...plan.limits, electionTicks, heartbeatTicks: 1, messageBytesMax: dice.pick([1, 1, 200]) },
    network: { lost, duplicated: 0, delayUsMax, calmDelayUsMax: delayUsMax, late: dice.pick([0, 50]) },
    disk: { ...plan.disk, syncUsMax: dice.pick([1, plan.tickUs / 2]), applyUsMax: 1 },
    faults: {
      gapMsMax: world.options.faultFree ? 0 : electionMs * dice.pick([1, 3]),
      kinds,
      lengthMsMax: electionMs * dice.pick([1, 4]),
    },
    weights: { ...noRequests, propose: 8, read: dice.below(3), campaign: dice.between(1, 3), transfer: dice.below(2) },
  };
}

/** For one act: a group as small as it needs, and nothing else that happens. */
export function drawActPlan(world: World, act: ActName): RaftPlan {
  const plan = drawPlan(world);
  const dice = world.dice("act-plan");
  const electionTicks = dice.pick([5, 10]);
  const ofFive: readonly ActName[] = ["figure-8", "inherited", "overwritten"];
  const voterCount = ofFive.includes(act) ? 5 : act === "self-removal" ? 2 : 3;
  const learnerCount = act === "halves" ? dice.pick([1, 2, 3]) : 0;
  const peers = Array.from({ length: voterCount + learnerCount }, (_, at) => at + 1);
  const delayUsMax = dice.pick([1, plan.tickUs / 10]);
  return {
    ...plan,
    voters: peers.slice(0, voterCount),
    learners: peers.slice(voterCount),
    peers,
    jointTicks: electionTicks * 10,
    limits: { ...plan.limits, electionTicks, heartbeatTicks: 1, messageBytesMax: 1 },
    network: { lost: 0, duplicated: 0, delayUsMax, calmDelayUsMax: delayUsMax, late: 0 },
    disk: { syncUsMax: dice.pick([1, plan.tickUs / 10]), slow: 0, slowUsMax: 1, applyUsMax: 1 },
    faults: { gapMsMax: 0, kinds: [], lengthMsMax: 1 },
  };
}

function drawLimits(dice: Dice, electionTicks: number): RaftLimits {
  const tiny = dice.chance(1, 2);
  return {
    ...raftLimitsDefault,
    electionTicks,
    heartbeatTicks: dice.pick(electionTicks > 4 ? [1, 2] : [1]),
    messageBytesMax: tiny ? dice.pick([1, 60, 200]) : raftLimitsDefault.messageBytesMax,
    inflightMessagesMax: dice.pick([1, 2, 8, 256]),
    inflightBytesMax: tiny ? dice.pick([50, 400]) : raftLimitsDefault.inflightBytesMax,
    uncommittedBytesMax: tiny ? dice.pick([40, 1_000]) : raftLimitsDefault.uncommittedBytesMax,
    ringBytesMax: dice.pick([0, 100, 1_000, raftLimitsDefault.ringBytesMax]),
    applyBytesMax: dice.pick([1, 100, raftLimitsDefault.applyBytesMax]),
  };
}

function drawNetwork(dice: Dice, faults: boolean, tickUs: number): NetworkPlan {
  const lost = dice.pick([0, 0, 20, 100, 300]);
  const duplicated = dice.pick([0, 0, 50, 200]);
  const delayUsMax = dice.pick([1, tickUs / 10, tickUs, tickUs * 4]);
  const late = dice.pick([0, 0, 20, 100]);
  const calmDelayUsMax = Math.min(delayUsMax, tickUs / 10);
  if (!faults) return { lost: 0, duplicated: 0, delayUsMax: calmDelayUsMax, calmDelayUsMax, late: 0 };
  return { lost, duplicated, delayUsMax, calmDelayUsMax, late };
}

function drawDisk(dice: Dice, faults: boolean, tickUs: number): DiskPlan {
  const syncUsMax = dice.pick([1, tickUs / 10, tickUs]);
  const slow = dice.pick([0, 0, 50, 300]);
  const slowUsMax = tickUs * dice.pick([4, 20, 100]);
  const applyUsMax = dice.pick([1, tickUs, tickUs * 10, tickUs * 100]);
  return { syncUsMax, slow: faults ? slow : 0, slowUsMax, applyUsMax: faults ? applyUsMax : tickUs };
}

function drawFaults(dice: Dice, faults: boolean, electionMs: number): FaultPlan {
  const gapMsMax = electionMs * dice.pick([1, 3, 10]);
  const kinds = faultNames.filter(() => dice.chance(1, 2));
  const lengthMsMax = electionMs * dice.pick([1, 3, 10]);
  return { gapMsMax: faults && kinds.length > 0 ? gapMsMax : 0, kinds, lengthMsMax };
}

const noRequests: Readonly<Record<RequestKind, number>> = {
  propose: 0,
  read: 0,
  conf: 0,
  transfer: 0,
  compact: 0,
  flush: 0,
  campaign: 0,
  quiesce: 0,
  unreachable: 0,
};

function drawWeights(dice: Dice): Record<RequestKind, number> {
  const of = (numerator: number, max: number): number => {
    const weight = dice.between(1, max);
    return dice.chance(numerator, 10) ? weight : 0;
  };
  return {
    propose: 10,
    read: of(6, 8),
    conf: of(6, 6),
    transfer: of(4, 3),
    compact: of(5, 4),
    flush: of(7, 4),
    campaign: of(3, 2),
    quiesce: of(2, 3),
    unreachable: of(3, 2),
  };
}
