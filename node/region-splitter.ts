import type { Clock } from "../core/env/clock.ts";
import type { Trace } from "../core/env/trace.ts";
import { type CoordinatorClient, requestMs } from "../coordinator/service/client.ts";
import type { RegionMeta } from "../raft/region.ts";
import { type SplitItem, regionsAfterSplit } from "../raft/store/admin-entry.ts";
import type { RaftAdmin } from "../raft/store/admin.ts";
import type { ChangeDone, ChangeOutcome } from "../raft/store/requests.ts";
import type { PlanningStore, RangePlans } from "./range-plans.ts";

/** The part of a store that divides its regions. */
export interface SplitStore extends PlanningStore {
  readonly admin: Pick<RaftAdmin, "split">;
}

export interface SplitterParts {
  readonly clock: Clock;
  readonly trace: Trace;
  readonly client: Pick<CoordinatorClient, "allocateIds">;
  readonly store: SplitStore;
  readonly plans: RangePlans;
}

/** Of one region under way. */
interface Split {
  readonly region: RegionMeta;
  readonly keys: readonly Uint8Array[];
  readonly transitionId: string;
  readonly items: readonly SplitItem[];
}

/**
 * Divides regions that this store leads: ids from the Coordinator, its word that nothing else is planned there, the
 * command through the region's log, and what became of it. Without a Coordinator nothing is divided.
 */
export class RegionSplitter {
  readonly #parts: SplitterParts;

  constructor(parts: SplitterParts) {
    this.#parts = parts;
  }

  /** `keys` ascend and lie behind the region's start. `done` once, never inside the call. */
  split(regionId: number, keys: readonly Uint8Array[], done: ChangeDone): void {
    const { clock, client, store, plans } = this.#parts;
    const view = store.region(regionId);
    const region = view?.region ?? null;
    const refuse = (reason: string): void => clock.soon(() => done({ kind: "refused", reason }));
    if (plans.stopped) return refuse("the store is closed");
    if (region === null || view?.leadingTerm === 0) return refuse("this store does not lead the region");
    const other = plans.underWay(regionId);
    if (other !== null) return refuse(`it is being ${other === "split" ? "divided" : "merged"} already`);
    const problem = regionsAfterSplit(region, keys.map((key, at) => itemOf(region, key, region.id + 1, at)));
    if (typeof problem === "string") return refuse(problem);
    plans.begin(regionId, "split");
    const end = (outcome: ChangeOutcome): void => {
      plans.end(regionId);
      done(outcome);
    };
    client.allocateIds(keys.length * (1 + region.peers.length), requestMs, (error, range) => {
      if (range === null) return end({ kind: "refused", reason: error?.message ?? "no ids came" });
      const items = keys.map((key, at) => itemOf(region, key, range.first, at));
      // Never the same twice: what an earlier plan came to says nothing of this one.
      this.#plan({ region, keys, items, transitionId: `split-${regionId}-${range.first}` }, end);
    });
  }

  #plan(split: Split, end: ChangeDone): void {
    const { transitionId, region, items, keys } = split;
    const otherIds = items.map(({ regionId }) => regionId);
    const plan = { transitionId, regionId: region.id, base: region.epoch, otherIds, splitKeys: keys };
    this.#parts.plans.announce("split", plan, (reason) => {
      if (reason === null) this.#propose(split, end);
      else end({ kind: "refused", reason });
    });
  }

  #propose({ region, items, transitionId }: Split, end: ChangeDone): void {
    const { store, plans, trace } = this.#parts;
    store.admin.split(region.id, items, (outcome) => {
      if (outcome.kind === "done") {
        trace.emit("node/region-split", { regionId: region.id, children: outcome.children.length });
        plans.tell({ kind: "RegionSplitCommitted", transitionId, regions: [outcome.region, ...outcome.children] });
      } else plans.cancel("split", transitionId);
      end(outcome);
    });
  }
}

/** Ids from `first` on: of every child one for itself, and one for each of its peers. */
// oxlint-disable-next-line max-params
function itemOf({ peers }: RegionMeta, key: Uint8Array, first: number, at: number): SplitItem {
  const regionId = first + at * (1 + peers.length);
  return { key, regionId, peerIds: peers.map((_, peer) => regionId + 1 + peer) };
}
