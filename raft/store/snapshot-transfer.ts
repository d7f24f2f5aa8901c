import type { VersionedBatch } from "../../core/engine/versioned-batch.ts";
import type { NokvError } from "../../core/errors.ts";
import type { StreamFile } from "../../net/rpc/stream-messages.ts";
import type { RegionMeta } from "../region.ts";

/** A region's records on their way out. */
export interface OutgoingSnapshot {
  readonly files: readonly StreamFile[];
  /** Exactly `length` bytes of a file; null: they cannot be read. At once or later. */
  // oxlint-disable-next-line max-params
  read(file: number, offset: number, length: number, done: (bytes: Uint8Array | null) => void): void;
  /** Nobody reads it any more. */
  release(): void;
}

/** A region's records on their way in, under a name. */
export interface IncomingSnapshot {
  /** The next bytes of a file; valid only during the call. */
  // oxlint-disable-next-line max-params
  write(file: number, offset: number, bytes: Uint8Array, done: (ok: boolean) => void): void;
  /** Everything was written. True: it survives a power loss, and its checksums are right (R7). */
  finish(done: (ok: boolean) => void): void;
  discard(): void;
}

/**
 * How a region's records leave one engine whole and come into another: those of its range in all replicated families,
 * and the one of `machineStateKey`.
 */
export interface SnapshotTransfer {
  /** As of this call, whatever is applied while it works. A string: why it can not be. Called back once, later. */
  exportAt(region: RegionMeta, done: (snapshot: OutgoingSnapshot | string) => void): void;
  /** Room for what comes. Throws `DiskError`. */
  receive(name: string, files: readonly StreamFile[]): IncomingSnapshot;
  /** What was finished under that name is there. */
  has(name: string, files: readonly StreamFile[]): boolean;
  /**
   * What stands in the region's range gives way to the files of `name` and to `batch`, together and durably, or
   * nothing happens (R8). Done again it changes nothing. `NOKV_CORRUPTION`: the files are damaged.
   */
  // oxlint-disable-next-line max-params
  replace(
    name: string,
    files: readonly StreamFile[],
    region: RegionMeta,
    batch: VersionedBatch,
    done: (error: NokvError | null) => void,
  ): void;
  /** Whatever came in under any other name is of no use any more. Throws `DiskError`. */
  sweep(keep: readonly string[]): void;
  /** The records of a region that is not here any more go. */
  clear(region: RegionMeta, done: (error: NokvError | null) => void): void;
}
