import type { Engine } from "../core/engine/engine.ts";
import type { Scrubber } from "../core/engine/scrubber.ts";
import { statsTree } from "../core/stats/tree.ts";
import type { Transport } from "../net/rpc/transport.ts";
import type { RaftLog } from "../raft/store/raft-log.ts";
import type { Store } from "../raft/store/store.ts";
import type { VarTree } from "./metrics-text.ts";
import type { StoreReporter } from "./store-reporter.ts";
import { transportVars } from "./transport-vars.ts";

export interface StoreVarsParts {
  readonly engine: Engine;
  readonly log: RaftLog;
  readonly store: Store;
  readonly transport: Transport;
  readonly reporter: StoreReporter;
  readonly scrub: Scrubber;
  readonly ident: { readonly storeId: number; readonly incarnation: number };
}

/** The original's tree for the engine, and beside it what replicates. */
export function storeVars({ engine, log, store, transport, reporter, scrub, ident }: StoreVarsParts): VarTree {
  const tree = statsTree(engine.stats()) as unknown as VarTree;
  const regions = store.regions();
  const leading = regions.filter(({ leadingTerm }) => leadingTerm > 0).length;
  const leaderless = regions.filter(({ leaderStore }) => leaderStore === 0).length;
  return {
    role: "store",
    store_id: ident.storeId,
    incarnation: ident.incarnation,
    ...tree,
    raft: { group_count: regions.length, leading, leaderless, log: snakeCase(log.stats()), ...snakeCase(store.stats) },
    region: {
      total: regions.length,
      list: regions.map(({ region, peerId, leadingTerm, leaderStore }) => ({
        id: region.id,
        peer_id: peerId,
        version: region.epoch.version,
        conf_version: region.epoch.confVer,
        leading_term: leadingTerm,
        leader_store: leaderStore,
      })),
    },
    scrub: snakeCase(scrub.stats()),
    coordinator: { joined: reporter.joined, answered_us: reporter.answeredUs },
    transport: transportVars(transport),
  };
}

function snakeCase(stats: object): VarTree {
  return Object.fromEntries(
    Object.entries(stats).flatMap(([name, value]) => {
      if (typeof value !== "number") return [];
      return [[name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value]];
    }),
  );
}
