import { assert } from "../../core/assert.ts";
import type { VersionedStore } from "../../core/engine/versioned-store.ts";
import type { Clock } from "../../core/env/clock.ts";
import type { Command } from "../percolator/command.ts";
import type { RegionDirectory, ServedRegion } from "./region-service.ts";
import type { Answer } from "./response-codec.ts";
import { TxnRegion } from "./txn-region.ts";

/** How far garbage is to be collected. 0: not at all. */
export interface GcTargets {
  /** Nothing below it is let in any more. */
  readonly floor: number;
  /** At most the floor. Every region of the cluster has that floor, and no lock below it. */
  readonly safePoint: number;
}

export interface GcDriverOptions {
  /** Regions that work at it at a time. */
  readonly regionsMax: number;
  /** Records that one command looks at. */
  readonly pageMax: number;
  /** A step that is not answered by then is tried again. */
  readonly stepMs: number;
}

const gcDriverOptionsDefault: GcDriverOptions = { regionsMax: 4, pageMax: 512, stepMs: 10_000 };

/** What is known of a region's collection since this store leads it. */
interface Progress {
  /** Of the region when this was noted: pages of another range are of no use. */
  readonly version: number;
  /** Up to this safe point all records were looked at. */
  collectedTo: number;
  next: Uint8Array | null;
  busy: boolean;
}

/**
 * Collects garbage in the regions that a store leads, in bounded steps, as far as it was told, and lets the engine of
 * the store forget what no region of it needs. Resolving the locks between floor and safe point is a client's work,
 * over all regions (`txn/client/garbage-collector.ts`).
 */
export class GcDriver {
  readonly #directory: RegionDirectory;
  readonly #store: VersionedStore;
  readonly #clock: Clock;
  readonly #options: GcDriverOptions;
  readonly #progress = new Map<number, Progress>();
  #targets: GcTargets = { floor: 0, safePoint: 0 };
  /** Of the engine. */
  #safePoint = 0;
  #lastRegion = 0;
  #busy = 0;

  // oxlint-disable-next-line max-params
  constructor(directory: RegionDirectory, store: VersionedStore, clock: Clock, options = gcDriverOptionsDefault) {
    this.#directory = directory;
    this.#store = store;
    this.#clock = clock;
    this.#options = options;
  }

  /** What the engine was told. */
  get safePoint(): number {
    return this.#safePoint;
  }

  /** Targets only grow; older ones are no news. */
  want({ floor, safePoint }: GcTargets): void {
    assert(safePoint <= floor, "records go only where nothing begins any more");
    this.#targets = {
      floor: Math.max(floor, this.#targets.floor),
      safePoint: Math.max(safePoint, this.#targets.safePoint),
    };
  }

  /** One step further, at most one command for each of a few regions. To be called now and then. */
  step(): void {
    this.#advance();
    if (this.#targets.floor === 0) return;
    const regions = this.#directory.regions();
    const after = regions.findIndex(({ region }) => region.id > this.#lastRegion);
    const turn = after < 0 ? regions : [...regions.slice(after), ...regions.slice(0, after)];
    for (const served of turn) {
      if (this.#busy >= this.#options.regionsMax) break;
      if (served.leadingTerm === 0) this.#progress.delete(served.region.id);
      else if (served.machine instanceof TxnRegion) this.#work(served, served.machine);
    }
    for (const id of this.#progress.keys()) if (this.#directory.region(id) === null) this.#progress.delete(id);
  }

  /** The least safe point of all regions here: below it nobody reads on this store. */
  #advance(): void {
    let least = Infinity;
    for (const { machine } of this.#directory.regions()) {
      least = Math.min(least, machine instanceof TxnRegion ? machine.gcSafePoint : 0);
    }
    // A region that came here from elsewhere may be behind: its floor is not, for floors go everywhere first.
    if (least === Infinity || least <= this.#safePoint) return;
    this.#safePoint = least;
    this.#store.advanceSafePoint(least);
  }

  #work({ region }: ServedRegion, machine: TxnRegion): void {
    const known = this.#progress.get(region.id);
    const { version } = region.epoch;
    const isUseful = known !== undefined && (known.version === version || known.busy);
    const progress = isUseful ? known : { version, collectedTo: 0, next: null, busy: false };
    this.#progress.set(region.id, progress);
    if (progress.busy) return;
    const { floor, safePoint } = this.#targets;
    if (machine.gcFloor < floor) {
      this.#ask(machine, region.id, progress, { kind: "set-gc-floor", floor });
    } else if (progress.collectedTo < safePoint) {
      const { start, end } = region;
      const range = { start: progress.next ?? start, end: end.length === 0 ? null : end };
      const limit = this.#options.pageMax;
      this.#ask(machine, region.id, progress, { kind: "collect-garbage", safePoint, range, limit });
    }
  }

  // oxlint-disable-next-line max-params
  #ask(machine: TxnRegion, id: number, progress: Progress, command: Command): void {
    progress.busy = true;
    this.#busy++;
    this.#lastRegion = id;
    machine.execute({
      commands: [command],
      version: progress.version,
      deadlineUs: this.#clock.monotonicUs() + this.#options.stepMs * 1_000,
      cancelled: false,
      done: ([answer]) => {
        progress.busy = false;
        this.#busy--;
        if (command.kind === "collect-garbage" && answer !== undefined) note(progress, command.safePoint, answer);
      },
    });
  }
}

/** Whatever was refused or failed is tried again: a lock that is left is somebody's to resolve. */
function note(progress: Progress, safePoint: number, answer: Answer): void {
  if (answer.kind === "error" || answer.response.kind !== "collected") return;
  progress.next = answer.response.next;
  if (progress.next === null) progress.collectedTo = safePoint;
}
