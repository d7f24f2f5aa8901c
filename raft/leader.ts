// HOT: every proposal, and every reply of a follower, passes here.
import { assert } from "../core/assert.ts";
import { type ConfChange, changeConf, encodeConfChange } from "./conf-change.ts";
import { transitionFault } from "./conf-state.ts";
import { type Entry, type EntryKind, type PeerId, entryBytes, nobody } from "./entry.ts";
import type { Message } from "./message.ts";
import type { Progress } from "./progress.ts";
import type { RaftState } from "./raft-state.ts";
import type { DropReason } from "./ready.ts";
import { becomeFollower, wake } from "./roles.ts";
import type { SnapshotMeta } from "./snapshot-meta.ts";

export function tickLeader(state: RaftState): void {
  const { limits } = state;
  state.electionElapsed++;
  state.heartbeatElapsed++;
  if (state.electionElapsed >= limits.electionTicks) {
    state.electionElapsed = 0;
    // Who has not taken over by now is not going to: proposals go on.
    state.transferee = nobody;
    if (!state.tracker.quorumActive()) {
      // Cut off from the majority, which may have another leader by now.
      becomeFollower(state, state.term, nobody);
      return;
    }
    clearActivity(state);
  }
  if (state.heartbeatElapsed >= limits.heartbeatTicks) broadcastHeartbeat(state);
}

function clearActivity(state: RaftState): void {
  const { members } = state.tracker;
  for (let i = 0; i < members.length; i++) {
    const progress = members[i] as Progress;
    progress.recentlyActive = progress.id === state.id;
  }
}

function broadcastHeartbeat(state: RaftState): void {
  state.heartbeatElapsed = 0;
  const { members } = state.tracker;
  for (let i = 0; i < members.length; i++) {
    const progress = members[i] as Progress;
    if (progress.id === state.id) continue;
    const heartbeat = state.message("heartbeat", progress.id);
    // It may be asleep over a log of another leader: what is not known to match is not committed there.
    heartbeat.commit = Math.min(progress.match, state.log.committed);
    heartbeat.readSeq = state.reads.seq;
    state.sendNow.push(heartbeat);
  }
}

// What the runtime asks of a leader.

/** Why this peer can not propose now; null: it can. */
function refusal(state: RaftState): DropReason | null {
  if (!state.tracker.has(state.id)) return "removed";
  if (state.role !== "leader") return "notLeader";
  return state.transferee === nobody ? null : "transferring";
}

export function propose(state: RaftState, token: number, data: Uint8Array): void {
  const why = refusal(state);
  if (why === null) append(state, token, "normal", data);
  else state.drop(token, why);
}

export function proposeConf(state: RaftState, token: number, change: ConfChange): void {
  const why = refusal(state) ?? confRefusal(state, change);
  if (why !== null) {
    state.drop(token, why);
    return;
  }
  if (append(state, token, "conf", encodeConfChange(change))) state.pendingConf = state.log.last;
}

function confRefusal(state: RaftState, change: ConfChange): DropReason | null {
  if (state.pendingConf > state.log.applied) return "confPending";
  const { conf } = state.tracker;
  const next = changeConf(conf, change);
  return next === null || transitionFault(conf, next) !== null ? "confIllegal" : null;
}

// oxlint-disable-next-line max-params -- what an entry is made of
function append(state: RaftState, token: number, kind: EntryKind, data: Uint8Array): boolean {
  const { log, term, uncommitted, limits } = state;
  const entry: Entry = { index: log.last + 1, term, kind, data };
  const bytes = entryBytes(entry);
  // What is empty is never refused: configurations are left that way, and a lone entry always fits.
  const over = uncommitted.bytes > 0 && uncommitted.bytes + bytes > limits.uncommittedBytesMax;
  if (over && data.length > 0 && kind === "normal") {
    state.drop(token, "uncommittedFull");
    return false;
  }
  uncommitted.add(entry.index, bytes);
  log.push(entry);
  state.proposed.push({ token, index: entry.index, term });
  state.flushNeeded = true;
  return true;
}

export function readIndex(state: RaftState, token: number): void {
  if (state.role === "leader") state.reads.add(token);
  else state.drop(token, state.tracker.has(state.id) ? "notLeader" : "removed");
}

/** A new leader does not know what its predecessors committed until it has committed something itself. */
export function knowsCommitted(state: RaftState): boolean {
  return state.log.term(state.log.committed) === state.term;
}

/** All reads that wait become one round of heartbeats. */
export function beginReads(state: RaftState): void {
  state.reads.begin(state.log.committed);
  broadcastHeartbeat(state);
  confirmReads(state);
}

function confirmReads(state: RaftState): void {
  state.reads.confirm(state.tracker.confirmedRead(), state.readsDone);
}

export function transfer(state: RaftState, to: PeerId): void {
  const progress = state.tracker.get(to);
  if (state.role !== "leader" || progress === null || to === state.id) return;
  if (!state.tracker.conf.voters.includes(to) || to === state.transferee) return;
  state.transferee = to;
  // It has one election timeout to take over.
  state.electionElapsed = 0;
  state.flushNeeded = true;
  handOver(state, progress);
}

