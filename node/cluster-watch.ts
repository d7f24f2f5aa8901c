import { decode, encode } from "../core/bytes/layout.ts";
import type { Clock } from "../core/env/clock.ts";
import type { CallDone, CallHandle, CallOrder } from "../net/rpc/call.ts";
import { whyNoAnswer } from "../net/rpc/rpc-error.ts";
import { messageClass } from "../net/rpc/wire.ts";
import type { CoordinatorClient } from "../coordinator/service/client.ts";
import type { StoreStatus } from "../coordinator/store-view.ts";
import { raftAdminMethod } from "../raft/store/admin-messages.ts";
import { type StoreStatusAnswer, statusRequestLayout, storeStatusLayout } from "../raft/store/status-messages.ts";
import { addressText } from "./address-book.ts";
import { clusterJson } from "./cluster-json.ts";
import { type ClusterView, clusterView } from "./cluster-view.ts";
import type { ClusterSource } from "./diagnostics.ts";
import type { Topology } from "./topology.ts";

export interface ClusterWatchParts {
  readonly clock: Clock;
  readonly coordinator: Pick<CoordinatorClient, "stores">;
  readonly caller: { call(storeId: number, order: CallOrder, done: CallDone): CallHandle };
  /** Stores that are asked while the Coordinator is silent. */
  readonly stores: readonly Pick<StoreStatus, "storeId" | "address">[];
}

/** A view of which nobody has asked for so long is not renewed any more. */
const interestUs = 10_000_000;
const renewUs = 1_000_000;
const askMs = 1_500;

/** Asks everybody for what `ClusterView` shows: once, or again and again as long as somebody looks. */
export class ClusterWatch {
  readonly #parts: ClusterWatchParts;
  #view: ClusterView | null = null;
  #lookedUs = 0;
  #asking = false;
  #stopped = false;

  constructor(parts: ClusterWatchParts) {
    this.#parts = parts;
  }

  /** The newest view; null: none yet, ask again in a moment. */
  look(): ClusterView | null {
    this.#lookedUs = this.#parts.clock.monotonicUs();
    if (!this.#asking && !this.#stopped) this.#again();
    return this.#view;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Calls `done` once, with what could be learned. */
  ask(done: (view: ClusterView) => void): void {
    const { coordinator, stores } = this.#parts;
    coordinator.stores((error, known) => {
      const silent = error === null ? [] : [{ who: "coordinator", why: error.message }];
      const all = known ?? stores.map(unheard);
      const asked = all.filter(({ liveness }) => liveness !== "left");
      const answers = new Map<number, StoreStatusAnswer>();
      let missing = asked.length;
      const finish = (): void => done(clusterView(all, answers, silent.toSorted((a, b) => (a.who < b.who ? -1 : 1))));
      if (missing === 0) return finish();
      for (const { storeId } of asked) {
        this.#askStore(storeId, 0, [], (why, answer) => {
          if (answer === null) silent.push({ who: `store ${storeId}`, why });
          else answers.set(storeId, answer);
          missing--;
          if (missing === 0) finish();
        });
      }
    });
  }

  #again(): void {
    this.#asking = true;
    this.ask((view) => {
      this.#view = view;
      const { clock } = this.#parts;
      clock.after(renewUs, () => {
        this.#asking = false;
        if (!this.#stopped && clock.monotonicUs() - this.#lookedUs < interestUs) this.#again();
      });
    });
  }

  /** A store with many regions tells of them in parts. */
  // oxlint-disable-next-line max-params
  #askStore(
    storeId: number,
    from: number,
    before: readonly StoreStatusAnswer[],
    done: (why: string, answer: StoreStatusAnswer | null) => void,
  ): void {
    const order: CallOrder = {
      method: raftAdminMethod.storeStatus,
      payload: encode(statusRequestLayout, { from }),
      timeoutMs: askMs,
      cls: messageClass.coordinator,
      traceId: 0,
      region: null,
    };
    this.#parts.caller.call(storeId, order, (error, payload) => {
      if (error !== null) return done(whyNoAnswer(error), null);
      const decoded = decode(storeStatusLayout, payload);
      if (typeof decoded === "string") return done(`its answer is malformed: ${decoded}`, null);
      const { value } = decoded;
      const all = [...before, value];
      if (value.nextRegion > from) return this.#askStore(storeId, value.nextRegion, all, done);
      done("", { ...value, regions: all.flatMap(({ regions }) => regions) });
    });
  }
}

/** What is known of a store while the Coordinator is silent. */
function unheard(store: Pick<StoreStatus, "storeId" | "address">): StoreStatus {
  return { ...store, liveness: "disconnected", membership: "member", heartbeat: null };
}

/** Those of the first day. */
export function storesOf({ stores }: Pick<Topology, "stores">): ClusterWatchParts["stores"] {
  return stores.map(({ storeId, address }) => ({ storeId, address: addressText(address) }));
}

export function clusterSource(watch: ClusterWatch, page: string | null): ClusterSource {
  return {
    page,
    view: () => {
      const view = watch.look();
      return view === null ? null : clusterJson(view);
    },
  };
}
