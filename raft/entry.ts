/** A member of one raft group; unique in the cluster. A positive safe integer. */
export type PeerId = number;
/** Grows with every election; at most one leader each. 0 before the first. */
export type Term = number;
/** The place of an entry in the log, from 1. 0 is the place before the first. */
export type LogIndex = number;

export const nobody: PeerId = 0;

/** `noop`: a new leader's first entry. `conf`: a `ConfChange`, encoded. All else is the application's. */
export type EntryKind = "normal" | "noop" | "conf";

/** Immutable once made: the machine, the lanes and messages share it. */
export interface Entry {
  readonly index: LogIndex;
  readonly term: Term;
  readonly kind: EntryKind;
  readonly data: Uint8Array;
}

export const noEntries: readonly Entry[] = Object.freeze([]);
export const noBytes: Uint8Array = Object.freeze(new Uint8Array(0));

/** What an entry costs in memory and in messages beside its data, about. */
const entryOverheadBytes = 24;

export function entryBytes(entry: Entry): number {
  return entry.data.length + entryOverheadBytes;
}

/** What must survive a crash beside the entries (Raft paper, figure 2). */
export interface HardState {
  readonly term: Term;
  readonly vote: PeerId;
  /** May lag behind what was known: it rides along with other writes. */
  readonly commit: LogIndex;
}
