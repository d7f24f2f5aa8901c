// HOT: every message of every group is one of these.
import { type Entry, type LogIndex, type PeerId, type Term, noEntries } from "./entry.ts";
import type { SnapshotMeta } from "./snapshot-meta.ts";

export type MessageKind =
  | "append"
  | "appendReply"
  | "heartbeat"
  | "heartbeatReply"
  | "preVote"
  | "preVoteReply"
  | "vote"
  | "voteReply"
  | "snapshot"
  | "timeoutNow"
  | "quiesce";

/**
 * One class for every message, so that each `message.term` in the program is the same load. Fields that a kind
 * does not use keep their zero. Not changed any more once it was sent.
 */
export class Message {
  readonly kind: MessageKind;
  readonly from: PeerId;
  readonly to: PeerId;
  /** The sender's; of a pre-vote and of its grant, the term that would come. */
  readonly term: Term;
  /**
   * append: the entry before the first one sent. appendReply: the last entry that matches; when rejected, the
   * `index` of the append. preVote, vote: the candidate's last entry.
   */
  index: LogIndex = 0;
  /** The term of the entry at `index`; of a refused vote, of that at `commit`. */
  logTerm: Term = 0;
  entries: readonly Entry[] = noEntries;
  /** append, heartbeat, quiesce; of a refused vote, what the voter knows to be committed. */
  commit: LogIndex = 0;
  /** Replies. */
  reject = false;
  /** A rejected append: the last entry at which the logs may agree, and its term. */
  hintIndex: LogIndex = 0;
  hintTerm: Term = 0;
  /** heartbeat, heartbeatReply: the last round of reads when it was sent. */
  readSeq = 0;
  /** appendReply, heartbeatReply: what the sender has applied. */
  applied: LogIndex = 0;
  /** preVote, vote: the leader itself asked for this election. */
  force = false;
  snapshot: SnapshotMeta | null = null;
  /** append: reads at or below this timestamp may be served at `index`. The runtime's; 0: none. */
  closedTs = 0;

  // oxlint-disable-next-line max-params -- the four that every message has
  constructor(kind: MessageKind, from: PeerId, to: PeerId, term: Term) {
    this.kind = kind;
    this.from = from;
    this.to = to;
    this.term = term;
  }
}

/** Sent by whoever was elected in its term. */
export function isFromLeader(kind: MessageKind): boolean {
  return kind === "append" || kind === "heartbeat" || kind === "snapshot" || kind === "quiesce";
}
