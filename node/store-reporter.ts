import type { Clock, Timer } from "../core/env/clock.ts";
import type { Trace } from "../core/env/trace.ts";
import type { CoordinatorError } from "../coordinator/coordinator-error.ts";
import type { CoordinatorClient } from "../coordinator/service/client.ts";
import type { StoreHeartbeat } from "../coordinator/store-view.ts";
import { type OperatedStore, OperatorRunner } from "./operator-runner.ts";
import { RegionReporter, type ReportedRegion } from "./region-reports.ts";

/** Of a replica, as far as the Coordinator wants to know. */
export type ReportedPeer = ReportedRegion;

/** The part of a store that is told of, and that does what the Coordinator asks for. */
export interface ReportedStore extends OperatedStore {
  region(regionId: number): ReportedPeer | null;
  regions(): readonly ReportedPeer[];
  onRegionChange(listener: (regionId: number, peer: ReportedPeer | null) => void): void;
}

export interface ReporterParts {
  readonly clock: Clock;
  readonly trace: Trace;
  readonly client: Pick<CoordinatorClient, "publish" | "storeHeartbeat" | "regionHeartbeat">;
  readonly store: ReportedStore;
  /** As others reach this store. */
  readonly address: string;
  readonly labels: readonly string[];
  readonly load: () => StoreLoad;
  /** Roughly what the records of a region take, in bytes; 0: unknown. */
  readonly sizeOf: (region: ReportedPeer) => number;
  readonly heartbeatMs: number;
}

/** What a store says of itself beyond its regions. */
export type StoreLoad = Omit<StoreHeartbeat, "storeId" | "regionCount" | "leaderCount">;

/** Regions that wait for the Coordinator's answer at most: what is left waits for the next round. */
const regionsInFlightMax = 64;

/**
 * Tells the Coordinator of this store, and of the regions that it leads: at once when something changes, and again and
 * again, for the Coordinator forgets who leads with its process. What cannot be told is told in the next round. What
 * the Coordinator asks for is done only if it still fits.
 */
export class StoreReporter {
  readonly #parts: ReporterParts;
  readonly #reports: RegionReporter;
  readonly #runner: OperatorRunner;
  /** To be told; in the order in which they changed. */
  readonly #due = new Set<number>();
  readonly #inFlight = new Set<number>();
  #timer: Timer | null = null;
  #scheduled = false;
  #joined = false;
  #storeInFlight = false;
  #answeredUs = 0;
  #stopped = false;

  constructor(parts: ReporterParts) {
    this.#parts = parts;
    this.#reports = new RegionReporter(parts.sizeOf);
    this.#runner = new OperatorRunner(parts.store, parts.trace);
    parts.store.onRegionChange((regionId, peer) => {
      if (peer !== null && peer.leadingTerm > 0) this.#tellSoon(regionId);
      else this.#reports.forget(regionId);
    });
  }

  /** The Coordinator knows of this store. */
  get joined(): boolean {
    return this.#joined;
  }

  /** When the Coordinator last answered, by the monotonic clock; 0: not yet. */
  get answeredUs(): number {
    return this.#answeredUs;
  }

  start(): void {
    this.#round();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #round(): void {
    if (this.#stopped) return;
    const { clock, store, heartbeatMs } = this.#parts;
    if (!this.#storeInFlight) {
      if (this.#joined) this.#heartbeat();
      else this.#join();
    }
    for (const { region, leadingTerm } of store.regions()) if (leadingTerm > 0) this.#due.add(region.id);
    this.#tellDue();
    this.#timer = clock.after(heartbeatMs * 1_000, () => this.#round());
  }

  #join(): void {
    const { client, store, address, labels } = this.#parts;
    this.#storeInFlight = true;
    client.publish({ kind: "StoreJoined", storeId: store.storeId, address, labels }, 0, (error, published) => {
      this.#storeInFlight = false;
      if (this.#stopped) return;
      this.#heard(error);
      this.#joined = published?.accepted === true;
      if (this.#joined) this.#heartbeat();
      else if (published !== null) this.#trace("node/join-refused", published.assessment.detail);
    });
  }

  #heartbeat(): void {
    const { client, store, load } = this.#parts;
    const regions = store.regions();
    const leaderCount = regions.filter(({ leadingTerm }) => leadingTerm > 0).length;
    const heartbeat = { storeId: store.storeId, regionCount: regions.length, leaderCount, ...load() };
    this.#storeInFlight = true;
    client.storeHeartbeat(heartbeat, (error, operators) => {
      this.#storeInFlight = false;
      if (this.#stopped) return;
      this.#heard(error);
      // A Coordinator that began anew is told who we are.
      if (error?.code === "UNKNOWN_STORE") this.#joined = false;
      for (const operator of operators) this.#runner.run(operator);
    });
  }

  #tellSoon(regionId: number): void {
    this.#due.add(regionId);
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    this.#parts.clock.soon(() => {
      this.#scheduled = false;
      this.#tellDue();
    });
  }

  #tellDue(): void {
    if (this.#stopped) return;
    for (const regionId of this.#due) {
      if (this.#inFlight.size >= regionsInFlightMax) return;
      // Its answer comes first: it is told again with what it is then.
      if (this.#inFlight.has(regionId)) continue;
      this.#due.delete(regionId);
      this.#tell(regionId);
    }
  }

  #tell(regionId: number): void {
    const { client, store } = this.#parts;
    const peer = store.region(regionId);
    if (peer === null || peer.leadingTerm === 0) return;
    this.#inFlight.add(regionId);
    const report = this.#reports.report(peer, this.#parts.clock.monotonicUs());
    const heartbeat = { region: peer.region, leaderPeerId: peer.peerId, term: peer.leadingTerm, report };
    client.regionHeartbeat(heartbeat, (error) => {
      this.#inFlight.delete(regionId);
      if (this.#stopped) return;
      this.#heard(error);
      this.#tellDue();
    });
  }

  #heard(error: CoordinatorError | null): void {
    const silent = error !== null && (error.code === "ROOT_UNAVAILABLE" || error.code === "ROOT_UNDETERMINED");
    if (!silent) this.#answeredUs = this.#parts.clock.monotonicUs();
  }

  #trace(event: string, detail: string): void {
    this.#parts.trace.emit(event, { storeId: this.#parts.store.storeId, detail });
  }
}
