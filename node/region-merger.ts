import type { Clock } from "../core/env/clock.ts";
import type { Trace } from "../core/env/trace.ts";
import { type CoordinatorClient, requestMs } from "../coordinator/service/client.ts";
import type { RangePlan } from "../coordinator/root-event.ts";
import type { RaftAdmin } from "../raft/store/admin.ts";
import type { ChangeDone, ChangeOutcome } from "../raft/store/requests.ts";
import type { PlanningStore, RangePlans } from "./range-plans.ts";

/** The part of a store that merges its regions. */
export interface MergingStore extends PlanningStore {
  readonly admin: Pick<RaftAdmin, "merge" | "mergeRefusal">;
}

export interface MergerParts {
  readonly clock: Clock;
  readonly trace: Trace;
  readonly client: Pick<CoordinatorClient, "allocateIds">;
  readonly store: MergingStore;
  readonly plans: RangePlans;
}

/**
 * Merges regions that this store leads into their right neighbours: the Coordinator's word that nothing else is planned
 * in either, the merge itself, and what became of it. Without a Coordinator none is begun; one that has begun needs
 * none to end.
 */
export class RegionMerger {
  readonly #parts: MergerParts;

  constructor(parts: MergerParts) {
    this.#parts = parts;
  }

  /** `done` once, never inside the call: the target as it is then, or why not. */
  merge(regionId: number, targetId: number, done: ChangeDone): void {
    const { clock, client, store, plans } = this.#parts;
    const region = store.region(regionId)?.region ?? null;
    const refuse = (reason: string): void => clock.soon(() => done({ kind: "refused", reason }));
    if (plans.stopped) return refuse("the store is closed");
    const other = plans.underWay(regionId) ?? plans.underWay(targetId);
    if (other !== null) return refuse(`one of the two is being ${other === "split" ? "divided" : "merged"} already`);
    const problem = store.admin.mergeRefusal(regionId, targetId);
    if (region === null || problem !== null) return refuse(problem ?? "this store does not lead the region");
    plans.begin(regionId, "merge");
    const end = (outcome: ChangeOutcome): void => {
      plans.end(regionId);
      done(outcome);
    };
    client.allocateIds(1, requestMs, (error, range) => {
      if (range === null) return end({ kind: "refused", reason: error?.message ?? "no ids came" });
      // Never the same twice: what an earlier plan came to says nothing of this one.
      const transitionId = `merge-${regionId}-${range.first}`;
      const plan = { transitionId, regionId, base: region.epoch, otherIds: [targetId], splitKeys: [] };
      plans.announce("merge", plan, (reason) => {
        if (reason === null) this.#propose(plan, targetId, end);
        else end({ kind: "refused", reason });
      });
    });
  }

  #propose({ regionId, transitionId }: RangePlan, targetId: number, end: ChangeDone): void {
    const { store, plans, trace } = this.#parts;
    store.admin.merge(regionId, targetId, (outcome) => {
      trace.emit("node/region-merge", { regionId, targetId, outcome: outcome.kind });
      if (outcome.kind === "done") {
        plans.tell({ kind: "RegionMerged", transitionId, region: outcome.region, sourceId: regionId });
      } else if (outcome.kind === "refused") plans.cancel("merge", transitionId);
      // Of one whose end is not known the plan stays open: it may be frozen, and the two descriptors tell the rest.
      end(outcome);
    });
  }
}
