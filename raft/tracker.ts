// HOT: the commit index is computed here at each acknowledgement.
import { type ConfState, membersOf } from "./conf-state.ts";
import type { LogIndex, PeerId } from "./entry.ts";
import { Progress } from "./progress.ts";
import { type VoteResult, jointVote, majorityValue, majorityVote } from "./quorum.ts";

export interface WindowLimits {
  readonly inflightMessagesMax: number;
  readonly inflightBytesMax: number;
}

/** Every peer of the configuration, and what its two halves agree on. */
export class Tracker {
  conf: ConfState;
  /** Sorted by id: the order in which peers are told things. */
  members: readonly Progress[] = [];
  #incoming: readonly Progress[] = [];
  #outgoing: readonly Progress[] = [];
  readonly #byId = new Map<PeerId, Progress>();
  readonly #limits: WindowLimits;
  readonly #values: number[] = [];

  constructor(conf: ConfState, limits: WindowLimits) {
    this.conf = conf;
    this.#limits = limits;
    this.adopt(conf, 0);
  }

  get(peer: PeerId): Progress | null {
    return this.#byId.get(peer) ?? null;
  }

  has(peer: PeerId): boolean {
    return this.#byId.has(peer);
  }

  /** Peers that stay keep what is known of them; new ones are probed from `last`. */
  adopt(conf: ConfState, last: LogIndex): void {
    this.conf = conf;
    const members = membersOf(conf);
    for (const id of this.#byId.keys()) if (!members.includes(id)) this.#byId.delete(id);
    this.members = members.map((id) => {
      const progress = this.#byId.get(id) ?? this.#newcomer(id, last);
      progress.isLearner = conf.learners.includes(id);
      return progress;
    });
    const ofIds = (ids: readonly PeerId[]): Progress[] => this.members.filter(({ id }) => ids.includes(id));
    this.#incoming = ofIds(conf.voters);
    this.#outgoing = ofIds(conf.votersOutgoing);
  }

  /** What a majority of each half has in its log. */
  committed(): LogIndex {
    return Math.min(this.#matched(this.#incoming), this.#matched(this.#outgoing));
  }

  /** The last round of reads that a majority of each half has acknowledged. */
  confirmedRead(): number {
    return Math.min(this.#confirmed(this.#incoming), this.#confirmed(this.#outgoing));
  }

  /** Everyone but the `absent` has applied all up to `index`, and they are a majority of each half. */
  restsAt(index: LogIndex, own: PeerId, absent: readonly PeerId[]): boolean {
    for (const { id, match, applied, state } of this.members) {
      if (absent.includes(id)) continue;
      if (match !== index || state !== "replicate") return false;
      if (id !== own && applied !== index) return false;
    }
    return jointVote(presentVote(this.#incoming, absent), presentVote(this.#outgoing, absent)) === "won";
  }

  /** A majority of each half was heard of. */
  quorumActive(): boolean {
    return jointVote(activeVote(this.#incoming), activeVote(this.#outgoing)) === "won";
  }

  tally(): VoteResult {
    return jointVote(ballots(this.#incoming), ballots(this.#outgoing));
  }

  resetBallots(): void {
    for (let i = 0; i < this.members.length; i++) (this.members[i] as Progress).ballot = "none";
  }

  #newcomer(id: PeerId, last: LogIndex): Progress {
    const { inflightMessagesMax, inflightBytesMax } = this.#limits;
    const progress = new Progress(id, last + 1, inflightMessagesMax, inflightBytesMax);
    // It could not have been heard of yet: the next check of the quorum must not count that against the leader.
    progress.recentlyActive = true;
    this.#byId.set(id, progress);
    return progress;
  }

  #matched(voters: readonly Progress[]): LogIndex {
    for (let i = 0; i < voters.length; i++) this.#values[i] = (voters[i] as Progress).match;
    return majorityValue(this.#values, voters.length);
  }

  #confirmed(voters: readonly Progress[]): number {
    for (let i = 0; i < voters.length; i++) this.#values[i] = (voters[i] as Progress).readSeq;
    return majorityValue(this.#values, voters.length);
  }
}

function activeVote(voters: readonly Progress[]): VoteResult {
  let active = 0;
  for (let i = 0; i < voters.length; i++) if ((voters[i] as Progress).recentlyActive) active++;
  return majorityVote(voters.length, active, voters.length - active);
}

function presentVote(voters: readonly Progress[], absent: readonly PeerId[]): VoteResult {
  const missing = voters.filter(({ id }) => absent.includes(id)).length;
  return majorityVote(voters.length, voters.length - missing, missing);
}

function ballots(voters: readonly Progress[]): VoteResult {
  let granted = 0;
  let refused = 0;
  for (let i = 0; i < voters.length; i++) {
    const { ballot } = voters[i] as Progress;
    if (ballot === "granted") granted++;
    if (ballot === "refused") refused++;
  }
  return majorityVote(voters.length, granted, refused);
}
