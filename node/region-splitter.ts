import type { Clock, Timer } from "../core/env/clock.ts";
import type { Trace } from "../core/env/trace.ts";
import type { RootEvent } from "../coordinator/root-event.ts";
import { type CoordinatorClient, requestMs } from "../coordinator/service/client.ts";
import type { RegionMeta } from "../raft/region.ts";
import { type SplitItem, regionsAfterSplit } from "../raft/store/admin-entry.ts";
import type { RaftAdmin } from "../raft/store/admin.ts";
import type { PeerView } from "../raft/store/peer-view.ts";
import type { ChangeDone, ChangeOutcome } from "../raft/store/requests.ts";

/** The part of a store that divides its regions. */
export interface SplitStore {
  readonly admin: Pick<RaftAdmin, "split">;
  region(regionId: number): Pick<PeerView, "region" | "leadingTerm"> | null;
}

export interface SplitterParts {
  readonly clock: Clock;
  readonly trace: Trace;
  readonly client: Pick<CoordinatorClient, "allocateIds" | "publish" | "transitions">;
  readonly store: SplitStore;
  /** What could not be told is told again after so long. */
  readonly retryMs: number;
}

/** Of one region under way. */
interface Split {
  readonly region: RegionMeta;
  readonly keys: readonly Uint8Array[];
  readonly transitionId: string;
  readonly items: readonly SplitItem[];
}

/** Words for the Coordinator that wait; more than these it hears from heartbeats alone, which say the same. */
const duesMax = 64;

/**
 * Divides regions that this store leads: ids from the Coordinator, its word that nothing else is planned there, the
 * command through the region's log, and what became of it. Without a Coordinator nothing is divided. A plan never
 * binds anybody: when its maker is gone, whoever leads the region takes it back.
 */
export class RegionSplitter {
  readonly #parts: SplitterParts;
  readonly #underWay = new Set<number>();
  #dues: RootEvent[] = [];
  /** Plans of others that were found at the last look. */
  #orphans: ReadonlySet<string> = new Set();
  #timer: Timer | null = null;
  #stopped = false;

  constructor(parts: SplitterParts) {
    this.#parts = parts;
  }

  isBusy(regionId: number): boolean {
    return this.#underWay.has(regionId);
  }

  /** `keys` ascend and lie behind the region's start. `done` once, never inside the call. */
  split(regionId: number, keys: readonly Uint8Array[], done: ChangeDone): void {
    const { clock, client, store } = this.#parts;
    const view = store.region(regionId);
    const region = view?.region ?? null;
    const refuse = (reason: string): void => clock.soon(() => done({ kind: "refused", reason }));
    if (this.#stopped) return refuse("the store is closed");
    if (region === null || view?.leadingTerm === 0) return refuse("this store does not lead the region");
    if (this.#underWay.has(regionId)) return refuse("it is being divided already");
    const problem = regionsAfterSplit(region, keys.map((key, at) => itemOf(region, key, region.id + 1, at)));
    if (typeof problem === "string") return refuse(problem);
    this.#underWay.add(regionId);
    const end = (outcome: ChangeOutcome): void => {
      this.#underWay.delete(regionId);
      done(outcome);
    };
    client.allocateIds(keys.length * (1 + region.peers.length), requestMs, (error, range) => {
      if (range === null) return end({ kind: "refused", reason: error?.message ?? "no ids came" });
      const items = keys.map((key, at) => itemOf(region, key, range.first, at));
      // Never the same twice: what an earlier plan came to says nothing of this one.
      this.#plan({ region, keys, items, transitionId: `split-${regionId}-${range.first}` }, true, end);
    });
  }

  /**
   * Plans for regions that this store leads and that nobody here is about to carry out: they are taken back when they
   * are found twice. Whoever led the region before may still be at the first one.
   */
  takeBack(): void {
    const { client, store } = this.#parts;
    client.transitions((_, found) => {
      if (this.#stopped || found === null) return;
      const before = this.#orphans;
      const orphans = new Set<string>();
      this.#orphans = orphans;
      for (const { change, regionId, transitionId } of found.rangeChanges) {
        const leads = (store.region(regionId)?.leadingTerm ?? 0) > 0;
        if (change !== "split" || !leads || this.#underWay.has(regionId)) continue;
        orphans.add(transitionId);
        if (before.has(transitionId)) this.#tell({ kind: "RegionSplitCancelled", transitionId });
      }
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #plan(split: Split, mayRetract: boolean, end: ChangeDone): void {
    const { transitionId, region, items, keys } = split;
    const event: RootEvent = {
      kind: "RegionSplitPlanned", transitionId, regionId: region.id, base: region.epoch,
      otherIds: items.map(({ regionId }) => regionId), splitKeys: keys,
    };
    this.#parts.client.publish(event, 0, (error, published) => {
      if (published?.accepted === true) return this.#propose(split, end);
      const reason = error?.message ?? published?.assessment.detail ?? "the Coordinator refused it";
      // Whether it was heard is not known: it is taken back in any case.
      if (error !== null) this.#tell({ kind: "RegionSplitCancelled", transitionId });
      if (error !== null || !mayRetract) return end({ kind: "refused", reason });
      this.#retract(split, reason, end);
    });
  }

  /** A plan of somebody who led the region before, and is not here to end it. */
  #retract(split: Split, reason: string, end: ChangeDone): void {
    const { client } = this.#parts;
    const { id } = split.region;
    client.transitions((_, found) => {
      const open = found?.rangeChanges.find(({ regionId, change }) => regionId === id && change === "split");
      if (open === undefined) return end({ kind: "refused", reason });
      client.publish({ kind: "RegionSplitCancelled", transitionId: open.transitionId }, 0, (error) => {
        if (error === null) this.#plan(split, false, end);
        else end({ kind: "refused", reason });
      });
    });
  }

  #propose({ region, items, transitionId }: Split, end: ChangeDone): void {
    this.#parts.store.admin.split(region.id, items, (outcome) => {
      if (outcome.kind === "done") {
        this.#parts.trace.emit("node/region-split", { regionId: region.id, children: outcome.children.length });
        this.#tell({ kind: "RegionSplitCommitted", transitionId, regions: [outcome.region, ...outcome.children] });
      } else this.#tell({ kind: "RegionSplitCancelled", transitionId });
      end(outcome);
    });
  }

  /** Until it is heard, or this process ends: then heartbeats of the regions say the same. */
  #tell(event: RootEvent): void {
    if (this.#dues.length >= duesMax) this.#dues.shift();
    this.#dues.push(event);
    if (this.#timer === null) this.#tellDues();
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

/** Ids from `first` on: of every child one for itself, and one for each of its peers. */
// oxlint-disable-next-line max-params
function itemOf({ peers }: RegionMeta, key: Uint8Array, first: number, at: number): SplitItem {
  const regionId = first + at * (1 + peers.length);
  return { key, regionId, peerIds: peers.map((_, peer) => regionId + 1 + peer) };
}
