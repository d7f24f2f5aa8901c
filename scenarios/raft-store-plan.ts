import type { EngineOptions } from "../core/engine/options.ts";
import type { NetOptions } from "../net/rpc/options.ts";
import { type RaftLimits, raftLimitsDefault } from "../raft/raft-options.ts";
import type { StoreOptions } from "../raft/store/store-options.ts";
import type { RaftLogOptions } from "../raft/store/log-writer.ts";
import type { Dice } from "../sim/dice.ts";
import type { NetworkFaults } from "../sim/network/network-faults.ts";
import type { World } from "../sim/world.ts";
import { drawEngineOptions } from "./engine-sizes.ts";

/** What one seed's stores are like, and what is done to them. */
export interface StorePlan {
  readonly stores: number;
  readonly regions: number;
  /** Replicas that a region begins with. */
  readonly voters: number;
  readonly store: StoreOptions;
  /** Of a healthy group, about: from the loss of its leader to another one. */
  readonly electionMs: number;
  readonly faultsMs: number;
  /** To so many machines the world is hostile beyond the deeds: any call may be their last. More stand still. */
  readonly swarm: number;
  readonly clients: number;
  readonly keysPerRegion: number;
  /** Between two requests of a client, at most. */
  readonly gapMsMax: number;
  readonly fillerMax: number;
  /** Kinds of what operators and misfortune do, drawn from this list; empty: nothing. */
  readonly deeds: readonly DeedName[];
  readonly deedGapMsMax: number;
  readonly deedLengthMsMax: number;
  /** Half of the processes begin with an engine that takes nothing for so long; 0: none. */
  readonly crampedStartMs: number;
  readonly engine: Partial<EngineOptions>;
  readonly log: RaftLogOptions;
  readonly net: Partial<NetOptions>;
  /** How the network of this seed is at its best; what is too slow for its timers is made faster. */
  readonly links: Partial<NetworkFaults>;
}

const paceMin = 64 * 1024;

const deedNames = [
  "transfer",
  "change-peers",
  "change-peers",
  "campaign",
  "isolate-leader",
  "isolate",
  "ring",
  "one-way",
  "split",
  "crash-leader",
  "crash-all",
  "power-off-all",
  "lag",
  "pause-leader",
  "heal",
  "cramp",
  "at-moment",
  "at-moment",
  "at-failpoint",
  "restart",
] as const;
/**
 * "strand": whoever leads has no room, and is cut off while reads wait there; others lead on. "forsake": a learner's
 * store is away, or heard by nobody, while its region goes on without it.
 */
export type DeedName = (typeof deedNames)[number] | "strand" | "forsake";

const mebibyte = 1024 * 1024;

/** What a run is bent to, because chance brings it together too rarely; "any": nothing. */
export type StoreFocus = "any" | "members" | "snapshots" | "room" | "stranded" | "forsaken";

export function drawStorePlan(world: World, focus: StoreFocus = "any"): StorePlan {
  const dice = world.dice("plan");
  const { faultFree, network, disk } = world.options;
  const links = drawLinks(network.faults);
  const roundTripUs = 2 * (links.latencyUsMax + links.jitterUsMax);
  const electionTicks = dice.pick([5, 10]);
  const heartbeatTicks = dice.pick([1, 2]);
  const slowestUs = roundTripUs + 2 * Math.min(disk.faults.syncUsMax, 50_000);
  const tickUs = Math.max(dice.pick([10_000, 50_000, 100_000]), Math.ceil((3 * slowestUs) / electionTicks));
  const electionMs = Math.ceil((2 * electionTicks * tickUs) / 1_000);
  const stores = dice.pick([3, 3, 3, 4, 5]);
  const kinds = deedNames.filter(() => dice.chance(1, 2));
  const quiet = faultFree || dice.chance(1, 10);
  const plan: StorePlan = {
    stores,
    regions: dice.pick([1, 1, 2, 3]),
    voters: dice.pick([3, 3, 3, 2, 1]),
    store: drawStoreOptions(dice, tickUs, drawLimits(dice, electionTicks, heartbeatTicks)),
    electionMs,
    faultsMs: Math.min(60_000, electionMs * dice.between(8, 60)),
    swarm: dice.pick([0, 1, 1, 2, stores]),
    clients: dice.between(1, 4),
    keysPerRegion: dice.between(2, 5),
    gapMsMax: dice.pick([1, 10, electionMs / 4, electionMs]),
    fillerMax: dice.pick([0, 0, 200, 2_000]),
    deeds: quiet ? [] : kinds,
    deedGapMsMax: electionMs * dice.pick([1, 3, 8]),
    deedLengthMsMax: electionMs * dice.pick([1, 3, 8]),
    crampedStartMs: 0,
    // As stores open it: the Raft log is what makes an apply durable.
    engine: {
      ...paced(drawEngineOptions(world, dice)), durability: dice.pick(["none", "none", "none", "sync"] as const),
    },
    log: {
      segmentBytes: dice.pick([2_048, 16_384, mebibyte]),
      groupBytesMax: dice.pick([1, 1_024, 65_536]),
      waitedSyncUs: dice.pick([0, 250]),
      livePercentMin: dice.pick([1, 25, 50]),
    },
    net: drawNet(dice, roundTripUs),
    links,
  };
  return quiet ? plan : { ...plan, ...bent(plan, focus, world.dice("focus")) };
}

