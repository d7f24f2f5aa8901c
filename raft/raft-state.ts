// HOT: the fields of every machine; one shape.
import { ByteBacklog } from "./byte-backlog.ts";
import { type Entry, type HardState, type LogIndex, type PeerId, type Term, nobody } from "./entry.ts";
import { Message, type MessageKind } from "./message.ts";
import { RaftLog } from "./raft-log.ts";
import type { RaftLimits, RaftOptions, Restored } from "./raft-options.ts";
import type { AppendTask, DropReason, Fetch, Role } from "./ready.ts";
import { ReadQueue, type ReadState } from "./read-queue.ts";
import { Tracker } from "./tracker.ts";

/** What one machine knows, and what it gathers for the next `Ready`. Changed by the steps only. */
export class RaftState {
  readonly id: PeerId;
  readonly options: RaftOptions;
  readonly limits: RaftLimits;
  readonly log: RaftLog;
  readonly tracker: Tracker;
  readonly reads = new ReadQueue();
  readonly uncommitted = new ByteBacklog();
  readonly applyBacklog = new ByteBacklog();

  term: Term;
  vote: PeerId;
  role: Role = "follower";
  leader: PeerId = nobody;
  transferee: PeerId = nobody;
  /** No ticks count until something happens. */
  quiesced = false;
  /** Of a leader that sleeps: who was not waited for. */
  absent: readonly PeerId[] = [];
  /** A leader proposes no configuration before it has applied this: the last one, or its own first entry. */
  pendingConf: LogIndex = 0;

  electionElapsed = 0;
  heartbeatElapsed = 0;
  electionTimeout = 0;
  #draws = 0;

  /** As in the last append task. */
  hard: HardState;
  /** Set when the present candidacy's term and vote are in no append task yet. */
  candidacyUnhanded = false;
  /** A leader may have something to send. */
  flushNeeded = false;
  /** Configuration entries that were handed out and not answered by `confApplied`. */
  readonly confsHanded: LogIndex[] = [];
  /** Entries that are applied next, fetched because they were no longer in memory. */
  applyFetched: readonly Entry[] | null = null;
  applyFetching = false;

  sendNow: Message[] = [];
  sendAfter: Message[] = [];
  readsDone: ReadState[] = [];
  dropped: { token: number; why: DropReason }[] = [];
  proposed: { token: number; index: LogIndex; term: Term }[] = [];
  fetches: Fetch[] = [];
  snapshotsWanted: PeerId[] = [];
  lastTask: AppendTask | null = null;

  constructor(options: RaftOptions, restored: Restored) {
    this.id = options.id;
    this.options = options;
    this.limits = options.limits;
    this.log = new RaftLog(restored.log, restored.hard.commit, restored.applied, options.limits.ringBytesMax);
    this.tracker = new Tracker(restored.conf, options.limits);
    this.term = restored.hard.term;
    this.vote = restored.hard.vote;
    this.hard = { term: this.term, vote: this.vote, commit: this.log.committed };
    this.drawTimeout();
  }

  /** Between `electionTicks` and twice that, so that two peers rarely stand at once. */
  drawTimeout(): void {
    const { electionTicks } = this.limits;
    const draw = this.options.random.u32("raft/election", this.id, this.#draws++);
    this.electionTimeout = electionTicks + (draw % electionTicks);
  }

  message(kind: MessageKind, to: PeerId): Message {
    return new Message(kind, this.id, to, this.term);
  }

  /** A member that is heard of: a leader that is there refuses votes for another (dissertation, 4.2.3). */
  get inLease(): boolean {
    return this.leader !== nobody && this.electionElapsed < this.limits.electionTicks;
  }

  drop(token: number, why: DropReason): void {
    this.dropped.push({ token, why });
  }
}
