import type { VersionedBatch } from "./versioned-batch.ts";
import type { Done } from "./waiters.ts";

/** A record as it stands: what a key was from `version` on. */
export interface VersionedRecord {
  readonly version: number;
  /** Null: a tombstone. Owned by the receiver. */
  readonly value: Uint8Array | null;
  /** Unix milliseconds; 0: never. A value whose time is over is still a record: its reader judges by a timestamp. */
  readonly expiresAtMs: number;
}

export interface VersionedEntry extends VersionedRecord {
  /** Owned by the receiver. */
  readonly key: Uint8Array;
}

export interface VersionedScan {
  readonly family: number;
  readonly start: Uint8Array;
  /** Not included; null: to the end of the family. */
  readonly end: Uint8Array | null;
  readonly versionMax: number;
  /** Entries at most, at least 1. */
  readonly limit: number;
  /** Tombstones are passed over and do not count. */
  readonly live: boolean;
}

/**
 * The engine as a replica uses it: who writes gives each record its version, and reads what it wrote at once, long
 * before that is durable. Durability follows in the order of the calls and is asked for where something rests on it.
 */
export interface VersionedStore {
  /** Above every version that was ever given or taken: for families in which only the newest record counts. */
  nextVersion(): number;
  /** The newest record of `key` up to `versionMax`; null: there is none. */
  newest(family: number, key: Uint8Array, versionMax: number): VersionedRecord | null;
  /** In key order, of each key the newest record up to `versionMax`. */
  scan(wish: VersionedScan): VersionedEntry[];
  /** A batch of so many bytes would be taken now. */
  hasRoom(batchBytes: number): boolean;
  /** `run` once, when there may be room again. */
  whenRoom(run: () => void): void;
  /**
   * All of the batch or nothing, also over a crash. Returns a ticket. Throws `NOKV_BUSY` without room, and when a
   * record is not above the newest of its key: that is a defect of the caller.
   */
  apply(batch: VersionedBatch): number;
  /** `done` when everything up to `ticket` survives a power loss; asks for a sync. */
  whenDurable(ticket: number, done: Done): void;
  /**
   * From now on nobody reads family `data` below `safePoint`, a version, and lifetimes are judged at it or later. Of
   * the other families only the newest record of a key is ever read.
   */
  advanceSafePoint(safePoint: number): void;
}