function bent(plan: StorePlan, focus: StoreFocus, dice: Dice): Partial<StorePlan> {
  const { electionMs, store } = plan;
  const often = { deedGapMsMax: electionMs * dice.pick([1, 2]), deedLengthMsMax: electionMs * dice.pick([3, 5]) };
  switch (focus) {
    case "members":
      return { ...often, stores: 4, voters: dice.pick([2, 3, 3]), deeds: memberDeeds };
    case "snapshots": {
      const kept = { logKeepEntries: 1, logEntriesMax: 2, proposalTicks: 100 * store.raft.electionTicks };
      return { ...often, store: { ...store, ...kept }, gapMsMax: dice.pick([1, electionMs / 8]), deeds: snapshotDeeds };
    }
    case "room": {
      const kept = dice.chance(1, 2) ? { logKeepEntries: 1, logEntriesMax: 2 } : {};
      return {
        ...often,
        store: { ...store, ...kept, applyEntriesMax: 1, proposalTicks: 3 * store.raft.electionTicks },
        crampedStartMs: electionMs * dice.pick([1, 3]),
        deeds: roomDeeds,
      };
    }
    case "stranded":
      return stranded(plan, dice);
    case "forsaken":
      return forsaken(plan, dice);
    case "any":
      return {};
  }
}

/** Nothing else goes wrong: those who wait for one leader have the time to go to the next, and its log to be cut. */
function stranded({ electionMs, store }: StorePlan, dice: Dice): Partial<StorePlan> {
  const kept = { logKeepEntries: 1, logEntriesMax: 2, readsMax: 4_096, proposalsMax: 4_096 };
  return {
    stores: 3,
    regions: dice.between(1, 2),
    voters: 3,
    store: { ...store, ...kept },
    faultsMs: Math.min(40_000, electionMs * 40),
    swarm: 0,
    clients: 5,
    gapMsMax: electionMs / 8,
    deeds: ["strand", "strand", "transfer", "cramp"],
    deedGapMsMax: electionMs * 18 + 3_000,
    deedLengthMsMax: electionMs,
  };
}

/** Nothing else goes wrong, and there is little to do: replicas sleep most of the time. */
function forsaken({ electionMs, store }: StorePlan, dice: Dice): Partial<StorePlan> {
  return {
    stores: dice.pick([3, 4]),
    regions: dice.between(1, 3),
    voters: dice.between(1, 2),
    store: { ...store, hibernateTicks: store.raft.electionTicks },
    faultsMs: electionMs * 60,
    swarm: 0,
    clients: dice.between(1, 2),
    gapMsMax: electionMs * dice.pick([1, 8, 30]),
    deeds: ["forsake", "forsake", "forsake", "change-peers", "transfer"],
    deedGapMsMax: electionMs * dice.pick([4, 10]),
    deedLengthMsMax: electionMs,
  };
}

const memberDeeds: readonly DeedName[] = [
  "change-peers",
  "change-peers",
  "change-peers",
  "change-peers",
  "transfer",
  "isolate",
  "isolate-leader",
  "crash-leader",
  "lag",
  "at-moment",
  "at-failpoint",
  "heal",
];
const snapshotDeeds: readonly DeedName[] = [
  "isolate-leader",
  "isolate-leader",
  "isolate",
  "lag",
  "at-moment",
  "at-failpoint",
  "at-failpoint",
  "power-off-all",
  "pause-leader",
  "change-peers",
];
const roomDeeds: readonly DeedName[] = [
  "cramp",
  "cramp",
  "cramp",
  "crash-leader",
  "campaign",
  "transfer",
  "change-peers",
  "change-peers",
  "isolate-leader",
  "at-moment",
  "restart",
  "restart",
  "lag",
];

