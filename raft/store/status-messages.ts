import { type Layout, blob, list, oneOf, struct, text, u53 } from "../../core/bytes/layout.ts";
import { type ProgressState, progressStates } from "../progress.ts";
import { type RegionMeta, regionLayout } from "../region.ts";

/** How far a member is, as its leader knows; the leader itself is among them. */
export interface MemberProgress {
  readonly peerId: number;
  readonly match: number;
  readonly state: ProgressState;
}

/** A replica on the store that was asked. */
export interface RegionStatus {
  readonly region: RegionMeta;
  readonly peerId: number;
  readonly term: number;
  /** 0: it does not lead. */
  readonly leadingTerm: number;
  /** 0: nobody knows. */
  readonly leaderStore: number;
  readonly applied: number;
  readonly committed: number;
  readonly last: number;
  /** Of a leader; else empty. */
  readonly progress: readonly MemberProgress[];
  /** What its range takes in this store's engine, superseded records included; an estimate. */
  readonly bytes: number;
  readonly records: number;
  /** Commands that this store was asked to execute since it was opened. */
  readonly reads: number;
  readonly writes: number;
}

/** A key that is asked for or written often. */
export interface HotKeyStatus {
  readonly key: Uint8Array;
  /** Times within the last second; an estimate. */
  readonly recent: number;
}

/** A count since the store was opened, by its name in `StoreStats` or the engine's statistics. */
export interface NamedCount {
  readonly name: string;
  readonly value: number;
}

export interface StoreStatusAnswer {
  readonly storeId: number;
  readonly incarnation: number;
  readonly uptimeMs: number;
  /** Regions in order of their ids, from the one asked for, as many as fit an answer. */
  readonly regions: readonly RegionStatus[];
  /** 0: those were all. */
  readonly nextRegion: number;
  readonly hotKeys: readonly HotKeyStatus[];
  readonly counts: readonly NamedCount[];
}

export const statusRequestLayout: Layout<{ readonly from: number }> = struct({ from: u53 });
export const storeStatusLayout: Layout<StoreStatusAnswer> = struct({
  storeId: u53,
  incarnation: u53,
  uptimeMs: u53,
  regions: list(
    struct<RegionStatus>({
      region: regionLayout, peerId: u53, term: u53, leadingTerm: u53, leaderStore: u53, applied: u53, committed: u53,
      last: u53,
      progress: list(struct<MemberProgress>({ peerId: u53, match: u53, state: oneOf(progressStates) })),
      bytes: u53, records: u53, reads: u53, writes: u53,
    }),
  ),
  nextRegion: u53,
  hotKeys: list(struct<HotKeyStatus>({ key: blob, recent: u53 })),
  counts: list(struct<NamedCount>({ name: text, value: u53 })),
});
