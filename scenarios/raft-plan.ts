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

export const faultNames = [
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
    stepGapMsMax: dice.pick([1, tickMs, tickMs * 4]),
    network: drawNetwork(dice, hasFaults, tickUs),
    disk: drawDisk(dice, hasFaults, tickUs),
    faults: drawFaults(dice, hasFaults, tickMs * electionTicks),
    weights: drawWeights(dice),
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
