import { type CoordinatorOptions, coordinatorDefaults } from "../coordinator/coordinator.ts";
import type { Topology } from "../node/topology.ts";
import type { Dice } from "../sim/dice.ts";
import type { World } from "../sim/world.ts";
import { type ClusterPlan, clusterKeys, drawClusterPlan } from "./cluster-plan.ts";
import { tiledRegions } from "./tiled-regions.ts";

/** What is done to the regions of a cluster by hand, and what its Coordinator does by itself. */
export interface MergesPlan {
  readonly coordinator: CoordinatorOptions;
  /** Of each region; 0: nobody replaces what is lost. */
  readonly replicas: number;
  /** Merges and splits by hand, at most. */
  readonly byHandMax: number;
  readonly gapMsMax: number;
}

const replicas = 3;

/** Small regions on the same stores, a Coordinator that soon takes them for quiet, stores that are away for long. */
export function drawMergesPlan(world: World): ClusterPlan {
  const plan = drawClusterPlan(world);
  const dice = world.dice("region-merges");
  const { electionMs } = plan;
  const topology = onSameStores(plan.topology, dice);
  const splitBytes = dice.pick([8_000, 32_000, 200_000]);
  const splitCommands = dice.pick([0, 0, 40]);
  const isRepaired = topology.stores.length > replicas;
  const faultsMs = Math.min(40_000, electionMs * dice.between(10, 30));
  return {
    ...plan,
    topology,
    regions: topology.regions.length,
    faultsMs,
    storms: 2,
    // A merge waits for every replica, and a store that rots is gone until the end.
    rot: null,
    lullMs: Math.ceil(electionMs * dice.between(4, 12)),
    outageMsMax: world.options.faultFree ? 0 : dice.pick([0, electionMs, electionMs * 8]),
    redisUsers: Math.min(plan.redisUsers, 1),
    // Whoever plans replicas changes them.
    deeds: plan.deeds.filter((deed) => deed !== "change-peers" || !isRepaired),
    store: {
      ...plan.store,
      mergeAskTicks: dice.pick([1, 2]),
      mergePatienceTicks: plan.store.raft.electionTicks * dice.pick([1, 4, 12]),
    },
    splits: {
      regionSplitBytes: splitBytes, regionSplitCommandsPerSecond: splitCommands,
      checkMs: Math.ceil(electionMs * dice.pick([0.5, 2])),
    },
    merges: {
      coordinator: coordinatorOf(dice, electionMs, splitBytes, splitCommands),
      replicas: isRepaired ? replicas : 0,
      byHandMax: dice.pick([0, 6, 20]),
      gapMsMax: Math.max(2, Math.ceil(electionMs * dice.pick([0.2, 1, 3]))),
    },
  };
}

// oxlint-disable-next-line max-params
function coordinatorOf(dice: Dice, electionMs: number, splitBytes: number, splitCommands: number): CoordinatorOptions {
  const disconnectedAfterMs = electionMs * 2 + 2_000;
  const downAfterMs = disconnectedAfterMs * 2;
  return {
    ...coordinatorDefaults,
    liveness: { disconnectedAfterMs, downAfterMs },
    scheduler: {
      ...coordinatorDefaults.scheduler,
      silentMs: disconnectedAfterMs,
      coolingMs: electionMs,
      stuckMs: 20_000 + 10 * electionMs,
      mergeQuietMs: electionMs * dice.pick([0, 1, 4]),
      mergeBytesMax: splitBytes / 4,
      mergeCommandsPerSecondMax: splitCommands === 0 ? 1_000_000 : splitCommands / 4,
      mergingMax: dice.pick([1, 2, 4]),
      regionsPerStoreMin: dice.pick([0, 0, 1]),
      // What moves for balance parts neighbours, and only those on the same stores are merged.
      balancingMax: dice.pick([0, 0, 2]),
    },
  };
}

/** More regions than elsewhere, all on the first stores. */
function onSameStores(topology: Topology, dice: Dice): Topology {
  const chosen = new Set(clusterKeys.filter(() => dice.chance(1, 2)));
  const stores = topology.stores.slice(0, replicas).map(({ storeId }) => storeId);
  const regions = tiledRegions(["", ...[...chosen].toSorted()], (at) => {
    // Another one leads each.
    const first = at % stores.length;
    return [...stores.slice(first), ...stores.slice(0, first)];
  });
  return { ...topology, regions };
}
