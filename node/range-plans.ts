import type { Clock, Timer } from "../core/env/clock.ts";
import type { RangePlan, RootEvent } from "../coordinator/root-event.ts";
import { type CoordinatorClient, requestMs } from "../coordinator/service/client.ts";
import type { RangeChangeKind } from "../coordinator/state.ts";
import type { PeerView } from "../raft/store/peer-view.ts";

/** The part of a store that knows its regions. */
export interface PlanningStore {
  region(regionId: number): Pick<PeerView, "region" | "leadingTerm" | "isMerging"> | null;
}

export interface RangePlanParts {
  readonly clock: Clock;
  readonly client: Pick<CoordinatorClient, "publish" | "transitions">;
  readonly store: PlanningStore;
  /** What could not be told is told again after so long. */
  readonly retryMs: number;
}

/** Words for the Coordinator that wait; more than these it hears from heartbeats alone, which say the same. */
const duesMax = 64;

const planned = { split: "RegionSplitPlanned", merge: "RegionMergePlanned" } as const;
const cancelled = { split: "RegionSplitCancelled", merge: "RegionMergeCancelled" } as const;

/** What the Coordinator said to a plan. */
type Told =
  | { readonly kind: "accepted"; readonly reason: null }
  | { readonly kind: "refused" | "unheard"; readonly reason: string };

/**
 * What this store tells the Coordinator of splits and merges that it carries out: that one is planned, before it
 * begins, and what became of it, until that is heard. A plan never binds anybody: when its maker is gone, whoever leads
 * the region takes it back.
 */
export class RangePlans {
  readonly #parts: RangePlanParts;
  /** By the region that changes: the parent, or the source. */
  readonly #underWay = new Map<number, RangeChangeKind>();
  #dues: RootEvent[] = [];
  /** Plans of others that were found at the last look. */
  #orphans: ReadonlySet<string> = new Set();
  #timer: Timer | null = null;
  #stopped = false;

  constructor(parts: RangePlanParts) {
    this.#parts = parts;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** What this store does to the region just now; null: nothing. */
  underWay(regionId: number): RangeChangeKind | null {
    return this.#underWay.get(regionId) ?? null;
  }

  begin(regionId: number, change: RangeChangeKind): void {
    this.#underWay.set(regionId, change);
  }

  end(regionId: number): void {
    this.#underWay.delete(regionId);
  }

  /** `done(null)`: the Coordinator has it in its journal, and nothing else is planned there. Else why not. */
  announce(change: RangeChangeKind, plan: RangePlan, done: (reason: string | null) => void): void {
    this.#publish(change, plan, (told) => {
      if (told.kind !== "refused") return done(told.reason);
      this.#retract(plan.regionId, (retracted) => {
        if (retracted) this.#publish(change, plan, ({ reason }) => done(reason));
        else done(told.reason);
      });
    });
  }

  /** Until it is heard, or this process ends: then heartbeats of the regions say the same. */
  tell(event: RootEvent): void {
    if (this.#dues.length >= duesMax) this.#dues.shift();
    this.#dues.push(event);
    if (this.#timer === null) this.#tellDues();
  }

  cancel(change: RangeChangeKind, transitionId: string): void {
    this.tell({ kind: cancelled[change], transitionId });
  }

  /**
   * Plans for regions that this store leads and that nobody here is about to carry out: they are taken back when they
   * are found twice. Whoever led the region before may still be at the first one. A region that is frozen is being
   * merged, whoever asked for it: what becomes of it, its descriptor tells.
   */
  takeBack(): void {
    const { client, store } = this.#parts;
    client.transitions((_, found) => {
      if (this.#stopped || found === null) return;
      const before = this.#orphans;
      const orphans = new Set<string>();
      this.#orphans = orphans;
      for (const { change, regionId, transitionId } of found.rangeChanges) {
        const view = store.region(regionId);
        if (view === null || view.leadingTerm === 0 || view.isMerging || this.#underWay.has(regionId)) continue;
        orphans.add(transitionId);
        if (before.has(transitionId)) this.cancel(change, transitionId);
      }
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #publish(change: RangeChangeKind, plan: RangePlan, done: (told: Told) => void): void {
    this.#parts.client.publish({ kind: planned[change], ...plan }, 0, (error, published) => {
      if (published?.accepted === true) return done({ kind: "accepted", reason: null });
      if (error === null) {
        return done({ kind: "refused", reason: published?.assessment.detail ?? "the Coordinator refused it" });
      }
      // Whether it was heard is not known: it is taken back in any case.
      this.cancel(change, plan.transitionId);
      done({ kind: "unheard", reason: error.message });
    });
  }

  /** A plan of somebody who led the region before, and is not here to end it. */
  #retract(id: number, done: (retracted: boolean) => void): void {
    const { client, store } = this.#parts;
    client.transitions((_, found) => {
      const open = found?.rangeChanges.find(({ regionId }) => regionId === id);
      if (open === undefined || store.region(id)?.isMerging !== false) return done(false);
      client.publish({ kind: cancelled[open.change], transitionId: open.transitionId }, 0, (error) => {
        done(error === null);
      });
    });
  }

  #tellDues(): void {
    const { client, clock, retryMs } = this.#parts;
    const [event] = this.#dues;
    if (event === undefined || this.#stopped) return;
    const again = (delayMs: number): void => {
      this.#timer = clock.after(delayMs * 1_000, () => {
        this.#timer = null;
        this.#tellDues();
      });
    };
    again(2 * requestMs + retryMs);
    client.publish(event, 0, (error) => {
      if (error === null) this.#dues = this.#dues.filter((due) => due !== event);
      this.#timer?.cancel();
      this.#timer = null;
      if (!this.#stopped && this.#dues.length > 0) again(error === null ? 1 : retryMs);
    });
  }
}
