import type { Env } from "../core/env/env.ts";
import type { Engine } from "../core/engine/engine.ts";
import type { CoordinatorClient } from "../coordinator/service/client.ts";
import type { Store } from "../raft/store/store.ts";
import type { RequestMeter } from "../txn/server/request-meter.ts";
import { RegionSplitter } from "./region-splitter.ts";
import { SplitChecker, type SplitLimits, splitLimitsDefault } from "./split-checker.ts";
import type { Topology } from "./topology.ts";

export interface StoreSplitsParts {
  readonly client: CoordinatorClient;
  readonly engine: Engine;
  readonly store: Store;
  readonly meter: RequestMeter;
  readonly retryMs: number;
}

/** What divides the regions of a store: by hand, through `splitter`, and by themselves. */
export class StoreSplits {
  readonly splitter: RegionSplitter;
  readonly #checker: SplitChecker;

  /** Limits given win over those of the topology. */
  // oxlint-disable-next-line max-params
  constructor(env: Env, parts: StoreSplitsParts, topology: Topology, given: Partial<SplitLimits>) {
    const { clock, trace } = env;
    const { client, store, engine, meter, retryMs } = parts;
    const { regionSplitBytes = splitLimitsDefault.regionSplitBytes } = topology;
    const limits = { ...splitLimitsDefault, regionSplitBytes, ...given };
    this.splitter = new RegionSplitter({ clock, trace, client, store, retryMs });
    this.#checker = new SplitChecker({ clock, engine, store, splitter: this.splitter, meter, limits });
  }

  /** What a region takes, roughly; 0: unknown. */
  bytesOf(regionId: number): number {
    return this.#checker.bytesOf(regionId);
  }

  start(): void {
    this.#checker.start();
  }

  stop(): void {
    this.#checker.stop();
    this.splitter.stop();
  }
}
