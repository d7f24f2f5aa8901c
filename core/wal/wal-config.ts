import type { DiskError } from "../env/disk.ts";
import type { DirectorySync } from "./directory-sync.ts";
import type { WalSegment } from "./segment.ts";

/** When a commit counts as done: after its sync, after its write with a sync by timer, after its write. */
export type WalLevel = "sync" | "interval" | "none";

export interface WalConfig {
  readonly directory: DirectorySync;
  readonly epoch: number;
  readonly level: WalLevel;
  readonly syncIntervalMs: number;
  readonly groupBytesMax: number;
  /** Files of forgotten segments that are kept to be written over. */
  readonly sparesMax: number;
  /** Zeros written ahead of the end of a log that is synced, at most; 0: none. */
  readonly aheadBytesMax: number;
  /** Syncs that take no longer are waited for; 0: none. */
  readonly waitedSyncUs: number;
}

/** Who owns the log: told what happened, asked whether to go on. Calls back into the writer freely. */
export interface WalOwner {
  /** False holds the groups back; `resume` starts them again. */
  mayWrite(): boolean;
  /** A disk without room is asked again later; false: it is a failure at once. */
  mayWaitForSpace(): boolean;
  /** Every version up to `version` has met the durability level. Goes up. */
  reached(version: number): void;
  /** This segment, and every one before it, is durable: the manifest may name it. Once per segment. */
  segmentDurable(segment: WalSegment): void;
  /** The log takes no more. Told once; nothing further is written or told. */
  failed(error: DiskError): void;
}

/** How often and how long a log waits for room before it gives up. */
export const spaceRetryUs = 200_000;
export const spaceRetriesMax = 50;
