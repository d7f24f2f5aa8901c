// HOT: every input of every group passes here.
import { assert, unreachable as unreachableCase } from "../core/assert.ts";
import { type ConfState, confFault, isEmpty, isVoter, transitionFault } from "./conf-state.ts";
import {
  adoptCommit,
  campaign,
  candidacyDurable,
  isElectable,
  refuseVote,
  stepTimeoutNow,
  stepVoteReply,
  stepVoteRequest,
  tickElection,
} from "./election.ts";
import { type Entry, type LogIndex, type PeerId, type Term, nobody } from "./entry.ts";
import { refuseOldLeader, stepFromLeader } from "./follower.ts";
import { canApply, canBeginReads, gatherAppend, gatherApply, gatherSends, hardChanged } from "./gather.ts";
import type { Input } from "./input.ts";
import { checkInvariants } from "./invariants.ts";
import {
  advanceCommit,
  ownAppended,
  propose,
  proposeConf,
  quiesce,
  readIndex,
  sendSnapshot,
  snapshotStatus,
  stepAppendReply,
  stepHeartbeatReply,
  tickLeader,
  transfer,
  unreachable,
} from "./leader.ts";
import { type Message, isFromLeader } from "./message.ts";
import type { ProgressState } from "./progress.ts";
import { type RaftOptions, type Restored, checkLimits } from "./raft-options.ts";
import { RaftState } from "./raft-state.ts";
import type { Ready, SoftState } from "./ready.ts";
import { becomeFollower, wake } from "./roles.ts";
import { sendFetched, wantSnapshot } from "./sending.ts";

export interface PeerStatus {
  readonly id: PeerId;
  readonly state: ProgressState;
  readonly match: LogIndex;
  readonly next: LogIndex;
  readonly pendingSnapshot: LogIndex;
  readonly inflights: number;
  readonly applied: LogIndex;
  readonly recentlyActive: boolean;
}

/** How a machine stands, for the runtime, for people and for checks. */
export interface Status extends SoftState {
  readonly id: PeerId;
  readonly term: Term;
  readonly vote: PeerId;
  readonly quiesced: boolean;
  /** Of a leader that sleeps: those for whom it did not wait. */
  readonly absent: readonly PeerId[];
  readonly base: LogIndex;
  readonly applied: LogIndex;
  readonly applying: LogIndex;
  readonly committed: LogIndex;
  readonly stable: LogIndex;
  readonly last: LogIndex;
  readonly lastTerm: Term;
  readonly conf: ConfState;
  /** Of a leader: everyone, itself included, by id. */
  readonly peers: readonly PeerStatus[];
}

/**
 * The raft protocol as a pure state machine: no time, no I/O, no promises. The world arrives by `step`, effects
 * leave by `ready`; the same state and the same inputs always give the same outputs. Writes are asynchronous:
 * the machine goes on while they are under way, and says what has to wait for them.
 *
 * A turn of the runtime steps everything that has come, then takes one `ready`: that is where batches come from.
 */
export class Raft {
  readonly #state: RaftState;
  #soft: SoftState = { role: "follower", leader: nobody, transferee: nobody };

  constructor(options: RaftOptions, restored: Restored) {
    checkLimits(options.limits);
    assert(options.id !== nobody, "a peer has an id");
    assert(isEmpty(restored.conf) || confFault(restored.conf) === null, "a peer starts with a sound configuration");
    this.#state = new RaftState(options, restored);
  }

  // oxlint-disable-next-line max-lines-per-function -- one case per input
  step(input: Input): void {
    const state = this.#state;
    switch (input.kind) {
      case "tick":
        if (state.quiesced) return;
        if (state.role === "leader") tickLeader(state);
        else tickElection(state, input.held === true);
        return;
      case "message":
        stepMessage(state, input.message);
        return;
      case "propose":
        wake(state);
        propose(state, input.token, input.data);
        return;
      case "conf":
        wake(state);
        proposeConf(state, input.token, input.change);
        return;
      case "readIndex":
        wake(state);
        readIndex(state, input.token);
        return;
      case "transfer":
        wake(state);
        transfer(state, input.to);
        return;
      case "campaign":
        wake(state);
        campaign(state, input.force);
        return;
      case "forgetLeader":
        wake(state);
        if (state.role === "follower") state.leader = nobody;
        return;
      case "quiesce":
        quiesce(state, input.absent);
        return;
      case "wake":
        wake(state);
        return;
      case "appended":
        stepAppended(state, input.seq);
        return;
      case "applied":
        stepApplied(state, input.index);
        return;
      case "confApplied":
        stepConfApplied(state, input.conf);
        return;
      case "fetched":
        stepFetched(state, input.to, input.low, input.entries);
        return;
      case "compacted":
        state.log.compact(input.index);
        return;
      case "unreachable":
        unreachable(state, input.peer);
        return;
      case "snapshot":
        wake(state);
        sendSnapshot(state, input.to, input.snapshot);
        return;
      case "snapshotStatus":
        wake(state);
        snapshotStatus(state, input.peer, input.ok);
        return;
      default:
        unreachableCase(input);
    }
  }

