import type { World } from "../sim/world.ts";
import { type StorePlan, drawStorePlan } from "./raft-store-plan.ts";

/** One seed's stores, and what becomes of its regions. */
export interface StormPlan extends StorePlan {
  /** Ascending. */
  readonly keys: readonly string[];
  /** Asked for, at most. */
  readonly splitsMax: number;
  readonly mergesMax: number;
  /** Between two changes of the regions, at most. */
  readonly stormGapMsMax: number;
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
  };
}
