import type { World } from "../sim/world.ts";
import { type DeedName, type StorePlan, drawStorePlan } from "./raft-store-plan.ts";

/** One seed's stores, and what becomes of its regions. */
export interface StormPlan extends StorePlan {
  /** Ascending. */
  readonly keys: readonly string[];
  /** Asked for, at most. */
  readonly splitsMax: number;
  readonly mergesMax: number;
  /** Between two changes of the regions, at most. */
  readonly stormGapMsMax: number;
  /** Where regions meet on the first day: some of the keys, ascending. */
  readonly bounds: readonly string[];
  readonly endsInMerges: boolean;
}

export function drawStormPlan(world: World): StormPlan {
  const plan = drawStorePlan(world);
  const dice = world.dice("storm-plan");
  const count = dice.between(4, 14);
  const mergesMax = world.dice("storm-merges").between(0, 6);
  return {
    ...plan,
    store: {
      ...plan.store,
      earlyMessagesMax: dice.pick([0, 2, 64]),
      // Freezes end soon, one way or the other.
      mergeAskTicks: 1 + (mergesMax % 3),
      mergePatienceTicks: plan.store.raft.electionTicks * (mergesMax < 4 ? 1 : 6),
    },
    regions: 1,
    keys: Array.from({ length: count }, (_, at) => `k${String(at).padStart(2, "0")}/${at % 2 === 0 ? "r" : "c"}`),
    splitsMax: dice.between(1, 8),
    mergesMax,
    stormGapMsMax: Math.max(2, Math.ceil(plan.electionMs * dice.pick([0.2, 1, 4]))),
    bounds: [],
    endsInMerges: false,
  };
}

const mergeDeeds: readonly DeedName[] = [
  "transfer",
  "transfer",
  "campaign",
  "isolate",
  "isolate-leader",
  "one-way",
  "crash-leader",
  "pause-leader",
  "lag",
  "at-failpoint",
  "at-failpoint",
  "power-off-all",
  "heal",
];

/** Several regions, of which there is always one to be merged, and freezes that are over before all have answered. */
export function drawMergeStormPlan(world: World): StormPlan {
  const plan = drawStormPlan(world);
  const dice = world.dice("merge-storm");
  const { electionMs, deeds } = plan;
  return {
    ...plan,
    bounds: plan.keys.filter((_, at) => at > 0 && dice.chance(1, 2)),
    splitsMax: dice.between(4, 20),
    mergesMax: dice.between(10, 30),
    faultsMs: Math.min(plan.faultsMs, electionMs * 30),
    store: {
      ...plan.store,
      mergeAskTicks: dice.pick([1, 1, 2]),
      mergePatienceTicks: dice.pick([1, 3, plan.store.raft.electionTicks, 6 * plan.store.raft.electionTicks]),
    },
    deeds: deeds.length === 0 ? [] : mergeDeeds.filter(() => dice.chance(2, 3)),
    deedGapMsMax: electionMs * dice.pick([0.5, 1, 3]),
    deedLengthMsMax: electionMs * dice.pick([0.5, 1, 3]),
    stormGapMsMax: Math.max(2, Math.ceil(electionMs * dice.pick([0.2, 1]))),
    log: { ...plan.log, groupBytesMax: Math.max(plan.log.groupBytesMax, 65_536) },
    endsInMerges: true,
  };
}
