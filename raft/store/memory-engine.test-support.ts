/** An engine of a few maps, for tests of what stands on one: what is not durable yet is lost with the process. */
import { compareKeys } from "../../core/bytes/record.ts";
import type { VersionedBatch, VersionedWrite } from "../../core/engine/versioned-batch.ts";
import type {
  VersionedEntry,
  VersionedRecord,
  VersionedScan,
  VersionedStore,
} from "../../core/engine/versioned-store.ts";
import type { Done } from "../../core/engine/waiters.ts";
import type { Clock } from "../../core/env/clock.ts";

/** What is left of an engine when its process is gone. */
export class MemoryDisk {
  batches: (readonly VersionedWrite[])[] = [];
  lastVersion = 0;
}

export class MemoryEngine implements VersionedStore {
  readonly #disk: MemoryDisk;
  readonly #clock: Clock;
  readonly #syncUs: number;
  /** By family and key, versions ascending. */
  readonly #records = new Map<string, VersionedWrite[]>();
  readonly #unsynced: (readonly VersionedWrite[])[] = [];
  #ticket: number;
  /** Batches may come. */
  room = true;
  #roomWaiters: (() => void)[] = [];

  constructor(disk: MemoryDisk, clock: Clock, syncUs = 500) {
    this.#disk = disk;
    this.#clock = clock;
    this.#syncUs = syncUs;
    for (const batch of disk.batches) this.#take(batch);
    this.#ticket = disk.batches.length;
  }

  nextVersion(): number {
    return ++this.#disk.lastVersion;
  }

  newest(family: number, key: Uint8Array, versionMax: number): VersionedRecord | null {
    return this.#records.get(nameOf(family, key))?.findLast(({ version }) => version <= versionMax) ?? null;
  }

  scan({ family, start, end, versionMax, limit, live }: VersionedScan): VersionedEntry[] {
    const found: VersionedEntry[] = [];
    for (const versions of this.#records.values()) {
      const record = versions.findLast(({ version }) => version <= versionMax);
      if (record === undefined || record.family !== family || (live && record.value === null)) continue;
      const { key } = record;
      if (compareKeys(key, start) >= 0 && (end === null || compareKeys(key, end) < 0)) found.push(record);
    }
    return found.toSorted((a, b) => compareKeys(a.key, b.key)).slice(0, limit);
  }

  hasRoom(): boolean {
    return this.room;
  }

  whenRoom(run: () => void): void {
    this.#roomWaiters.push(run);
  }

  makeRoom(): void {
    this.room = true;
    const waiters = this.#roomWaiters;
    this.#roomWaiters = [];
    for (const run of waiters) run();
  }

  apply(batch: VersionedBatch): number {
    if (!this.room) throw new Error("there is no room");
    const writes = [...batch.writes];
    this.#take(writes);
    this.#unsynced.push(writes);
    return ++this.#ticket;
  }

  whenDurable(ticket: number, done: Done): void {
    this.#clock.after(this.#syncUs, () => {
      const count = Math.max(0, ticket - this.#disk.batches.length);
      this.#disk.batches.push(...this.#unsynced.splice(0, count));
      done(null);
    });
  }

  advanceSafePoint(): void {}

  #take(writes: readonly VersionedWrite[]): void {
    for (const write of writes) {
      const name = nameOf(write.family, write.key);
      const versions = this.#records.get(name) ?? [];
      if ((versions.at(-1)?.version ?? 0) >= write.version) throw new Error("a record is above the newest of its key");
      versions.push(write);
      this.#records.set(name, versions);
    }
  }
}

function nameOf(family: number, key: Uint8Array): string {
  return `${family}/${key.join()}`;
}
