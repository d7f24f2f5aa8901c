import { type EngineOptions, engineOptionsDefault } from "../core/engine/options.ts";
import type { ScrubOptions } from "../core/engine/scrubber.ts";
import type { NetOptions } from "../net/rpc/options.ts";
import type { ProcessPlace, Topology } from "../node/topology.ts";
import type { SplitLimits } from "../node/split-checker.ts";
import type { StoreOptions } from "../raft/store/store-options.ts";
import type { Dice } from "../sim/dice.ts";
import type { NetworkFaults } from "../sim/network/network-faults.ts";
import type { World } from "../sim/world.ts";
import type { TxnClientOptions } from "../txn/remote/client-options.ts";
import { drawRot, type RotPlan } from "./cluster-rot.ts";
import type { DeedPlan } from "./raft-store-nemesis.ts";
import { drawStorePlan } from "./raft-store-plan.ts";
import type { MergesPlan } from "./region-merges-plan.ts";
import { inTurn, tiledRegions } from "./tiled-regions.ts";

export const clusterPort = 7_000;
export const redisPort = 6_379;

/** Storms and lulls together: two minutes. */
const lengthMs = 120_000;

/** What one seed's cluster is like, and what is done to it. */
export interface ClusterPlan extends DeedPlan {
  readonly topology: Topology;
  readonly gateways: number;
  /** In all; so much of it falls into each of the storms. */
  readonly faultsMs: number;
  readonly storms: number;
  /** Between two storms. */
  readonly lullMs: number;
  /** To so many stores the world is hostile beyond the deeds; to the Coordinator and a gateway, too, on some seeds. */
  readonly swarm: number;
  readonly swarmOnOthers: boolean;
  /** The Coordinator goes away now and then, for so long at most; 0: never. */
  readonly outageMsMax: number;
  readonly txnUsers: number;
  readonly redisUsers: number;
  readonly redisRequests: number;
  readonly listUsers: number;
  readonly gapMsMax: number;
  readonly engine: Partial<EngineOptions>;
  readonly store: StoreOptions;
  readonly splits: SplitLimits;
  readonly net: Partial<NetOptions>;
  readonly client: Partial<TxnClientOptions>;
  readonly links: Partial<NetworkFaults>;
  /** Null: no region is merged. */
  readonly merges: MergesPlan | null;
  /** Of a million segments between processes of the cluster, so many arrive with a bit flipped while it storms. */
  readonly corrupt: number;
  /** Null: every disk keeps what it holds. */
  readonly rot: RotPlan | null;
  /** How stores read by themselves what they hold. */
  readonly scrub: Partial<ScrubOptions>;
}

/** What the longest transaction of the users is for an engine: six keys, each value as a prewrite and as data. */
const transactionBytes = 12 * 1_024;
/** Of a flush: its table, the table's entry in the directory, the manifest. */
const flushSyncs = 3;

/** Where regions may meet: among the keys of the transactions, and those of the gateways' clients. */
export const clusterKeys = ["a2", "counter:2", "g02", "mixed:2", "n1", "plain:2", "r3", "s1", "twin:b"];

export function drawClusterPlan(world: World): ClusterPlan {
  const stores = drawStorePlan(world);
  const dice = world.dice("cluster-plan");
  const splits = world.dice("split-plan");
  const topology = drawTopology(world, dice, Math.max(3, stores.stores));
  const { faultFree } = world.options;
  const rot = faultFree ? null : drawRot(world.dice("rot-plan"), topology.stores.length);
  const { electionMs } = stores;
  const faultsMs = Math.min(90_000, electionMs * dice.between(10, 40));
  const storms = dice.between(2, 4);
  const plan = {
    topology,
    regions: topology.regions.length,
    gateways: dice.between(1, 2),
    faultsMs,
    storms,
    lullMs: Math.ceil((lengthMs - faultsMs) / (storms - 1)),
    swarm: Math.min(stores.swarm, 2),
    swarmOnOthers: dice.chance(1, 3),
    outageMsMax: faultFree ? 0 : dice.pick([0, 0, electionMs, electionMs * 8]),
    txnUsers: dice.between(1, 4),
    redisUsers: dice.between(0, 3),
    redisRequests: dice.between(5, 40),
    listUsers: world.dice("list-plan").pick([0, 0, 2, 3]),
    gapMsMax: dice.pick([1, 50, electionMs]),
    // A store that is lost for good is a minority of every region as long as nobody takes its other peers away.
    deeds: rot === null ? stores.deeds : stores.deeds.filter((deed) => deed !== "change-peers"),
    deedGapMsMax: stores.deedGapMsMax,
    deedLengthMsMax: stores.deedLengthMsMax,
    electionMs,
    engine: stores.engine,
    store: { ...stores.store, proposalsMax: Math.max(stores.store.proposalsMax, 16), readsMax: 4_096 },
    splits: {
      regionSplitBytes: splits.pick([0, 2_000, 4_000, 16_000]),
      regionSplitCommandsPerSecond: splits.pick([0, 0, 2, 20]),
      checkMs: Math.ceil(electionMs * splits.pick([1, 4, 16])),
    },
    net: stores.net,
    client: {
      operationMs: electionMs * dice.pick([4, 10]),
      attemptMs: electionMs,
      backgroundMs: electionMs * 4,
      lockMs: dice.pick([electionMs, electionMs * 3]),
      pageEntriesMax: dice.pick([1, 3, 256]),
    },
    links: stores.links,
    merges: null,
    corrupt: faultFree ? 0 : drawCorruption(world.dice("net-corrupt-plan")),
    rot,
    scrub: drawScrub(world.dice("scrub-plan")),
  };
  return { ...plan, engine: keepingUp(plan.engine, plan.client.operationMs, world.options.disk.faults.syncUsMax) };
}

