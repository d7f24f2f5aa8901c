import type { Random } from "../core/env/random.ts";
import { assert } from "../core/assert.ts";
import type { ConfState } from "./conf-state.ts";
import type { HardState, LogIndex, PeerId } from "./entry.ts";
import type { RestoredLog } from "./raft-log.ts";

/** Bounds of one machine. Ticks are logical; bytes count entries' data and a little overhead each. */
export interface RaftLimits {
  /** A follower that heard nothing for between this and twice this many ticks asks for votes. */
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  /** Entries of one append. One entry always fits. */
  readonly messageBytesMax: number;
  /** Appends on their way to one follower. */
  readonly inflightMessagesMax: number;
  readonly inflightBytesMax: number;
  /** Entries that a leader has proposed and that are not committed. */
  readonly uncommittedBytesMax: number;
  /** Durable entries kept in memory. */
  readonly ringBytesMax: number;
  /** Entries handed out to be applied and not applied yet. */
  readonly applyBytesMax: number;
}

export const raftLimitsDefault: RaftLimits = {
  electionTicks: 10,
  heartbeatTicks: 2,
  messageBytesMax: 256 * 1024,
  inflightMessagesMax: 256,
  inflightBytesMax: 4 * 1024 * 1024,
  uncommittedBytesMax: 16 * 1024 * 1024,
  ringBytesMax: 8 * 1024 * 1024,
  applyBytesMax: 4 * 1024 * 1024,
};

/** What a peer is started with: what the disk held, and where its applied state stands. */
export interface Restored {
  readonly hard: HardState;
  readonly log: RestoredLog;
  readonly applied: LogIndex;
  /** The configuration at `applied`; empty for a peer that waits for its first snapshot. */
  readonly conf: ConfState;
}

export interface RaftOptions {
  readonly id: PeerId;
  /** Spreads election timeouts: stream "raft/election", entity `id`. */
  readonly random: Random;
  readonly limits: RaftLimits;
}

export function checkLimits(limits: RaftLimits): void {
  assert(limits.heartbeatTicks >= 1, "a heartbeat takes a tick at least");
  // Ticks of two peers are not in phase: with less, a heartbeat that is just in time comes too late.
  assert(limits.electionTicks > limits.heartbeatTicks * 2, "a leader is heard of before anyone asks for votes");
  assert(limits.inflightMessagesMax >= 1, "a window holds a message");
}