  /** `ready` would ask for something. */
  hasReady(): boolean {
    const state = this.#state;
    return (
      state.sendNow.length > 0 ||
      state.sendAfter.length > 0 ||
      state.flushNeeded ||
      state.log.unhanded ||
      hardChanged(state) ||
      canApply(state) ||
      canBeginReads(state) ||
      state.readsDone.length > 0 ||
      state.dropped.length > 0 ||
      state.proposed.length > 0 ||
      state.fetches.length > 0 ||
      state.snapshotsWanted.length > 0 ||
      this.#softChanged()
    );
  }

  /** Everything that is to be done, once. */
  ready(): Ready {
    const state = this.#state;
    gatherSends(state);
    const apply = gatherApply(state);
    const append = gatherAppend(state);
    const soft = this.#softChanged() ? softOf(state) : null;
    if (soft !== null) this.#soft = soft;
    const { sendNow, readsDone, dropped, proposed, fetches, snapshotsWanted } = state;
    if (sendNow.length > 0) state.sendNow = [];
    if (readsDone.length > 0) state.readsDone = [];
    if (dropped.length > 0) state.dropped = [];
    if (proposed.length > 0) state.proposed = [];
    if (fetches.length > 0) state.fetches = [];
    if (snapshotsWanted.length > 0) state.snapshotsWanted = [];
    return { soft, sendNow, append, apply, reads: readsDone, dropped, proposed, fetches, snapshotsWanted };
  }

  status(): Status {
    const state = this.#state;
    const { log, tracker } = state;
    return {
      ...softOf(state),
      id: state.id,
      term: state.term,
      vote: state.vote,
      quiesced: state.quiesced,
      absent: state.absent,
      base: log.base,
      applied: log.applied,
      applying: log.applying,
      committed: log.committed,
      stable: log.stable,
      last: log.last,
      lastTerm: log.lastTerm,
      conf: tracker.conf,
      peers: state.role === "leader" ? tracker.members.map((member) => ({
        id: member.id,
        state: member.state,
        match: member.match,
        next: member.next,
        pendingSnapshot: member.pendingSnapshot,
        inflights: member.inflights.count,
        applied: member.applied,
        recentlyActive: member.recentlyActive,
      })) : [],
    };
  }

  /** Its ticks mean nothing until something happens. */
  get quiesced(): boolean {
    return this.#state.quiesced;
  }

  /** Of a leader that sleeps: those for whom it did not wait. */
  get absent(): readonly PeerId[] {
    return this.#state.absent;
  }

  /** It asks for votes. */
  get stands(): boolean {
    const { role } = this.#state;
    return role === "preCandidate" || role === "candidate";
  }

  /** For so many ticks it should have stood for election; -1: it should not. */
  get overdueTicks(): number {
    const state = this.#state;
    if (state.quiesced || state.role === "leader" || !isElectable(state)) return -1;
    return Math.max(-1, state.electionElapsed - state.electionTimeout);
  }

  /** Whom it follows at this moment; nobody: it knows of none. */
  get leader(): PeerId {
    return this.#state.leader;
  }

  /** The term of the entry at `index`; -1 when the log does not hold it. */
  termAt(index: LogIndex): Term {
    return this.#state.log.term(index);
  }

  /** Asserts what must hold between two steps. For tests: it looks at everything. */
  check(): void {
    checkInvariants(this.#state);
  }

  #softChanged(): boolean {
    const { role, leader, transferee } = this.#state;
    const soft = this.#soft;
    return role !== soft.role || leader !== soft.leader || transferee !== soft.transferee;
  }
}

function softOf({ role, leader, transferee }: RaftState): SoftState {
  return { role, leader, transferee };
}

