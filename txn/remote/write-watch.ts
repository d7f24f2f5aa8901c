import type { CoordinatorClient } from "../../coordinator/service/client.ts";
import type { StoreStatus } from "../../coordinator/store-view.ts";

/**
 * When something was written in a cluster, as far as collections of garbage want to know, without asking any region.
 * Each store counts what transactions leave in its replicas, and tells the Coordinator with its heartbeats. A write is
 * counted where its region's leader applies it, so as long as every store is heard of, and tells the same as before,
 * there was none, but for those after its last heartbeat: they are seen with the next look, which has its own time.
 */
export class WriteWatch {
  readonly #coordinator: Pick<CoordinatorClient, "stores">;
  #seen = "";
  #isNew = false;
  /** Ascending: whatever was written and is not collected is below one of these. Of before the first look: 0. */
  #times: number[] = [0];

  constructor(coordinator: Pick<CoordinatorClient, "stores">) {
    this.#coordinator = coordinator;
  }

  look(done: () => void): void {
    this.#coordinator.stores((error, stores) => {
      const seen = error === null && stores !== null ? signatureOf(stores) : "";
      if (seen === "" || seen !== this.#seen) this.#isNew = true;
      this.#seen = seen;
      done();
    });
  }

  /** `ts` was given out after the last look: what that one saw to be written is below it. */
  lookedBefore(ts: number): void {
    if (this.#isNew) this.#times.push(ts);
    this.#isNew = false;
  }

  /** A collection up to there would find something that none has collected. */
  isDue(safePoint: number): boolean {
    return (this.#times[0] ?? Infinity) <= safePoint;
  }

  collected(safePoint: number): void {
    this.#times = this.#times.filter((ts) => ts > safePoint);
  }
}

/** "": one of them was not heard of lately. */
function signatureOf(stores: readonly StoreStatus[]): string {
  const present = stores.filter(({ liveness }) => liveness !== "left");
  const parts = present.map(({ storeId, liveness, heartbeat }) => {
    return liveness === "up" && heartbeat !== null ? `${storeId} ${heartbeat.incarnation} ${heartbeat.writes}` : "";
  });
  return parts.includes("") ? "" : parts.join();
}
