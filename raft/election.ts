import { isVoter } from "./conf-state.ts";
import { nobody } from "./entry.ts";
import { Message } from "./message.ts";
import { castBallot } from "./progress.ts";
import type { RaftState } from "./raft-state.ts";
import { becomeCandidate, becomeFollower, becomeLeader, becomePreCandidate } from "./roles.ts";

/** May stand for election: it counts, and its log is not being replaced. */
export function isElectable(state: RaftState): boolean {
  return isVoter(state.tracker.conf, state.id) && state.log.installing === 0;
}

/** `held`: who is due waits until it is told to. */
export function tickElection(state: RaftState, held: boolean): void {
  state.electionElapsed++;
  if (held || !isElectable(state) || state.electionElapsed < state.electionTimeout) return;
  campaign(state, false);
}

/** `force`: at once, and past the leases of the others. */
export function campaign(state: RaftState, force: boolean): void {
  if (state.role === "leader" || !isElectable(state)) return;
  // It might have been removed by what it has not applied: its majority could be one of the past.
  if (state.log.unappliedConf() > 0) {
    state.electionElapsed = 0;
    return;
  }
  if (force) {
    stand(state, true);
    return;
  }
  becomePreCandidate(state);
  const own = state.tracker.get(state.id);
  if (own !== null) castBallot(own, true);
  if (state.tracker.tally() === "won") {
    stand(state, false);
    return;
  }
  requestVotes(state, "preVote", false);
}

function stand(state: RaftState, force: boolean): void {
  becomeCandidate(state);
  requestVotes(state, "vote", force);
}

function requestVotes(state: RaftState, kind: "preVote" | "vote", force: boolean): void {
  const term = kind === "preVote" ? state.term + 1 : state.term;
  for (const { id, isLearner } of state.tracker.members) {
    if (id === state.id || isLearner) continue;
    const request = new Message(kind, state.id, id, term);
    request.index = state.log.last;
    request.logTerm = state.log.lastTerm;
    request.force = force;
    // A candidacy that a crash takes back must not be known to anyone: the same term could be won twice, by the
    // votes of others alone, with two different logs.
    if (kind === "vote") state.sendAfter.push(request);
    else state.sendNow.push(request);
  }
}

/** The term and vote of a candidacy are durable: its own vote counts. */
export function candidacyDurable(state: RaftState): void {
  if (state.role !== "candidate") return;
  const own = state.tracker.get(state.id);
  if (own !== null) castBallot(own, true);
  decide(state);
}

/** A vote or a pre-vote is asked for, in this term or (pre-vote) a later one. */
export function stepVoteRequest(state: RaftState, request: Message): void {
  const pre = request.kind === "preVote";
  const mayVote =
    // It repeats the vote that we have cast ...
    state.vote === request.from ||
    // ... or none is cast, and we know of no leader in this term ...
    (state.vote === nobody && state.leader === nobody) ||
    // ... or it is a question about a term to come.
    (pre && request.term > state.term);
  const granted = mayVote && state.log.isUpToDate(request.index, request.logTerm);
  // A grant of a pre-vote bears the term it is for: the one who asked is not in it yet.
  const term = pre && granted ? request.term : state.term;
  const reply = new Message(pre ? "preVoteReply" : "voteReply", state.id, request.from, term);
  if (!granted) refuseVote(state, reply);
  state.sendAfter.push(reply);
  if (!granted || pre) return;
  // Whoever may win deserves the time to do so.
  state.electionElapsed = 0;
  state.vote = request.from;
}

/** The refusal says what is known to be committed here: `adoptCommit`. */
export function refuseVote(state: RaftState, reply: Message): void {
  reply.reject = true;
  reply.commit = state.log.committed;
  reply.logTerm = state.log.term(reply.commit);
}

/**
 * Somebody knows of more commits, and the entry in question is the same here: so it is committed here too.
 * Without this a leader that applied its own removal and then stepped down could hold up its group for ever: it
 * may not stand, its log is the longest, and the others need its vote until they know that it was removed.
 */
export function adoptCommit(state: RaftState, reply: Message): void {
  const { log } = state;
  if (state.role === "leader" || reply.commit <= log.committed) return;
  if (log.matches(reply.commit, reply.logTerm)) log.commitTo(reply.commit);
}

export function stepVoteReply(state: RaftState, reply: Message): void {
  if (reply.reject) adoptCommit(state, reply);
  const pre = reply.kind === "preVoteReply";
  if (state.role !== (pre ? "preCandidate" : "candidate")) return;
  // A grant for an earlier question says nothing about this one.
  if (pre && !reply.reject && reply.term !== state.term + 1) return;
  const voter = state.tracker.get(reply.from);
  if (voter === null) return;
  castBallot(voter, !reply.reject);
  // It learnt of a change of members while it stood: first that is applied.
  if (state.log.unappliedConf() > 0) becomeFollower(state, state.term, nobody);
  else decide(state);
}

function decide(state: RaftState): void {
  const result = state.tracker.tally();
  if (result === "lost") becomeFollower(state, state.term, nobody);
  if (result !== "won") return;
  if (state.role === "preCandidate") stand(state, false);
  else becomeLeader(state);
}

/** The leader asks us to take over. */
export function stepTimeoutNow(state: RaftState): void {
  if (state.role === "follower") campaign(state, true);
}

