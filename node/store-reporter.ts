import type { Clock, Timer } from "../core/env/clock.ts";
import type { Trace } from "../core/env/trace.ts";
import type { CoordinatorError } from "../coordinator/coordinator-error.ts";
import type { CoordinatorClient } from "../coordinator/service/client.ts";
import type { StoreHeartbeat } from "../coordinator/store-view.ts";
import { type MergeRegions, type OperatedStore, OperatorRunner } from "./operator-runner.ts";
import { RegionReporter, type RegionUsage, type ReportedRegion } from "./region-reports.ts";
import { ToldRegions, type Word } from "./told-regions.ts";

/** Of a replica, as far as the Coordinator wants to know. */
export type ReportedPeer = ReportedRegion;

/** The part of a store that is told of, and that does what the Coordinator asks for. */
export interface ReportedStore extends OperatedStore {
  region(regionId: number): ReportedPeer | null;
  /** Ascending by region. */
  regions(): readonly ReportedPeer[];
  /** Those of `regions` that do not sleep, or did not at some time since the last call. */
  takeStirred(): readonly ReportedPeer[];
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
  readonly usageOf: (region: ReportedPeer) => RegionUsage;
  readonly merge: MergeRegions;
  readonly heartbeatMs: number;
}

/** What a store says of itself beyond its regions. */
export type StoreLoad = Omit<StoreHeartbeat, "storeId" | "regionCount" | "leaderCount">;

/** Regions that wait for the Coordinator's answer at most: what is left waits for the next round. */
const regionsInFlightMax = 64;
/** Of the regions that rest, so many are looked at in a round all the same: merges change what they take. */
const restingPerRound = 16;

/**
 * Tells the Coordinator of this store, again and again, and of the regions that it leads when there is something new:
 * at once when one changes, and all of them when the Coordinator has changed, for it forgets who leads with its
 * process. The rule is `ToldRegions`. What the Coordinator asks for is done only if it still fits.
 */
export class StoreReporter {
  readonly #parts: ReporterParts;
  readonly #reports: RegionReporter;
  readonly #runner: OperatorRunner;
  readonly #told = new ToldRegions();
  /** To be told; in the order in which they changed. */
  readonly #due = new Set<number>();
  readonly #inFlight = new Set<number>();
  /** Not asleep, or not told of since they were not. */
  readonly #watched = new Set<number>();
  /** Up to this region those that rest were looked at. */
  #lastLooked = 0;
  #timer: Timer | null = null;
  #scheduled = false;
  #joined = false;
  #storeInFlight = false;
  #answeredUs = 0;
  #stopped = false;

  constructor(parts: ReporterParts) {
    this.#parts = parts;
    this.#reports = new RegionReporter(parts.usageOf);
    this.#runner = new OperatorRunner(parts.store, parts.merge, parts.trace);
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
    const regions = store.regions();
    const led = regions.filter(({ leadingTerm }) => leadingTerm > 0);
    if (!this.#storeInFlight) {
      if (this.#joined) this.#heartbeat(regions.length, led.length);
      else this.#join();
    }
    for (const { region, leadingTerm } of led) {
      if (!this.#told.isSaid(leadingTerm, region)) this.#due.add(region.id);
    }
    this.#lookForNews(led);
    this.#told.prune(led.length, (id) => (store.region(id)?.leadingTerm ?? 0) > 0);
    this.#tellDue();
    this.#timer = clock.after(heartbeatMs * 1_000, () => this.#round());
  }

  /** In those that are awake or were until now, and in a few others. */
  #lookForNews(led: readonly ReportedPeer[]): void {
    const { store, clock } = this.#parts;
    const nowUs = clock.monotonicUs();
    const stirred = new Set<number>();
    for (const { region, leadingTerm } of store.takeStirred()) if (leadingTerm > 0) stirred.add(region.id);
    for (const id of stirred) this.#watched.add(id);
    for (const id of this.#watched) {
      const peer = store.region(id);
      if (peer === null || peer.leadingTerm === 0) this.#watched.delete(id);
      else if (this.#told.isNews(this.#wordOf(peer, nowUs))) this.#due.add(id);
      else if (!stirred.has(id)) this.#watched.delete(id);
    }
    for (const peer of this.#nextResting(led)) {
      if (this.#told.isNews(this.#wordOf(peer, nowUs))) this.#watched.add(peer.region.id);
    }
  }

  #nextResting(led: readonly ReportedPeer[]): readonly ReportedPeer[] {
    const at = led.findIndex(({ region }) => region.id > this.#lastLooked);
    const next = led.slice(Math.max(0, at), Math.max(0, at) + restingPerRound);
    this.#lastLooked = next.at(-1)?.region.id ?? 0;
    return next;
  }

  #wordOf(peer: ReportedPeer, atUs: number): Word {
    const { leadingTerm: term, region } = peer;
    return { term, region, report: this.#reports.report(peer, atUs), atUs };
  }

  #join(): void {
    const { client, store, address, labels } = this.#parts;
    this.#storeInFlight = true;
    client.publish({ kind: "StoreJoined", storeId: store.storeId, address, labels }, 0, (error, published) => {
      this.#storeInFlight = false;
      if (this.#stopped) return;
      this.#heard(error);
      this.#joined = published?.accepted === true;
      const regions = store.regions();
      const leaderCount = regions.filter(({ leadingTerm }) => leadingTerm > 0).length;
      if (this.#joined) this.#heartbeat(regions.length, leaderCount);
      else if (published !== null) this.#trace("node/join-refused", published.assessment.detail);
    });
  }

  #heartbeat(regionCount: number, leaderCount: number): void {
    const { client, store, load } = this.#parts;
    const heartbeat = { storeId: store.storeId, regionCount, leaderCount, ...load() };
    this.#storeInFlight = true;
    client.storeHeartbeat(heartbeat, (error, operators, office) => {
      this.#storeInFlight = false;
      if (this.#stopped) return;
      this.#heard(error);
      if (error?.code === "UNKNOWN_STORE") {
        // A Coordinator that began anew is told who we are, and everything else.
        this.#joined = false;
        this.#told.forgetOffice();
      }
      if (this.#told.answeredBy(office)) this.#tellAll();
      for (const operator of operators) this.#runner.run(operator);
    });
  }

  /** What is on its way may reach the new Coordinator: if not, the next round tells it again. */
  #tellAll(): void {
    for (const { region, leadingTerm } of this.#parts.store.regions()) {
      const { id } = region;
      if (leadingTerm > 0 && !this.#inFlight.has(id) && !this.#told.isSaid(leadingTerm, region)) this.#due.add(id);
    }
    this.#tellDue();
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
    const { client, store, clock } = this.#parts;
    const peer = store.region(regionId);
    if (peer === null || peer.leadingTerm === 0) return;
    this.#inFlight.add(regionId);
    this.#watched.add(regionId);
    const word = this.#wordOf(peer, clock.monotonicUs());
    const { region, term, report } = word;
    const heartbeat = { region, leaderPeerId: peer.peerId, term, seq: this.#told.nextSeq(), report };
    client.regionHeartbeat(heartbeat, (error, _, office) => {
      this.#inFlight.delete(regionId);
      if (this.#stopped) return;
      this.#heard(error);
      if (this.#told.acknowledged(word, office)) this.#tellAll();
      else this.#tellDue();
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
