import type { Entry, HardState, LogIndex, PeerId, Term } from "./entry.ts";
import type { Message } from "./message.ts";
import type { SnapshotMeta } from "./snapshot-meta.ts";

export type Role = "follower" | "preCandidate" | "candidate" | "leader";

/** What changes without being worth a write. */
export interface SoftState {
  readonly role: Role;
  readonly leader: PeerId;
  /** Whom the leader is handing over to. */
  readonly transferee: PeerId;
}

/**
 * One step of the append lane, atomic: after a crash all of it is there or nothing. Tasks become durable in the
 * order in which they were handed out.
 */
export interface AppendTask {
  readonly seq: number;
  readonly hard: HardState | null;
  /** Replaces the whole log, before `entries`. */
  readonly snapshot: SnapshotMeta | null;
  /** Entries from here on are replaced by `entries`; 0 when there are none. */
  readonly first: LogIndex;
  readonly entries: readonly Entry[];
  /** False: may wait for the next task that needs a sync. */
  readonly mustSync: boolean;
  /** To be sent when this and all earlier tasks are durable, before `appended` is stepped. */
  readonly sendAfter: readonly Message[];
}

export type DropReason =
  | "notLeader"
  | "transferring"
  | "uncommittedFull"
  | "confPending"
  /** The change does not apply to the configuration as it is. */
  | "confIllegal"
  | "removed";

export interface Fetch {
  /** The peer that needs them; this peer itself, to apply them. */
  readonly to: PeerId;
  readonly low: LogIndex;
  /** Not included. */
  readonly high: LogIndex;
  /** At least one entry, more while they fit. */
  readonly bytesMax: number;
}

/** What the runtime must do. No order among the parts but that within `append`. */
export interface Ready {
  /** Null: as it was. */
  readonly soft: SoftState | null;
  /** May leave before `append` is durable. */
  readonly sendNow: readonly Message[];
  readonly append: AppendTask | null;
  /** Contiguous, committed and durable here. */
  readonly apply: readonly Entry[];
  readonly reads: readonly { readonly token: number; readonly index: LogIndex }[];
  readonly dropped: readonly { readonly token: number; readonly why: DropReason }[];
  /** Where each accepted proposal stands: it succeeded when this (index, term) is applied, and not otherwise. */
  readonly proposed: readonly { readonly token: number; readonly index: LogIndex; readonly term: Term }[];
  /** Entries that are no longer in memory. */
  readonly fetches: readonly Fetch[];
  /** Peers that need what the log no longer holds. Each is named once until its snapshot ends. */
  readonly snapshotsWanted: readonly PeerId[];
}
