import type { PeerId, Term } from "../entry.ts";
import type { Status } from "../raft.ts";
import type { RegionMeta } from "../region.ts";
import type { ApplyState } from "./local-records.ts";
import type { RegionMachine } from "./region-machine.ts";

/** A replica that has its region's records, as those see it who serve requests to it. */
export interface PeerView {
  readonly peerId: PeerId;
  /** As applied here. */
  readonly region: RegionMeta;
  /** Frozen: it does nothing until it is merged, or the freeze is taken back. */
  readonly isMerging: boolean;
  readonly machine: RegionMachine;
  /** 0: it does not lead, or has not applied everything of earlier terms yet. */
  readonly leadingTerm: Term;
  /** As far as known; 0: nobody knows. */
  readonly leaderStore: number;
  readonly leaderPeer: PeerId;
  readonly applyState: ApplyState;
  /** Where the last runs of entries ended, up to `applyState`. */
  readonly recentStates: readonly ApplyState[];
  /** Ticks since a message for this peer came; asleep it waits for none. */
  readonly silentTicks: number;
  /** Of the protocol's machine: of a leader, what it knows of each peer. */
  status(): Status;
}
