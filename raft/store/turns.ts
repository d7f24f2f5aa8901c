// HOT: everything that a store does is done here.
import { assert } from "../../core/assert.ts";
import type { VersionedStore } from "../../core/engine/versioned-store.ts";
import type { Clock } from "../../core/env/clock.ts";
import { LaneBatch } from "./lane-batch.ts";
import type { Peer } from "./peer.ts";
import type { RaftLog } from "./raft-log.ts";
import type { StoreStats } from "./store-stats.ts";

export interface TurnParts {
  readonly clock: Clock;
  readonly engine: VersionedStore;
  readonly log: RaftLog;
  readonly stats: StoreStats;
  /** Runs a turn; what it throws is judged there. Does nothing once the store has ended. */
  readonly guard: (run: () => void) => void;
  /** At the end of a turn. */
  readonly after: () => void;
}

/**
 * The order of a store's work. Whatever has come was stepped when it came; a turn takes from each peer that has
 * something to do what is to be done, once, in the order of regions: all that they have to write is one submit of the
 * log, and then each of them applies a run of entries.
 */
export class Turns {
  readonly #parts: TurnParts;
  #dirty = new Set<Peer>();
  /** With entries to apply. */
  readonly #applying = new Set<Peer>();
  #batch = new LaneBatch();
  /** Submits that are not told yet, oldest first. */
  readonly #flying: LaneBatch[] = [];
  #scheduled = false;
  #waitsForRoom = false;
  readonly #bound = (): void => this.#turn();

  constructor(parts: TurnParts) {
    this.#parts = parts;
  }

  dirty(peer: Peer): void {
    this.#dirty.add(peer);
    this.schedule();
  }

  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#parts.clock.soon(this.#bound);
  }

  /** It is gone. */
  forget(peer: Peer): void {
    this.#dirty.delete(peer);
    this.#applying.delete(peer);
    this.#batch.forget(peer);
  }

  /** What waited for company is written. */
  flush(): void {
    if (this.#batch.tasks.length > 0) this.#submit();
  }

  #turn(): void {
    this.#scheduled = false;
    this.#parts.guard(() => {
      this.#parts.stats.turns++;
      const dirty = [...this.#dirty].toSorted(byRegion);
      this.#dirty = new Set();
      for (let i = 0; i < dirty.length; i++) this.#carryOut(dirty[i] as Peer);
      if (this.#batch.urgent) this.#submit();
      this.#apply();
      this.#parts.after();
    });
  }

  #carryOut(peer: Peer): void {
    if (peer.closed) return;
    peer.carryOut(this.#batch);
    if (peer.applies) this.#applying.add(peer);
  }

  #submit(): void {
    const { log, stats, clock } = this.#parts;
    const batch = this.#batch;
    this.#batch = new LaneBatch();
    if (batch.changes.length === 0) {
      // These wait for what is under way, and for nothing else.
      const newest = this.#flying.at(-1);
      if (newest !== undefined) for (const task of batch.tasks) newest.tasks.push(task);
      else clock.soon(() => this.#written(batch));
      return;
    }
    stats.submits++;
    if (batch.mustSync) stats.syncs++;
    stats.entriesAppended += batch.entryCount;
    this.#flying.push(batch);
    log.submit(batch.changes, batch.mustSync, () => {
      assert(this.#flying.shift() === batch, "submits are told in their order");
      this.#written(batch);
    });
  }

  #written({ tasks }: LaneBatch): void {
    this.#parts.guard(() => {
      for (const { peer, task } of tasks) peer.appended(task);
    });
  }

  /** One run of each region; more in the next turn. */
  #apply(): void {
    if (this.#waitsForRoom || this.#applying.size === 0) return;
    for (const peer of [...this.#applying].toSorted(byRegion)) {
      if (peer.applies && !peer.applyStep()) {
        this.#waitForRoom();
        return;
      }
      if (!peer.applies) this.#applying.delete(peer);
    }
    if (this.#applying.size > 0) this.schedule();
  }

  #waitForRoom(): void {
    this.#waitsForRoom = true;
    this.#parts.engine.whenRoom(() => {
      this.#waitsForRoom = false;
      this.schedule();
    });
  }
}

function byRegion(a: Peer, b: Peer): number {
  return a.regionId - b.regionId;
}
