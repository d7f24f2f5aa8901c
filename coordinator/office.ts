import type { Clock } from "../core/env/clock.ts";
import { Allocators } from "./allocators.ts";
import type { RootJournal } from "./journal.ts";
import { LeaderView } from "./leader-view.ts";
import { Operations } from "./operations.ts";
import { type RegionHeartbeat, RegionReports } from "./region-report.ts";
import type { SchedulerLimits } from "./scheduler.ts";
import { type LivenessLimits, StoreView } from "./store-view.ts";
import type { ClockLimits } from "./timestamp-oracle.ts";

/** So long a process cannot know for how long nobody was there before it. */
const newcomerMs = 10 * 60_000;
/** Offices of one term: each process draws its own, for the journal may be a copy of one that another had. */
const officesOfTerm = 65_536;

export interface OfficeOptions {
  readonly clock: ClockLimits;
  readonly liveness: LivenessLimits;
  readonly scheduler: SchedulerLimits;
}

/**
 * What lasts as long as one Coordinator decides. Whoever decides next begins anew: its numbers go on above the fences
 * of everybody before, which are in the journal's state; what heartbeats told has to be told again.
 */
export class Office {
  /** Those of later terms are higher. */
  readonly id: number;
  readonly allocators: Allocators;
  readonly leaders = new LeaderView();
  readonly reports = new RegionReports();
  readonly stores: StoreView;
  readonly operations: Operations;
  readonly #clock: Clock;
  readonly #journal: RootJournal;

  /** `uptimeMs`: of this process; `drawn`: by it. */
  // oxlint-disable-next-line max-params
  constructor(clock: Clock, journal: RootJournal, options: OfficeOptions, uptimeMs: number, drawn: number) {
    const { liveness, scheduler } = options;
    this.#clock = clock;
    this.#journal = journal;
    this.id = journal.token.term * officesOfTerm + (drawn % officesOfTerm);
    // A process that has been there for a while would have seen the cluster stand still.
    this.allocators = new Allocators(clock, journal, options.clock, uptimeMs < newcomerMs);
    // Silence counts from here: nobody was to tell this member anything before.
    this.stores = new StoreView(liveness, clock.monotonicUs());
    const { allocators, leaders, reports, stores } = this;
    const limits = { ...scheduler, downMs: liveness.downAfterMs };
    this.operations = new Operations({ journal, allocators, leaders, reports, stores, limits });
  }

  /** False: it comes from a leader of the past, and so does what it reports. */
  hear({ region, leaderPeerId, term, seq = 0, report = null }: RegionHeartbeat): boolean {
    const before = this.leaders.of(region.id)?.peerId ?? 0;
    if (!this.leaders.hear(region, leaderPeerId, term, seq)) return false;
    const isNews = report !== null && this.reports.hear(region.id, report, this.#clock.monotonicUs());
    if (isNews || before !== leaderPeerId) this.operations.toldOfRegion();
    return true;
  }

  /** What was told of regions that are gone goes. */
  prune(): void {
    const { regions } = this.#journal.state;
    this.leaders.prune(regions);
    this.reports.prune(regions);
  }
}