function stepMessage(state: RaftState, message: Message): void {
  const { kind, term } = message;
  assert(message.to === state.id, "the runtime delivers messages to whom they are addressed");
  if (kind !== "quiesce") wake(state);
  if (term < state.term) {
    stepOld(state, message);
    return;
  }
  if (term > state.term) {
    const asks = kind === "preVote" || kind === "vote";
    if (asks && !message.force && state.inLease) return;
    const supposes = kind === "preVote" || (kind === "preVoteReply" && !message.reject);
    // A term that somebody only asks about is not entered.
    if (!supposes) becomeFollower(state, term, isFromLeader(kind) ? message.from : nobody);
  }
  switch (kind) {
    case "append":
    case "heartbeat":
    case "snapshot":
    case "quiesce":
      assert(state.role !== "leader", "a term has one leader");
      stepFromLeader(state, message);
      return;
    case "appendReply":
      stepAppendReply(state, message);
      return;
    case "heartbeatReply":
      stepHeartbeatReply(state, message);
      return;
    case "preVote":
    case "vote":
      stepVoteRequest(state, message);
      return;
    case "preVoteReply":
    case "voteReply":
      stepVoteReply(state, message);
      return;
    case "timeoutNow":
      stepTimeoutNow(state);
      return;
    default:
      unreachableCase(kind);
  }
}

/** A message of a term that has passed. */
function stepOld(state: RaftState, message: Message): void {
  const { kind, from } = message;
  // The voter of a question is not in the asker's term. What it knows to be committed is so in any.
  if (message.reject && (kind === "preVoteReply" || kind === "voteReply")) adoptCommit(state, message);
  // Its sender may be a leader whom nobody else tells, while our term keeps us from following it.
  if (isFromLeader(kind)) refuseOldLeader(state, from);
  if (kind !== "preVote") return;
  const reply = state.message("preVoteReply", from);
  refuseVote(state, reply);
  state.sendAfter.push(reply);
}

function stepAppended(state: RaftState, seq: number): void {
  const { candidacy, snapshot } = state.log.appended(seq);
  // What was under way to be applied is in it, and nobody will say so.
  if (snapshot > 0) state.applyBacklog.settleTo(state.log.applied);
  if (candidacy === state.term) candidacyDurable(state);
  if (state.role === "leader") ownAppended(state);
}

function stepApplied(state: RaftState, index: LogIndex): void {
  const conf = state.confsHanded[0];
  assert(conf === undefined || conf > index, "a configuration is adopted before its entry counts as applied");
  state.log.appliedTo(index);
  state.applyBacklog.settleTo(index);
}

function stepConfApplied(state: RaftState, conf: ConfState): void {
  const { tracker, log } = state;
  // The snapshot that is being installed says what the configuration is.
  if (log.installing > 0) return;
  assert(state.confsHanded.length > 0, "a configuration comes from an entry");
  state.confsHanded.shift();
  assert(transitionFault(tracker.conf, conf) === null, "a configuration follows legally from the one before");
  tracker.adopt(conf, log.last);
  if (state.role === "leader") adoptedByLeader(state);
  else if (state.role !== "follower" && !isElectable(state)) becomeFollower(state, state.term, nobody);
}

function adoptedByLeader(state: RaftState): void {
  if (!isVoter(state.tracker.conf, state.id)) {
    // Removed, or a learner now: the others elect one of them.
    becomeFollower(state, state.term, nobody);
    return;
  }
  if (!state.tracker.conf.voters.includes(state.transferee)) state.transferee = nobody;
  state.flushNeeded = true;
  // A smaller majority may have what a larger one had not.
  advanceCommit(state);
}

function stepFetched(state: RaftState, to: PeerId, low: LogIndex, entries: readonly Entry[] | "compacted"): void {
  if (to === state.id) {
    state.applyFetching = false;
    const current = low === state.log.applying + 1 && state.log.installing === 0;
    assert(entries !== "compacted" || !current, "what is not applied is not compacted");
    state.applyFetched = entries === "compacted" || !current ? null : entries;
    return;
  }
  const progress = state.tracker.get(to);
  if (state.role !== "leader" || progress === null || !progress.fetching) return;
  progress.fetching = false;
  state.flushNeeded = true;
  if (entries !== "compacted") sendFetched(state, progress, entries);
  else if (progress.next === low) wantSnapshot(state, progress);
}
