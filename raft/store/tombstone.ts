import type { LogIndex, PeerId, Term } from "../entry.ts";
import type { RegionMeta } from "../region.ts";

/** A peer that was here: it and those before it do not come back. */
export interface Tombstone {
  readonly peerId: PeerId;
  /** As far as known when it left. */
  readonly region: RegionMeta;
  /** What it had applied, and so knows to be committed. */
  readonly index: LogIndex;
  readonly term: Term;
}

/**
 * Where the log of a region begins: not at its origin, so that a peer which comes later needs a snapshot, and with it
 * learns what its region is.
 */
export const bootstrapIndex: LogIndex = 5;
export const bootstrapTerm: Term = 5;
