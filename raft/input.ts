import type { ConfChange } from "./conf-change.ts";
import type { ConfState } from "./conf-state.ts";
import type { Entry, LogIndex, PeerId } from "./entry.ts";
import type { Message } from "./message.ts";
import type { SnapshotMeta } from "./snapshot-meta.ts";

/** Everything that a machine ever learns. `token` is the caller's, and comes back in `Ready`. */
export type Input =
  /**
   * One logical tick. What was missed is dropped, never caught up: `Ticker`. `held`: who is due to stand for election
   * does not by itself; the runtime lets it, by a campaign.
   */
  | { readonly kind: "tick"; readonly held?: boolean }
  | { readonly kind: "message"; readonly message: Message }
  /** Leader only; nothing is forwarded. */
  | { readonly kind: "propose"; readonly token: number; readonly data: Uint8Array }
  | { readonly kind: "conf"; readonly token: number; readonly change: ConfChange }
  /** Leader only. Answered by an index: when that is applied, a local read is linearizable. */
  | { readonly kind: "readIndex"; readonly token: number }
  | { readonly kind: "transfer"; readonly to: PeerId }
  /** `force`: without asking first, and past leases. */
  | { readonly kind: "campaign"; readonly force: boolean }
  /** The leader is known to be dead: votes for another one need not wait. */
  | { readonly kind: "forgetLeader" }
  /**
   * The leader stops its heartbeats, and its followers their timers, while nothing happens. Nobody waits for the
   * `absent`, as long as the others are a majority: the runtime wakes the leader when one of them is there again. A
   * leader that sleeps already sleeps on without them, and says nothing; it wakes where the others are no majority.
   */
  | { readonly kind: "quiesce"; readonly absent: readonly PeerId[] }
  /** Something happened elsewhere that ends this sleep. */
  | { readonly kind: "wake" }
  /** Append task `seq` is durable, and all before it; its `sendAfter` went out. */
  | { readonly kind: "appended"; readonly seq: number }
  /** Entries up to `index` are applied; `confApplied` came before, for each configuration entry. */
  | { readonly kind: "applied"; readonly index: LogIndex }
  /** The configuration after a configuration entry; the same again when the runtime refused it. */
  | { readonly kind: "confApplied"; readonly conf: ConfState }
  /** The answer to a fetch. "compacted": the log no longer holds `low`. */
  | {
      readonly kind: "fetched";
      readonly to: PeerId;
      readonly low: LogIndex;
      readonly entries: readonly Entry[] | "compacted";
    }
  /** The log on disk begins after `index`, which is applied. */
  | { readonly kind: "compacted"; readonly index: LogIndex }
  /** A message to `peer` was lost for certain. */
  | { readonly kind: "unreachable"; readonly peer: PeerId }
  /** A snapshot is on its way to `to`. */
  | { readonly kind: "snapshot"; readonly to: PeerId; readonly snapshot: SnapshotMeta }
  /** It arrived there, or it never will. */
  | { readonly kind: "snapshotStatus"; readonly peer: PeerId; readonly ok: boolean };
