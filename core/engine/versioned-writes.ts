import { assert } from "../assert.ts";
import type { Clock, Timer } from "../env/clock.ts";
import type { DiskError } from "../env/disk.ts";
import { Batch } from "./batch.ts";
import { invalidArgument, undetermined } from "./failure.ts";
import type { Reader } from "./reader.ts";
import { encodeVersioned, type VersionedBatch } from "./versioned-batch.ts";
import { type Done, Waiters } from "./waiters.ts";
import type { WritePath } from "./write-path.ts";

/** How soon room is looked for again where nobody will tell of it. */
const roomRetryUs = 10_000;

/** What writes of given versions go through. */
export interface VersionedParts {
  readonly clock: Clock;
  readonly write: WritePath;
  readonly reader: Reader;
  /** Compare versions with all there is. */
  readonly checkAll: boolean;
}

/** The writing half of `VersionedStore`: batches into memory, and what of them survives a power loss. */
export class VersionedWrites {
  readonly #parts: VersionedParts;
  /** The images of the batch under way; its memory is used again. */
  readonly #images = new Batch();
  readonly #waiters = new Waiters();
  #roomWaiters: (() => void)[] = [];
  #roomScheduled = false;
  #roomTimer: Timer | null = null;
  /** Up to this ticket everything survives a power loss. */
  #durable = 0;
  /** Up to this one a sync was asked for. */
  #asked = 0;

  constructor(parts: VersionedParts) {
    this.#parts = parts;
    // What recovery brought back it wrote again, and synced.
    this.#durable = parts.write.pendingVersion;
    this.#asked = this.#durable;
    parts.write.onProgress = () => this.#tellRoom();
  }

  /** See `VersionedStore`. */
  apply(batch: VersionedBatch): number {
    const { write } = this.#parts;
    if (batch.writes.length === 0) return write.pendingVersion;
    const newest = encodeVersioned(batch, this.#images);
    this.#checkVersions(batch);
    return write.apply(this.#images, newest);
  }

  hasRoom(batchBytes: number): boolean {
    return this.#parts.write.hasRoom(batchBytes);
  }

  whenRoom(run: () => void): void {
    this.#roomWaiters.push(run);
    // Flushes and the log tell when they are through. What else makes room (merges, a disk that takes the header of a
    // segment at last) may tell nobody. Asked at once, again and again, it would be all that this thread does.
    this.#roomTimer ??= this.#parts.clock.after(roomRetryUs, () => {
      this.#roomTimer = null;
      this.#tellRoom();
    });
  }

  /** Nobody is told of room any more. */
  stop(): void {
    this.#roomWaiters = [];
    this.#roomTimer?.cancel();
    this.#roomTimer = null;
  }

  whenDurable(ticket: number, done: Done): void {
    const { write } = this.#parts;
    if (ticket > write.pendingVersion) throw invalidArgument(`ticket ${ticket} was never given out`);
    if (ticket <= this.#durable) return done(null);
    if (write.failure !== null) return done(undetermined(write.failure));
    this.#waiters.add(ticket, done);
    if (ticket <= this.#asked) return;
    const covers = write.pendingVersion;
    this.#asked = covers;
    write.wal.sync((error) => this.#synced(covers, error));
  }

  #synced(covers: number, error: DiskError | null): void {
    if (error !== null) return this.#waiters.fail(undetermined(error));
    assert(covers > this.#durable, "each sync is asked for once");
    this.#durable = covers;
    this.#waiters.tell(covers);
  }

  #checkVersions(batch: VersionedBatch): void {
    const { reader, checkAll } = this.#parts;
    for (const { family, key, version } of batch.writes) {
      const there = checkAll ? reader.newestVersion(family, key) : reader.newestInMemory(family, key);
      assert(version > there, "a record is above the newest of its key");
    }
  }

  /** In a turn of its own: who is told may write at once, and what got on is not at its end yet. */
  #tellRoom(): void {
    if (this.#roomWaiters.length === 0 || this.#roomScheduled) return;
    this.#roomScheduled = true;
    this.#parts.clock.soon(() => {
      this.#roomScheduled = false;
      const waiters = this.#roomWaiters;
      this.#roomWaiters = [];
      for (const run of waiters) run();
    });
  }
}