function drawStoreOptions(dice: Dice, tickUs: number, raft: RaftLimits): StoreOptions {
  const logKeepEntries = dice.pick([1, 5, 30, 10_000]);
  return {
    raft,
    tickUs,
    applyEntriesMax: dice.pick([1, 3, 1_024]),
    applyBytesMax: dice.pick([1, 1_000, mebibyte]),
    proposalsMax: dice.pick([1, 4, 4_096]),
    readsMax: dice.pick([1, 4, 4_096]),
    proposalTicks: dice.pick([3 * raft.electionTicks, 100]),
    logKeepEntries,
    logEntriesMax: logKeepEntries + dice.pick([1, 10, 1_000]),
    transferTicks: 2 * raft.electionTicks,
    earlyMessagesMax: 64,
    mergeAskTicks: 2,
    mergePatienceTicks: 5 * raft.electionTicks,
    hibernateTicks: raft.electionTicks * dice.pick([1, 3, 10]),
    campaignsMax: dice.pick([1, 200]),
  };
}

type Links = Pick<NetworkFaults, "windowBytes" | "segmentBytesMax" | "latencyUsMin" | "latencyUsMax" | "jitterUsMax">;

/** Narrow links are the matter of `rpc`; here a message of entries passes in reason. */
function drawLinks(faults: Readonly<NetworkFaults>): Links {
  const latencyUsMax = Math.min(faults.latencyUsMax, 20_000);
  return {
    windowBytes: Math.max(faults.windowBytes, 65_536),
    segmentBytesMax: Math.max(faults.segmentBytesMax, 1_024),
    latencyUsMax,
    latencyUsMin: Math.min(faults.latencyUsMin, latencyUsMax),
    jitterUsMax: Math.min(faults.jitterUsMax, 20_000),
  };
}

function drawLimits(dice: Dice, electionTicks: number, heartbeatTicks: number): RaftLimits {
  const tiny = dice.chance(1, 2);
  return {
    ...raftLimitsDefault,
    electionTicks,
    heartbeatTicks,
    messageBytesMax: tiny ? dice.pick([60, 500, 4_000]) : raftLimitsDefault.messageBytesMax,
    inflightMessagesMax: dice.pick([1, 4, 256]),
    uncommittedBytesMax: tiny ? dice.pick([4_000, 40_000]) : raftLimitsDefault.uncommittedBytesMax,
    ringBytesMax: dice.pick([0, 1_000, raftLimitsDefault.ringBytesMax]),
    applyBytesMax: dice.pick([1, 1_000, raftLimitsDefault.applyBytesMax]),
  };
}

function drawNet(dice: Dice, roundTripUs: number): Partial<NetOptions> {
  const roundTripMs = Math.ceil(roundTripUs / 1_000);
  const pingMs = Math.max(dice.pick([50, 200, 1_000]), 2 * roundTripMs);
  return {
    pingMs,
    silenceMs: pingMs * 4 + 4 * roundTripMs,
    backoffMsMin: dice.pick([1, 20]),
    backoffMsMax: dice.pick([100, 2_000]),
    // More than the regions of a run, as it has to be: or one's heartbeats push another's votes out, for ever.
    controlMessagesMax: dice.pick([128, 256]),
    appendBytesMax: dice.pick([20_000, 8 * mebibyte]),
    writeBytes: dice.pick([2_000, 65_536, 256 * 1024]),
    chunkBytes: dice.pick([100, 5_000, 64 * 1024]),
    windowBytes: dice.pick([1_000, 20_000, mebibyte]),
    streamStallMs: 2_000 + 20 * roundTripMs,
    streamIdleMs: 20_000 + 100 * roundTripMs,
  };
}

/** At 1 KiB/s an engine is not stuck, but slower than anybody waits for a cluster. */
function paced(options: Partial<EngineOptions>): Partial<EngineOptions> {
  const { slowestBytesPerSecond } = options;
  return slowestBytesPerSecond === undefined
    ? options
    : { ...options, slowestBytesPerSecond: Math.max(slowestBytesPerSecond, paceMin) };
}
