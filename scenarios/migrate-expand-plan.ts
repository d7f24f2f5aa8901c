import type { EngineOptions } from "../core/engine/options.ts";
import {
  expandAfterAbort,
  expandAfterAbortMark,
  expandAfterAdd,
  expandAfterJournal,
  expandAfterPromote,
  expandAfterReserve,
  expandAfterSettle,
  expandAfterVerify,
  expandBeforeAdd,
} from "../failpoints/catalog.ts";
import type { Failpoint } from "../failpoints/failpoints.ts";
import type { NetOptions } from "../net/rpc/options.ts";
import type { ExpandPace } from "../node/migrate/region-expansion.ts";
import type { ProcessPlace, Topology } from "../node/topology.ts";
import type { StoreOptions } from "../raft/store/store-options.ts";
import type { Dice } from "../sim/dice.ts";
import type { CrashKind } from "../sim/machine.ts";
import type { NetworkFaults } from "../sim/network/network-faults.ts";
import type { World } from "../sim/world.ts";
import { clusterPort } from "./cluster-plan.ts";
import type { DeedPlan } from "./raft-store-nemesis.ts";
import { type DeedName, drawStorePlan } from "./raft-store-plan.ts";

/** One process of the operator, and how it ends. */
export interface OperatorLife {
  readonly does: "expand" | "abort";
  /** Of its calls to the world; 0: none. */
  readonly crashAtCall: number;
  readonly crashAt: Failpoint | null;
  readonly kind: CrashKind;
}

/** What one seed's migration is like, and what is done to it. */
export interface ExpandPlan extends DeedPlan {
  readonly topology: Topology;
  /** The first store's directory was filled through the embedded library, and made a seed. */
  readonly seeded: boolean;
  readonly keys: number;
  readonly writes: number;
  /** Nothing ends or fails but what is asked for. */
  readonly quiet: boolean;
  /** Before the last one, which is left alone. */
  readonly lives: readonly OperatorLife[];
  /** Stores that end inside a call of theirs, counted from when the operator begins. */
  readonly storeCrashes: readonly { readonly storeId: number; readonly call: number; readonly kind: CrashKind }[];
  /** So often somebody divides a region meanwhile. */
  readonly splits: number;
  /** A learner's disk tells lies, once the operator has seen that it tells the truth. */
  readonly rots: boolean;
  /** The Coordinator goes away for so long; 0: it stays. */
  readonly outageMs: number;
  /** To these the world is hostile: the seed's store, the targets, the Coordinator, by name. */
  readonly exposed: readonly string[];
  readonly pace: ExpandPace;
  readonly engine: Partial<EngineOptions>;
  readonly store: StoreOptions;
  readonly net: Partial<NetOptions>;
  readonly links: Partial<NetworkFaults>;
}

const expandPoints = [
  expandAfterReserve, expandAfterJournal, expandBeforeAdd, expandAfterAdd, expandAfterVerify, expandAfterPromote,
  expandAfterSettle,
];
const abortPoints = [expandAfterAbortMark, expandAfterAbort];
const deeds: readonly DeedName[] = [
  "isolate", "isolate-leader", "one-way", "split", "crash-leader", "power-off-all", "at-failpoint", "at-failpoint",
  "pause-leader", "lag", "heal",
];
/** A calm expansion of one region is some 700 calls of its operator. */
const operatorCallsMax = 900;

export function drawExpandPlan(world: World): ExpandPlan {
  const stores = drawStorePlan(world);
  const dice = world.dice("expand-plan");
  const { electionMs } = stores;
  const quiet = world.options.faultFree || dice.chance(1, 6);
  const kind = (): CrashKind => dice.pick(["process", "power"]);
  const seeded = dice.chance(1, 2);
  const topology = seeded ? { ...drawTopology(dice), regions: [] } : drawTopology(dice);
  const rots = !quiet && dice.chance(1, 4);
  const taken = dice.chance(1, 5);
  const any = Array.from({ length: dice.between(0, 3) }, () => drawLife(dice));
  const lives = quiet ? [] : taken ? drawTakenBack(dice) : any;
  return {
    topology,
    seeded,
    quiet,
    regions: seeded ? 1 : topology.regions.length,
    keys: dice.between(1, 60),
    writes: dice.pick([0, 20, 100]),
    // Of a learner that rots, the process that comes next has to find out.
    lives: rots ? [endsAt("expand", expandAfterVerify, kind())] : lives,
    storeCrashes: quiet || rots ? [] : Array.from({ length: dice.between(0, 2) }, () => {
      return { storeId: dice.between(1, 3), call: dice.skewed(1, 2_000), kind: kind() };
    }),
    rots,
    splits: rots ? 0 : dice.pick([0, 0, 1, 3]),
    outageMs: quiet || rots ? 0 : dice.pick([0, 0, electionMs, electionMs * 6]),
    exposed: quiet || rots ? [] : ["store-1", "store-2", "store-3", "coordinator"].filter(() => dice.chance(1, 5)),
    deeds: quiet || rots || dice.chance(1, 2) ? [] : deeds.filter(() => dice.chance(1, 2)),
    deedGapMsMax: electionMs * dice.pick([2, 8]),
    deedLengthMsMax: electionMs * dice.pick([1, 3]),
    electionMs,
    pace: { pollMs: Math.max(10, Math.ceil(electionMs / 8)), stallMs: electionMs * 20 },
    engine: stores.engine,
    store: { ...stores.store, proposalsMax: Math.max(stores.store.proposalsMax, 16), readsMax: 4_096 },
    net: stores.net,
    links: stores.links,
  };
}

function drawLife(dice: Dice): OperatorLife {
  const does = dice.chance(1, 6) ? "abort" : "expand";
  const atCall = dice.chance(2, 3);
  return {
    does,
    crashAtCall: atCall ? dice.between(1, operatorCallsMax) : 0,
    crashAt: atCall ? null : dice.pick(does === "abort" ? abortPoints : expandPoints),
    kind: dice.pick(["process", "power"]),
  };
}

function endsAt(does: OperatorLife["does"], crashAt: Failpoint, kind: CrashKind): OperatorLife {
  return { does, crashAtCall: 0, crashAt, kind };
}

/** Learners come, and are taken back by a process that ends between the journal and the region. */
function drawTakenBack(dice: Dice): OperatorLife[] {
  const kind = dice.pick<CrashKind>(["process", "power"]);
  const came = dice.pick([expandAfterAdd, expandAfterVerify]);
  return [endsAt("expand", came, kind), endsAt("abort", dice.pick(abortPoints), kind)];
}

/** One store has everything, two are empty. */
function drawTopology(dice: Dice): Topology {
  const place = (host: string): ProcessPlace => {
    const address = { host, port: clusterPort };
    return { address, listen: address, workDir: "/data", metrics: null };
  };
  const starts = dice.pick([[""], [""], ["", "key-3"], ["", "key-2", "key-5"]]);
  const encoder = new TextEncoder();
  const regions = starts.map((start, at) => {
    const id = at + 1;
    const region = {
      id,
      start: encoder.encode(start),
      end: encoder.encode(starts[id] ?? ""),
      epoch: { version: 1, confVer: 1 },
      peers: [{ peerId: 100 + id, storeId: 1, role: "voter" as const }],
    };
    return { region, leaderStoreId: 1 };
  });
  return {
    clusterId: "sim",
    maxRetries: 8,
    coordinators: [{ memberId: 0, ...place("coordinator") }],
    redis: null,
    redisMetrics: null,
    stores: [1, 2, 3].map((storeId) => ({ storeId, ...place(`store-${storeId}`) })),
    regions,
  };
}
