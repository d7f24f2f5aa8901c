// HOT: every append to a follower passes here.
import { NokvError } from "../core/errors.ts";
import type { LogIndex, PeerId } from "./entry.ts";
import type { Message } from "./message.ts";
import type { RaftState } from "./raft-state.ts";
import { becomeFollower } from "./roles.ts";

/** A message of this term's leader. */
export function stepFromLeader(state: RaftState, message: Message): void {
  // Whoever stood for election in this term has lost it.
  if (state.role !== "follower") becomeFollower(state, state.term, message.from);
  state.leader = message.from;
  state.electionElapsed = 0;
  const { kind } = message;
  if (kind === "append") stepAppend(state, message);
  else if (kind === "heartbeat") stepHeartbeat(state, message);
  else if (kind === "snapshot") stepSnapshot(state, message);
  else if (kind === "quiesce") stepQuiesce(state, message);
}

/** A leader of the past learns of this term, so that it does not go on without us for ever. */
export function refuseOldLeader(state: RaftState, to: PeerId): void {
  const reply = state.message("appendReply", to);
  reply.reject = true;
  state.sendAfter.push(reply);
}

function stepAppend(state: RaftState, append: Message): void {
  const { log } = state;
  const { index, logTerm, entries } = append;
  if (index < log.committed) {
    // Old news: everything up to there is committed, here as there.
    acknowledge(state, append.from, log.committed);
    return;
  }
  if (!log.matches(index, logTerm)) {
    refuse(state, append);
    return;
  }
  const last = log.take(index, entries);
  // Beyond `last` this log may hold what another leader wrote, and what is committed there is not this.
  log.commitTo(Math.min(append.commit, last));
  acknowledge(state, append.from, last);
}

function acknowledge(state: RaftState, to: PeerId, index: LogIndex): void {
  const reply = state.message("appendReply", to);
  reply.index = index;
  reply.applied = state.log.applied;
  state.sendAfter.push(reply);
}

function refuse(state: RaftState, append: Message): void {
  const { log } = state;
  const reply = state.message("appendReply", append.from);
  reply.index = append.index;
  reply.reject = true;
  // The leader's entry there is of `logTerm`: what is of later terms here can not be in its log.
  const hint = Math.max(log.terms.lastAtMost(append.index, append.logTerm), log.base);
  reply.hintIndex = hint;
  reply.hintTerm = log.term(hint);
  reply.applied = log.applied;
  state.sendAfter.push(reply);
}

function stepHeartbeat(state: RaftState, heartbeat: Message): void {
  // The leader sends no more than what it knows to match here: this peer has acknowledged it.
  if (heartbeat.commit > state.log.last) throw forgotten(state, heartbeat.commit);
  state.log.commitTo(heartbeat.commit);
  const reply = state.message("heartbeatReply", heartbeat.from);
  reply.readSeq = heartbeat.readSeq;
  reply.applied = state.log.applied;
  // It promises nothing that a crash could take back.
  state.sendNow.push(reply);
}

/** No fault of the network or of a process does this: the directory is not the one that peer had. */
function forgotten({ id, log }: RaftState, acknowledged: LogIndex): NokvError {
  const fact = `peer ${id} has acknowledged entry ${acknowledged} of its region, and its log ends at ${log.last}`;
  const why = "this directory is an older copy, or its disk did not keep what it had synced";
  return new NokvError("NOKV_CORRUPTION", `${fact}: ${why}`);
}

function stepSnapshot(state: RaftState, message: Message): void {
  const { log } = state;
  const { snapshot } = message;
  if (snapshot === null) return;
  if (snapshot.index > log.committed) {
    if (log.matches(snapshot.index, snapshot.term)) {
      // Everything in it is in the log already.
      log.commitTo(snapshot.index);
    } else {
      log.restore(snapshot);
      state.tracker.adopt(snapshot.conf, log.last);
      state.confsHanded.length = 0;
      state.applyFetched = null;
      state.applyFetching = false;
    }
  }
  acknowledge(state, message.from, Math.max(snapshot.index, log.committed));
}

function stepQuiesce(state: RaftState, message: Message): void {
  const { log } = state;
  if (message.commit !== log.last) return;
  log.commitTo(message.commit);
  // Who is behind stays awake: its timer runs, and its question wakes the leader.
  if (log.applied === log.last) state.quiesced = true;
}
