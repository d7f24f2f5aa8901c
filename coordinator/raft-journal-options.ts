import { assert } from "../core/assert.ts";
import { type RaftLimits, raftLimitsDefault } from "../raft/raft-options.ts";

/** Limits of a member of the Coordinator's group. Integers; bytes, microseconds, ticks or counts by name. */
export interface RaftJournalLimits {
  readonly raft: RaftLimits;
  readonly tickUs: number;
  /** Events between two checkpoints of the state. */
  readonly checkpointEntries: number;
  /** Entries that are kept behind a checkpoint, for members that come back. */
  readonly keepEntries: number;
  /** With so many more the log is cut, whoever still wants them. */
  readonly logEntriesMax: number;
  /** A snapshot travels in parts of at most so many bytes. */
  readonly partBytesMax: number;
  /** A snapshot that nobody fetches for so many ticks is given up. */
  readonly snapshotTicks: number;
  /** Requests that wait, of each kind. */
  readonly waitingMax: number;
}

/**
 * A new leader within half a second to one and a half: whoever asks for timestamps waits for it. The cost of an
 * election that was not needed is 100 ms of timestamps, so the timers are shorter than those of regions.
 */
export const raftJournalLimitsDefault: RaftJournalLimits = {
  raft: { ...raftLimitsDefault, electionTicks: 10, heartbeatTicks: 2 },
  tickUs: 50_000,
  checkpointEntries: 1_000,
  keepEntries: 1_000,
  logEntriesMax: 20_000,
  partBytesMax: 256 * 1024,
  snapshotTicks: 100,
  waitingMax: 65_536,
};

export function raftJournalLimits(given: Partial<RaftJournalLimits>): RaftJournalLimits {
  const limits = { ...raftJournalLimitsDefault, ...given };
  assert(limits.tickUs >= 1 && limits.partBytesMax >= 1, "time passes, and parts hold something");
  assert(limits.checkpointEntries >= 1, "a checkpoint holds an event");
  return limits;
}
