import { assert } from "../core/assert.ts";
import { type PeerId, type Term, noBytes, nobody } from "./entry.ts";
import type { Progress } from "./progress.ts";
import type { RaftState } from "./raft-state.ts";

/** The term moves on: the vote is free again, and what waited to be said in the old one is void. */
function enterTerm(state: RaftState, term: Term): void {
  assert(term > state.term, "terms only grow");
  state.term = term;
  state.vote = nobody;
  state.sendAfter.length = 0;
}

function leaveOffice(state: RaftState): void {
  if (state.role !== "leader") return;
  for (const token of state.reads.drop()) state.drop(token, "notLeader");
  state.uncommitted.reset();
  state.flushNeeded = false;
}

function reset(state: RaftState): void {
  leaveOffice(state);
  state.transferee = nobody;
  state.electionElapsed = 0;
  state.heartbeatElapsed = 0;
  state.candidacyUnhanded = false;
  state.quiesced = false;
  state.drawTimeout();
}

/** In `term`, which may be the present one: then the vote stays cast. */
export function becomeFollower(state: RaftState, term: Term, leader: PeerId): void {
  if (term > state.term) enterTerm(state, term);
  assert(term === state.term, "terms only grow");
  reset(state);
  state.role = "follower";
  state.leader = leader;
}

/** Asks whether it could win. Changes neither term nor vote, so asking disturbs nobody. */
export function becomePreCandidate(state: RaftState): void {
  assert(state.role !== "leader", "a leader does not stand for election");
  reset(state);
  state.role = "preCandidate";
  state.leader = nobody;
  state.tracker.resetBallots();
}

export function becomeCandidate(state: RaftState): void {
  assert(state.role !== "leader", "a leader does not stand for election");
  enterTerm(state, state.term + 1);
  reset(state);
  state.role = "candidate";
  state.leader = nobody;
  state.vote = state.id;
  state.candidacyUnhanded = true;
  state.tracker.resetBallots();
}

export function becomeLeader(state: RaftState): void {
  assert(state.role === "candidate", "a leader was a candidate");
  const { log, tracker } = state;
  reset(state);
  state.role = "leader";
  state.leader = state.id;
  for (const progress of tracker.members) progress.reset(log.last + 1);
  const own = tracker.get(state.id);
  assert(own !== null, "a leader is a member");
  becomeOwn(own, log.stable);
  log.push({ index: log.last + 1, term: state.term, kind: "noop", data: noBytes });
  // Whether an older configuration entry is committed is only known once this one is (single-server bug, 2015).
  state.pendingConf = log.last;
  state.flushNeeded = true;
}

/** The leader's own place in its tracker: it hears itself, and has what is durable. */
function becomeOwn(own: Progress, stable: number): void {
  own.match = stable;
  own.becomeReplicate();
  own.recentlyActive = true;
  own.readSeq = Number.MAX_SAFE_INTEGER;
}

/** Something happens: ticks count again, and nobody is late for having slept. */
export function wake(state: RaftState): void {
  if (!state.quiesced) return;
  state.quiesced = false;
  state.electionElapsed = 0;
  state.heartbeatElapsed = state.limits.heartbeatTicks;
}
