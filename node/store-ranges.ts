import type { Env } from "../core/env/env.ts";
import type { Engine } from "../core/engine/engine.ts";
import type { CoordinatorClient } from "../coordinator/service/client.ts";
import type { Store } from "../raft/store/store.ts";
import type { RequestMeter } from "../txn/server/request-meter.ts";
import type { RegionMeta } from "../raft/region.ts";
import type { ChangeDone } from "../raft/store/requests.ts";
import type { RegionUsage } from "./region-reports.ts";
import { RangePlans } from "./range-plans.ts";
import { RegionMerger } from "./region-merger.ts";
import { RegionSplitter } from "./region-splitter.ts";
import { SplitChecker, type SplitLimits, splitLimitsDefault } from "./split-checker.ts";
import type { Topology } from "./topology.ts";

export interface StoreRangesParts {
  readonly client: CoordinatorClient;
  readonly engine: Engine;
  readonly store: Store;
  readonly meter: RequestMeter;
  readonly retryMs: number;
}

/** What divides and merges the regions of a store: by hand, or as the Coordinator asks, and by themselves. */
export class StoreRanges {
  readonly #splitter: RegionSplitter;
  readonly #merger: RegionMerger;
  readonly #plans: RangePlans;
  readonly #checker: SplitChecker;

  /** Limits given win over those of the topology. */
  // oxlint-disable-next-line max-params
  constructor(env: Env, parts: StoreRangesParts, topology: Topology, given: Partial<SplitLimits>) {
    const { clock, trace } = env;
    const { client, store, engine, meter, retryMs } = parts;
    const { regionSplitBytes = splitLimitsDefault.regionSplitBytes } = topology;
    const limits = { ...splitLimitsDefault, regionSplitBytes, ...given };
    const plans = new RangePlans({ clock, client, store, retryMs });
    this.#plans = plans;
    this.#splitter = new RegionSplitter({ clock, trace, client, store, plans });
    this.#merger = new RegionMerger({ clock, trace, client, store, plans });
    this.#checker = new SplitChecker({ clock, engine, store, splitter: this.#splitter, plans, meter, limits });
  }

  usageOf(region: RegionMeta): RegionUsage {
    return this.#checker.usageOf(region);
  }

  split(regionId: number, keys: readonly Uint8Array[], done: ChangeDone): void {
    this.#splitter.split(regionId, keys, done);
  }

  /** Into its right neighbour. */
  merge(regionId: number, targetId: number, done: ChangeDone): void {
    this.#merger.merge(regionId, targetId, done);
  }

  start(): void {
    this.#checker.start();
  }

  stop(): void {
    this.#checker.stop();
    this.#plans.stop();
  }
}
