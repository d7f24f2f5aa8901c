// HOT: once per turn of every group with something to do.
import { type Entry, type LogIndex, entryBytes, noEntries } from "./entry.ts";
import { beginReads, knowsCommitted } from "./leader.ts";
import type { Message } from "./message.ts";
import type { RaftState } from "./raft-state.ts";
import type { AppendTask } from "./ready.ts";
import { continues, flush } from "./sending.ts";

/** What is sent only now, so that all that came in one turn goes out together. */
export function gatherSends(state: RaftState): void {
  if (canBeginReads(state)) beginReads(state);
  if (state.flushNeeded) flush(state);
}

export function canBeginReads(state: RaftState): boolean {
  return state.role === "leader" && state.reads.waiting && knowsCommitted(state);
}

export function hardChanged(state: RaftState): boolean {
  const { hard } = state;
  return hard.term !== state.term || hard.vote !== state.vote || hard.commit !== state.log.committed;
}

/** The next step of the append lane; null when there is nothing to write and nothing to wait for. */
export function gatherAppend(state: RaftState): AppendTask | null {
  const { log } = state;
  const changed = hardChanged(state);
  const snapshot = log.unhandedSnapshot;
  if (!changed && !log.unhanded) {
    if (state.sendAfter.length === 0) return null;
    if (log.lane.idle) {
      // Everything that these replies speak of is durable.
      for (let i = 0; i < state.sendAfter.length; i++) state.sendNow.push(state.sendAfter[i] as Message);
      state.sendAfter = [];
      return null;
    }
  }
  const votes = state.hard.term !== state.term || state.hard.vote !== state.vote;
  if (changed) state.hard = { term: state.term, vote: state.vote, commit: log.committed };
  const entries = log.handOver();
  log.unhandedSnapshot = null;
  const first = entries.length > 0 ? (entries[0] as Entry).index : 0;
  const last = entries.length > 0 ? log.last : (snapshot?.index ?? 0);
  const candidacy = state.candidacyUnhanded ? state.term : 0;
  state.candidacyUnhanded = false;
  const sendAfter = state.sendAfter;
  state.sendAfter = [];
  return {
    seq: log.lane.hand(last, candidacy, snapshot?.index ?? 0),
    hard: changed ? state.hard : null,
    snapshot,
    first,
    entries,
    mustSync: votes || entries.length > 0 || snapshot !== null,
    sendAfter,
  };
}

/** Whether `gatherApply` would hand out something, or ask for it. */
export function canApply(state: RaftState): boolean {
  const { log } = state;
  if (log.applying >= log.applicable || state.applyBacklog.bytes >= state.limits.applyBytesMax) return false;
  return log.ring.holds(log.applying + 1) || state.applyFetched !== null || !state.applyFetching;
}

/** Entries to apply, within the bytes that may be under way. */
export function gatherApply(state: RaftState): readonly Entry[] {
  if (!canApply(state)) return noEntries;
  const { log, limits } = state;
  const next = log.applying + 1;
  const entries = applicableFrom(state, next, limits.applyBytesMax - state.applyBacklog.bytes);
  if (entries.length === 0) return entries;
  let bytes = 0;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i] as Entry;
    bytes += entryBytes(entry);
    if (entry.kind === "conf") state.confsHanded.push(entry.index);
  }
  log.applying = next + entries.length - 1;
  state.applyBacklog.add(log.applying, bytes);
  return entries;
}

function applicableFrom(state: RaftState, next: LogIndex, bytesMax: number): readonly Entry[] {
  const { log } = state;
  const end = log.applicable + 1;
  if (log.ring.holds(next)) return log.ring.slice(next, end, bytesMax);
  const fetched = state.applyFetched;
  state.applyFetched = null;
  if (fetched !== null && continues(state, next, fetched)) return fetched.slice(0, end - next);
  state.applyFetching = true;
  const high = Math.min(end, log.ring.first);
  state.fetches.push({ to: state.id, low: next, high, bytesMax: state.limits.applyBytesMax });
  return noEntries;
}
