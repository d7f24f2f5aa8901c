// HOT: every append of a leader is made here.
import { type Entry, type LogIndex, noEntries } from "./entry.ts";
import type { Progress } from "./progress.ts";
import { isKnown } from "./raft-log.ts";
import type { RaftState } from "./raft-state.ts";

/** Sends each follower what its window allows. Once per `Ready`, so that what came together goes together. */
export function flush(state: RaftState): void {
  state.flushNeeded = false;
  if (state.role !== "leader") return;
  const { members } = state.tracker;
  for (let i = 0; i < members.length; i++) {
    const progress = members[i] as Progress;
    if (progress.id !== state.id) while (sendOne(state, progress));
  }
}

/** Sends one append; true: it had entries, so another one may be due. */
function sendOne(state: RaftState, progress: Progress): boolean {
  const { log } = state;
  // What it has applied was committed, so this log agrees with it there: it needs no snapshot of that.
  if (!isKnown(log.term(progress.next - 1)) && isKnown(log.term(progress.applied))) progress.skipToApplied();
  const { next, emptyWanted } = progress;
  const flows = progress.flows();
  if (progress.state === "snapshot" || (!flows && !emptyWanted)) return false;
  if (progress.fetching) return false;
  if (!isKnown(log.term(next - 1))) {
    wantSnapshot(state, progress);
    return false;
  }
  // With a full window only an empty append goes: its refusal tells that the window was lost.
  const due = flows && next <= log.last;
  if (!due && !emptyWanted && !commitNews(state, progress)) return false;
  if (due && !log.ring.holds(next)) {
    fetch(state, progress);
    return false;
  }
  const entries = due ? log.ring.slice(next, log.last + 1, state.limits.messageBytesMax) : noEntries;
  sendAppend(state, progress, entries);
  return entries.length > 0;
}

function sendAppend(state: RaftState, progress: Progress, entries: readonly Entry[]): void {
  const { log } = state;
  const append = state.message("append", progress.id);
  append.index = progress.next - 1;
  append.logTerm = log.term(append.index);
  append.entries = entries;
  append.commit = log.committed;
  state.sendNow.push(append);
  progress.sent(entries, log.committed);
}

/** The follower could commit more than it was told. */
function commitNews(state: RaftState, progress: Progress): boolean {
  return Math.min(state.log.committed, progress.next - 1) > progress.sentCommit;
}

function fetch(state: RaftState, progress: Progress): void {
  progress.fetching = true;
  const { next } = progress;
  state.fetches.push({
    to: progress.id,
    low: next,
    high: state.log.ring.first,
    bytesMax: state.limits.messageBytesMax,
  });
}

/** The log no longer holds what the follower needs. Who is not heard of gets nothing that costs so much. */
export function wantSnapshot(state: RaftState, progress: Progress): void {
  if (progress.snapshotWanted || !progress.recentlyActive) return;
  progress.snapshotWanted = true;
  state.snapshotsWanted.push(progress.id);
}

/** Entries for `progress` were read from the log. They may be of another time: the log is asked. */
export function sendFetched(state: RaftState, progress: Progress, entries: readonly Entry[]): void {
  state.flushNeeded = true;
  if (progress.state === "snapshot" || !progress.flows()) return;
  if (!continues(state, progress.next, entries)) return;
  sendAppend(state, progress, entries);
}

/** Whether `entries` are those of the log from `next` on. */
export function continues(state: RaftState, next: LogIndex, entries: readonly Entry[]): boolean {
  if (entries.length === 0 || entries[0]?.index !== next) return false;
  for (let i = 0; i < entries.length; i++) {
    const { index, term } = entries[i] as Entry;
    if (index !== next + i || state.log.term(index) !== term) return false;
  }
  return isKnown(state.log.term(next - 1));
}