/** Tells the transferee to stand, as soon as it would win. */
function handOver(state: RaftState, progress: Progress): void {
  if (progress.id !== state.transferee || progress.match !== state.log.last) return;
  state.sendNow.push(state.message("timeoutNow", progress.id));
}

/** Nothing happens and nobody is behind, but who is `absent`: everyone may sleep. */
export function quiesce(state: RaftState, absent: readonly PeerId[]): void {
  const { log, tracker } = state;
  if (state.role !== "leader" || state.reads.pending || state.transferee !== nobody) return;
  if (log.applied !== log.last || !knowsCommitted(state)) return;
  if (!tracker.restsAt(log.last, state.id, absent)) {
    wake(state);
    return;
  }
  if (state.quiesced) {
    // Whoever sleeps with it is told nothing new by this.
    state.absent = absent;
    return;
  }
  for (const { id } of tracker.members) {
    if (id === state.id || absent.includes(id)) continue;
    const message = state.message("quiesce", id);
    message.commit = log.committed;
    state.sendNow.push(message);
  }
  state.absent = absent;
  state.quiesced = true;
}

// What followers answer.

export function stepAppendReply(state: RaftState, reply: Message): void {
  const progress = state.tracker.get(reply.from);
  if (progress === null || state.role !== "leader") return;
  progress.recentlyActive = true;
  progress.applied = Math.max(progress.applied, reply.applied);
  state.flushNeeded = true;
  if (reply.reject) {
    stepRefusal(state, progress, reply);
    return;
  }
  const news = progress.matched(reply.index);
  if (progress.state === "replicate") progress.inflights.freeTo(reply.index);
  else if (progress.state === "probe") {
    if (news || progress.match === reply.index) progress.becomeReplicate();
  } else if (progress.match >= state.log.base) {
    // Whichever snapshot it got, the log goes on from there.
    progress.becomeProbe();
    progress.becomeReplicate();
  }
  if (news) advanceCommit(state);
  handOver(state, progress);
}

function stepRefusal(state: RaftState, progress: Progress, reply: Message): void {
  const { log } = state;
  // Our log can agree with its at or before the hint, where our term is no later than its.
  const agreed = reply.hintTerm > 0 ? log.terms.lastAtMost(reply.hintIndex, reply.hintTerm) : reply.hintIndex;
  if (!progress.rejected(reply.index, agreed)) return;
  // It has lost what it told of: a snapshot is what it needs.
  if (reply.index <= progress.applied) progress.applied = reply.applied;
  if (progress.state === "replicate") progress.becomeProbe();
}

export function stepHeartbeatReply(state: RaftState, reply: Message): void {
  const progress = state.tracker.get(reply.from);
  if (progress === null || state.role !== "leader") return;
  progress.recentlyActive = true;
  progress.applied = Math.max(progress.applied, reply.applied);
  if (progress.match < state.log.last || progress.state === "probe") {
    // It lives, and something is missing: what was sent may be lost.
    progress.paused = false;
    progress.emptyWanted = true;
    state.flushNeeded = true;
  }
  if (reply.readSeq <= progress.readSeq) return;
  progress.readSeq = reply.readSeq;
  confirmReads(state);
}

/** Commits what a majority has, if it is of this term: counting says nothing about older ones (paper, 5.4.2). */
export function advanceCommit(state: RaftState): void {
  const { log } = state;
  const index = state.tracker.committed();
  if (index <= log.committed || log.term(index) !== state.term) return;
  log.commitTo(index);
  state.uncommitted.settleTo(index);
  state.flushNeeded = true;
}

/** What this leader handed to its own disk is durable. */
export function ownAppended(state: RaftState): void {
  const own = state.tracker.get(state.id);
  if (own === null || state.log.stable <= own.match) return;
  own.matched(state.log.stable);
  state.flushNeeded = true;
  advanceCommit(state);
}

// What the runtime knows about followers.

export function unreachable(state: RaftState, peer: PeerId): void {
  const progress = state.tracker.get(peer);
  if (state.role !== "leader" || progress === null || peer === state.id) return;
  if (progress.state === "replicate") progress.becomeProbe();
}

export function sendSnapshot(state: RaftState, to: PeerId, snapshot: SnapshotMeta): void {
  const progress = state.tracker.get(to);
  if (state.role !== "leader" || progress === null || to === state.id) return;
  assert(snapshot.index <= state.log.applied, "a snapshot holds what is applied");
  if (snapshot.index < state.log.base || snapshot.index <= progress.match) {
    // Too old to be of use: the log begins behind it, or the peer has come further by itself.
    progress.snapshotWanted = false;
    state.flushNeeded = true;
    return;
  }
  progress.becomeSnapshot(snapshot.index);
  const message = state.message("snapshot", to);
  message.snapshot = snapshot;
  state.sendNow.push(message);
}

export function snapshotStatus(state: RaftState, peer: PeerId, ok: boolean): void {
  const progress = state.tracker.get(peer);
  if (state.role !== "leader" || progress === null) return;
  if (progress.state !== "snapshot") {
    // It never left: the runtime may be asked again.
    progress.snapshotWanted = false;
    state.flushNeeded = true;
    return;
  }
  if (ok) progress.becomeProbe();
  else progress.snapshotFailed();
  // Its own reply, or the next heartbeat's, lets the appends go on.
  progress.paused = true;
}
