import { assert } from "../core/assert.ts";
import { confFault, isEmpty, isVoter } from "./conf-state.ts";
import { nobody } from "./entry.ts";
import type { Progress } from "./progress.ts";
import type { RaftState } from "./raft-state.ts";

/** What holds between any two steps of any machine. */
export function checkInvariants(state: RaftState): void {
  const { log, tracker, role } = state;
  log.check();
  assert(isEmpty(tracker.conf) || confFault(tracker.conf) === null, "the configuration is sound");
  assert(log.lastTerm <= state.term, "no entry is of a term to come");
  assert(state.hard.term <= state.term, "terms only grow");
  assert(state.hard.commit <= log.committed, "what is committed stays so");
  if (role === "candidate" || role === "leader") {
    assert(state.vote === state.id, "who stands for election has voted for itself");
  }
  if (state.quiesced) {
    assert(role === "leader" || role === "follower", "nobody sleeps who stands for election");
    assert(log.committed === log.last && log.applied === log.last, "who sleeps has nothing left to do");
  }
  if (role === "leader") checkLeader(state);
  else {
    assert(state.transferee === nobody, "only a leader hands over");
    assert(!state.reads.pending, "only a leader confirms reads");
    assert(state.uncommitted.bytes === 0, "only a leader proposes");
  }
}

function checkLeader(state: RaftState): void {
  const { log, tracker } = state;
  assert(state.leader === state.id, "a leader follows itself");
  assert(isVoter(tracker.conf, state.id), "a leader has a vote");
  for (const progress of tracker.members) {
    checkProgress(progress);
    assert(progress.match <= log.last, "nobody has more of this leader's log than the leader");
    const isAwaited = state.quiesced && !state.absent.includes(progress.id);
    assert(!isAwaited || progress.match === log.last, "nobody is behind a leader that sleeps");
    if (progress.id === state.id) assert(progress.match <= log.stable, "the leader counts what is durable");
  }
}

function checkProgress(progress: Progress): void {
  const { state, match, next, pendingSnapshot, inflights } = progress;
  assert(match < next, "what matches is not sent again");
  assert(inflights.bytes === inflights.sumBytes(), "a window knows its bytes");
  if (state === "snapshot") assert(next === pendingSnapshot + 1, "after a snapshot, the entry behind it");
  else assert(pendingSnapshot === 0, "a snapshot is on its way in its state only");
  if (state !== "replicate") assert(inflights.count === 0, "only who replicates has a window");
}
