import type { VersionedBatch } from "../core/engine/versioned-batch.ts";
import type { VersionedEntry, VersionedRecord, VersionedScan, VersionedStore } from "../core/engine/versioned-store.ts";
import type { Done } from "../core/engine/waiters.ts";
import { NokvError } from "../core/errors.ts";

/**
 * An engine that has no room for as long as somebody says, as a real one has when its disk is behind. Whoever writes
 * without having asked is refused, by the engine's own contract.
 */
export class CrampedStore implements VersionedStore {
  readonly #store: VersionedStore;
  #isShut = false;
  #waiting: (() => void)[] = [];

  constructor(store: VersionedStore) {
    this.#store = store;
  }

  shut(): void {
    this.#isShut = true;
  }

  open(): void {
    this.#isShut = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const run of waiting) run();
  }

  nextVersion(): number {
    return this.#store.nextVersion();
  }

  newest(family: number, key: Uint8Array, versionMax: number): VersionedRecord | null {
    return this.#store.newest(family, key, versionMax);
  }

  scan(wish: VersionedScan): VersionedEntry[] {
    return this.#store.scan(wish);
  }

  hasRoom(batchBytes: number): boolean {
    return !this.#isShut && this.#store.hasRoom(batchBytes);
  }

  whenRoom(run: () => void): void {
    if (this.#isShut) this.#waiting.push(run);
    else this.#store.whenRoom(run);
  }

  apply(batch: VersionedBatch): number {
    if (this.#isShut) throw new NokvError("NOKV_BUSY", "a batch is applied without room");
    return this.#store.apply(batch);
  }

  whenDurable(ticket: number, done: Done): void {
    this.#store.whenDurable(ticket, done);
  }

  advanceSafePoint(safePoint: number): void {
    this.#store.advanceSafePoint(safePoint);
  }
}