/** On half of the seeds; as in production it would not begin within the length of a run. */
function drawScrub(dice: Dice): Partial<ScrubOptions> {
  const drawn = { passMs: dice.pick([5_000, 20_000]), sliceBytes: dice.pick([1_000, 1_000_000]) };
  return dice.chance(1, 2) ? drawn : {};
}

/** On some seeds; of any scale, up to where most connections break soon after they are made. */
export function drawCorruption(dice: Dice): number {
  const drawn = dice.skewed(20, 50_000);
  return dice.chance(1, 3) ? drawn : 0;
}

/**
 * What an engine of a cluster has at least, so that the data of a seed, some hundred KiB, comes to dozens of tables and
 * not to hundreds. Each table and each value file costs with every flush and every merge of the engine, and what very
 * many of them do, the scenarios of the storage show better. Memtables stay so small that a seed has tens of flushes.
 */
const leastSizes = {
  memtableBytes: 8_192,
  tableBytes: 16_384,
  blockBytes: 256,
  levelBytesBase: 16_384,
  manifestBytesMax: 4_096,
  valueGarbagePercent: 20,
} as const satisfies Partial<EngineOptions>;

/** Of shorter values each flush would make a file, which nothing merges with others. */
const leastSeparatedBytes = 64;

/**
 * The longest transaction passes through an engine in half of the time that an operation has. Where memtables are full
 * of less, each with its flush, and tables hold less, each with its sync, it is not over in time however often it is
 * tried again.
 */
function keepingUp(engine: Partial<EngineOptions>, operationMs: number, syncUsMax: number): Partial<EngineOptions> {
  const flushMs = Math.ceil((flushSyncs * syncUsMax) / 1_000);
  const leastBytes = Math.ceil((2 * transactionBytes * flushMs) / operationMs);
  const { memtableBytes, tableBytes } = leastSizes;
  const least = {
    ...leastSizes,
    memtableBytes: Math.max(memtableBytes, leastBytes),
    tableBytes: Math.max(tableBytes, leastBytes),
  };
  const names = Object.keys(least) as (keyof typeof least)[];
  const whole = { ...engineOptionsDefault, ...engine };
  const raised = names.map((name) => [name, Math.max(whole[name], least[name])] as const);
  const threshold = whole.valueThresholdBytes;
  // 0: no value leaves its table.
  const valueThresholdBytes = threshold === 0 ? 0 : Math.max(threshold, leastSeparatedBytes);
  return { ...engine, ...Object.fromEntries(raised), valueThresholdBytes };
}

function drawTopology(world: World, dice: Dice, stores: number): Topology {
  const place = (host: string): ProcessPlace => {
    const address = { host, port: clusterPort };
    return { address, listen: address, workDir: "/data", metrics: null };
  };
  const memberIds = world.dice("coordinators").chance(1, 4) ? [1, 2, 3] : [0];
  const count = dice.between(0, 3);
  const chosen = new Set<string>();
  while (chosen.size < count) chosen.add(dice.pick(clusterKeys));
  const starts = ["", ...[...chosen].sort()];
  const replicas = dice.pick([3, 3, 3, 5]);
  const regions = tiledRegions(starts, inTurn(stores, Math.min(stores, replicas)));
  return {
    clusterId: "sim",
    maxRetries: 8,
    coordinators: memberIds.map((memberId) => ({
      memberId, ...place(memberId === 0 ? "coordinator" : `coordinator-${memberId}`),
    })),
    redis: null,
    redisMetrics: null,
    stores: Array.from({ length: stores }, (_, at) => ({ storeId: at + 1, ...place(`store-${at + 1}`) })),
    regions,
  };
}
