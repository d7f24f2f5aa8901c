import { compareKeys } from "../core/bytes/record.ts";
import type { Env } from "../core/env/env.ts";
import type { TraceFields } from "../core/env/trace.ts";
import type { CoordinatorState } from "../coordinator/state.ts";
import type { CoordinatorNode } from "../node/coordinator-node.ts";
import { operatorEvent } from "../node/operator-runner.ts";
import { type RegionMeta, describeRegion, rangesOverlap } from "../raft/region.ts";
import type { World } from "../sim/world.ts";
import type { NodeSeat, SeatStage } from "./cluster-seat.ts";
import type { StormMap } from "./region-storm-map.ts";

/** Two regions became one because the Coordinator asked for it: while everything may fail, and when nothing does. */
export const mergeAmidFaults = "merge-by-plan-amid-faults";
export const mergeAfterwards = "merge-by-plan-afterwards";

interface PlannedMerge {
  readonly source: RegionMeta;
  readonly targetId: number;
}

/**
 * What the Coordinator knows of regions: nothing that never was, at no key anything older than what it knew there, no
 * more than one change of a region at a time, and no merge that it calls done and that was not.
 */
export class MergesWatch {
  readonly #stage: SeatStage;
  readonly #world: World;
  readonly #seats: readonly NodeSeat<CoordinatorNode>[];
  readonly #map: StormMap;
  /** By process: the states that were looked at last. */
  readonly #looked = new Map<CoordinatorNode, CoordinatorState>();
  readonly #planned = new Map<string, PlannedMerge>();
  readonly #ended = new Map<string, string>();
  #byPlan = 0;

  constructor(stage: SeatStage, seats: readonly NodeSeat<CoordinatorNode>[], map: StormMap) {
    this.#stage = stage;
    this.#world = stage.world;
    this.#seats = seats;
    this.#map = map;
  }

  /** The world of a store's process: what it did for the Coordinator is counted. */
  listen(env: Env): Env {
    const { clock, disk, network, random, jobs, failpoints, trace } = env;
    const emit = (event: string, fields: TraceFields): void => {
      const { operator, outcome } = fields;
      if (event === operatorEvent && operator === "merge" && outcome === "done") this.#mergedByPlan();
      trace.emit(event, fields);
    };
    return { clock, disk, network, random, jobs, failpoints, trace: { enabled: trace.enabled, emit } };
  }

  #mergedByPlan(): void {
    this.#byPlan++;
    this.#world.reach(this.#stage.calm ? mergeAfterwards : mergeAmidFaults);
  }

  /** By how they ended; those that were asked for by a plan or by hand. */
  summary(): string {
    const count = (outcome: string): number => [...this.#ended.values()].filter((end) => end === outcome).length;
    return `${this.#planned.size} merges announced, ${count("completed")} of them completed, ${this.#byPlan} by plan`;
  }

  /** The stores were looked at just now: whatever anybody was told of is known. */
  look(): void {
    for (const { node, machine } of this.#seats) {
      if (node === null || !machine.up) continue;
      const { state } = node.coordinator;
      const before = this.#looked.get(node);
      if (before === state) continue;
      this.#looked.set(node, state);
      if (before?.regions !== state.regions) this.#judgeMap(machine.name, before?.regions ?? [], state.regions);
      this.#judgePlans(state);
    }
  }

  #judgeMap(name: string, before: readonly RegionMeta[], now: readonly RegionMeta[]): void {
    for (const [at, region] of now.entries()) {
      this.#map.see(name, region);
      const next = now[at + 1];
      if (next !== undefined && rangesOverlap(region, next)) {
        this.#world.fail("region-map", `${name} has ${describeRegion(region)} and ${describeRegion(next)}`);
      }
      const newer = before.find((old) => old.epoch.version > region.epoch.version && rangesOverlap(old, region));
      if (newer === undefined) continue;
      this.#world.fail("region-map", `${name} has ${describeRegion(region)} after ${describeRegion(newer)}`);
    }
  }

  #judgePlans({ regions, pendingRangeChanges, settled }: CoordinatorState): void {
    const concerned = new Set<number>();
    for (const { transitionId, change, regionId, otherIds } of pendingRangeChanges) {
      for (const id of [regionId, ...otherIds]) {
        if (concerned.has(id)) this.#world.fail("transitions", `${transitionId} is not alone in region ${id}`);
        concerned.add(id);
      }
      const source = regions.find(({ id }) => id === regionId);
      const [targetId = 0] = otherIds;
      if (change !== "merge" || source === undefined || this.#planned.has(transitionId)) continue;
      this.#planned.set(transitionId, { source, targetId });
    }
    for (const { transitionId, outcome } of settled) {
      const plan = this.#planned.get(transitionId);
      if (plan === undefined || this.#ended.get(transitionId) === outcome) continue;
      this.#ended.set(transitionId, outcome);
      if (outcome === "completed") this.#judgeCompleted(transitionId, plan);
    }
  }

  /** The start of a region never grows: a target that took its source begins where that one did, or before. */
  #judgeCompleted(transitionId: string, { source, targetId }: PlannedMerge): void {
    const target = this.#map.newestOf(targetId);
    if (target !== null && compareKeys(target.start, source.start) <= 0) return;
    const text = target === null ? "nothing" : describeRegion(target);
    this.#world.fail("transitions", `${transitionId} counts as completed: ${describeRegion(source)} is not in ${text}`);
  }
}
