import type { VersionedBatch } from "../../core/engine/versioned-batch.ts";
import type { NokvError } from "../../core/errors.ts";
import type { StreamFile } from "../../net/rpc/stream-messages.ts";
import type { RegionMeta } from "../region.ts";

/** What a snapshot is made of. */
export interface SnapshotContent {
  readonly files: readonly StreamFile[];
  /** Whatever else the transfer at the other end must know of them; at most a few thousand bytes. */
  readonly detail: Uint8Array;
}

/** A region's records on their way out. */
export interface OutgoingSnapshot {
  readonly content: SnapshotContent;
  /** Exactly `length` bytes of a file; null: they cannot be read. At once or later. */
  // oxlint-disable-next-line max-params
  read(file: number, offset: number, length: number, done: (bytes: Uint8Array | null) => void): void;
  /** Nobody reads it any more. */
  release(): void;
}

/** A region's records on their way in. */
export interface IncomingSnapshot {
  /** Under which they are found again. */
  readonly name: string;
  /** The next bytes of a file; valid only during the call. */
  // oxlint-disable-next-line max-params
  write(file: number, offset: number, bytes: Uint8Array, done: (ok: boolean) => void): void;
  /** Everything was written. True: it survives a power loss (R7). */
  finish(done: (ok: boolean) => void): void;
  /** Nothing more comes. The files go by `sweep`. */
  discard(): void;
}

/** A stretch of a family. `end` null: to its end. */
export interface FamilyRange {
  readonly family: number;
  readonly start: Uint8Array;
  readonly end: Uint8Array | null;
}

/** Where the records of a region lie: what its machine's families make of its range. */
export type RangesOf = (region: RegionMeta) => readonly FamilyRange[];

/**
 * How a region's records leave one engine whole and come into another: those of its range in all replicated families,
 * and the one of `machineStateKey`.
 */
export interface SnapshotTransfer {
  /**
   * As of this call, whatever is applied while it works. A string: why it can not be now; `NOKV_CORRUPTION`: what lies
   * here is damaged, and will never be anybody's. Called back once, later.
   */
  exportAt(region: RegionMeta, done: (snapshot: OutgoingSnapshot | NokvError | string) => void): void;
  /** Room for what comes; a string: why there is none. */
  receive(content: SnapshotContent): IncomingSnapshot | string;
  /** All files that came under that name are there. */
  has(name: string, content: SnapshotContent): boolean;
  /**
   * What stands in the region's range gives way to what came under `name` and to `batch`, together and durably, or
   * nothing happens (R8). Done again it changes nothing. `NOKV_CORRUPTION`: the files are damaged.
   */
  // oxlint-disable-next-line max-params
  replace(
    name: string,
    content: SnapshotContent,
    region: RegionMeta,
    batch: VersionedBatch,
    done: (error: NokvError | null) => void,
  ): void;
  /** Whatever came in under any other name is of no use any more. Throws `DiskError`. */
  sweep(keep: readonly string[]): void;
  /** The records of a region that is not here any more go. */
  clear(region: RegionMeta, done: (error: NokvError | null) => void): void;
}
