import { type CoordinatorOptions, coordinatorDefaults } from "../coordinator/coordinator.ts";
import { planDefaults } from "../coordinator/plan-view.ts";
import type { ProcessPlace, Topology } from "../node/topology.ts";
import { raftLimitsDefault } from "../raft/raft-options.ts";
import type { StoreOptions } from "../raft/store/store-options.ts";
import type { Dice } from "../sim/dice.ts";
import type { World } from "../sim/world.ts";
import { inTurn, tiledRegions } from "./tiled-regions.ts";

export const lossPort = 7_000;

/**
 * What befalls the cluster: a store is `lost` for good; `returns` while its replicas are being replaced, or is away for
 * too `short` a time for that; it `leaves` because somebody said so, or it is lost and somebody said so (`forced`); a
 * new one `joins`; a store is lost, and the one that was to take its place is away too, for a while (`newcomer`); or
 * the Coordinator alone does not hear of one that serves (`unheard`).
 */
const lossChapters = [
  "lost", "lost", "returns", "short", "leaves", "forced", "joins", "unheard", "newcomer",
] as const;
export type LossChapter = (typeof lossChapters)[number];

export interface LossPlan {
  readonly chapter: LossChapter;
  readonly topology: Topology;
  /** Where it happens. */
  readonly victim: number;
  /** How long a store that returns is away. */
  readonly awayMs: number;
  /** Where no store is lost: replicas have come to rest before it happens. Otherwise some may be on their way. */
  readonly restsFirst: boolean;
  readonly crashKind: "process" | "power";
  /** The Coordinator begins anew so often while replicas move; leaders of regions that change are crashed so often. */
  readonly restarts: number;
  readonly leaderCrashes: number;
  readonly users: number;
  readonly gapMsMax: number;
  readonly electionMs: number;
  readonly heartbeatMs: number;
  readonly forgottenMs: number;
  readonly coordinator: CoordinatorOptions;
  readonly store: Partial<StoreOptions>;
}

export const wantedReplicas = 3;
const disconnectedAfterMs = 2_000;
export const downAfterMs = 6_000;
const silentMs = 3_000;
const shortMsMax = downAfterMs - 2_000;
const tickUs = 100_000;
const electionTicks = 10;

export function drawLossPlan(world: World): LossPlan {
  const dice = world.dice("store-loss-plan");
  const chapter = dice.pick(lossChapters);
  const stores = dice.pick([4, 4, 4, 5]);
  const hostile = !world.options.faultFree && dice.chance(2, 3);
  return {
    chapter,
    topology: lossTopology(stores, dice.between(1, 4)),
    // A newcomer comes only where a replica was: the first region is on these three, whatever there is beside it.
    victim: dice.between(1, chapter === "newcomer" ? wantedReplicas : stores),
    awayMs: drawAwayMs(dice, chapter),
    restsFirst: !movesReplicas(chapter) && world.dice("store-loss-plan-rest").chance(3, 4),
    crashKind: dice.pick(["process", "power"]),
    restarts: hostile ? dice.pick([0, 1, 3]) : 0,
    leaderCrashes: hostile && movesReplicas(chapter) ? dice.pick([0, 1, 3]) : 0,
    users: dice.between(1, 2),
    gapMsMax: dice.pick([100, 500]),
    electionMs: (2 * electionTicks * tickUs) / 1_000,
    heartbeatMs: 500,
    forgottenMs: dice.pick([3_000, 10_000]),
    coordinator: {
      ...coordinatorDefaults,
      liveness: { disconnectedAfterMs, downAfterMs },
      scheduler: {
        ...planDefaults,
        silentMs,
        coolingMs: 1_000,
        stuckMs: 20_000,
        mergeQuietMs: 20_000,
        // With few regions a plan would hold for no time at all.
        planUsPerRegion: world.dice("store-loss-plan-holds").pick([0, 200, 200_000]),
        incomingMax: dice.pick([1, 2]),
        outgoingMax: dice.pick([1, 2]),
        balancingMax: dice.pick([1, 2]),
      },
    },
    store: {
      tickUs,
      raft: { ...raftLimitsDefault, electionTicks, heartbeatTicks: 2 },
      ...dice.pick([{ logKeepEntries: 1, logEntriesMax: 8 }, { logKeepEntries: 1_000, logEntriesMax: 20_000 }]),
    },
  };
}

/** Some store's replicas are to be elsewhere, or a new one is to have some: replicas are added for it. */
export function movesReplicas(chapter: LossChapter): boolean {
  return chapter !== "short" && chapter !== "unheard";
}

/**
 * A short absence is short of being given up, with two seconds until the store is heard of again, and on half of the
 * seeds so long that everybody has noticed.
 */
function drawAwayMs(dice: Dice, chapter: LossChapter): number {
  if (chapter !== "short") return dice.between(downAfterMs, downAfterMs + 6_000);
  return dice.chance(1, 2) ? shortMsMax : dice.between(100, shortMsMax);
}

export function lossPlace(host: string): ProcessPlace {
  const address = { host, port: lossPort };
  return { address, listen: address, workDir: "/data", metrics: null };
}

export function lossTopology(stores: number, count: number): Topology {
  const regions = tiledRegions(["", "k1", "k2", "k3"].slice(0, count), inTurn(stores, wantedReplicas));
  return {
    clusterId: "sim",
    maxRetries: 8,
    coordinators: [{ memberId: 0, ...lossPlace("coordinator") }],
    redis: null,
    redisMetrics: null,
    stores: Array.from({ length: stores }, (_, at) => ({ storeId: at + 1, ...lossPlace(`store-${at + 1}`) })),
    regions,
  };
}
