import type { ConfState } from "../../raft/conf-state.ts";
import type { Entry, HardState, LogIndex, PeerId, Term } from "../../raft/entry.ts";
import type { Message } from "../../raft/message.ts";
import type { AppendTask } from "../../raft/ready.ts";
import type { Status } from "../../raft/raft.ts";
import { noTerm } from "../../raft/term-runs.ts";
import type { RaftImage } from "../raft-image.ts";

/** One peer as the observer sees it; the same object over all its incarnations. */
export interface ObservedPeer {
  readonly id: PeerId;
  /** Counts its restarts. */
  readonly incarnation: number;
  readonly image: RaftImage;
  /** Null while it is down. */
  readonly raft: { status(): Status; termAt(index: LogIndex): Term } | null;
}

interface Committed {
  readonly term: Term;
  /** The term in which it was committed first. */
  readonly under: Term;
}

interface Written {
  readonly entry: Entry;
  readonly prevTerm: Term;
}

/**
 * Sees everything that the peers of one group do, and knows at any time what no peer can know. Judges the
 * properties of figure 3 of the Raft paper, and that nothing was said before it was durable.
 */
export class RaftObserver {
  readonly #fail: (oracle: string, message: string) => never;
  readonly #peers = new Map<PeerId, ObservedPeer>();
  readonly #leaders = new Map<Term, string>();
  /** By index, then term. */
  readonly #written = new Map<LogIndex, Map<Term, Written>>();
  /** By index - `#origin` - 1. */
  readonly #committed: Committed[] = [];
  readonly #origin: LogIndex;
  readonly #applied = new Map<LogIndex, Entry>();
  /** By peer: what was seen committed, in this incarnation. */
  readonly #seen = new Map<PeerId, { incarnation: number; commit: LogIndex }>();
  readonly #hards = new Map<PeerId, HardState>();
  /** By peer: what it is, in which process and term. */
  readonly #offices = new Map<PeerId, string>();
  /** By term: whom each peer has granted its vote. */
  readonly #votes = new Map<Term, Map<PeerId, PeerId>>();

  /** The group's log begins after `origin`. `fail` ends the run. */
  constructor(origin: LogIndex, fail: (oracle: string, message: string) => never) {
    this.#origin = origin;
    this.#fail = fail;
  }

  /** The last index that was ever committed: a read that begins now may show nothing less. */
  get committed(): LogIndex {
    return this.#origin + this.#committed.length;
  }

  get elections(): number {
    return this.#leaders.size;
  }

  join(peer: ObservedPeer): void {
    this.#peers.set(peer.id, peer);
  }

  /** After each step of a machine. */
  stepped(peer: ObservedPeer): void {
    const { raft, id, incarnation } = peer;
    if (raft === null) return;
    const status = raft.status();
    if (status.role === "leader") this.#leads(peer, status);
    this.#stands(peer, status);
    const seen = this.#seen.get(id);
    const known = seen?.incarnation === incarnation ? seen.commit : 0;
    if (status.committed < known) this.#fail("state-machine", `${id} takes back what it committed`);
    if (status.committed === known) return;
    this.#seen.set(id, { incarnation, commit: status.committed });
    for (let index = Math.max(known, status.base, this.#origin) + 1; index <= status.committed; index++) {
      this.#commits(peer, status, index);
    }
  }

  /** `task` became durable at `peer`, whose image does not have it yet. */
  wrote(peer: ObservedPeer, task: AppendTask): void {
    const { id, image } = peer;
    if (task.hard !== null) this.#wroteHard(id, task.hard);
    let prevTerm = task.snapshot?.index === task.first - 1 ? task.snapshot.term : image.term(task.first - 1);
    for (const entry of task.entries) {
      this.#wroteEntry(id, entry, prevTerm);
      prevTerm = entry.term;
    }
  }

  /** `message` leaves `peer`: what it promises must be durable by now. */
  released(peer: ObservedPeer, message: Message): void {
    const { id, image } = peer;
    const { kind, term, to, reject, index } = message;
    const { hard } = image;
    if (kind === "vote" && (hard.term !== term || hard.vote !== id)) {
      // A later term may be durable by now, but an earlier one shows that a crash would take the candidacy back.
      if (hard.term <= term) this.#fail("durability", `${id} asks for votes in term ${term}, which is not durable`);
    }
    if (kind === "voteReply" && !reject) this.#granted(id, to, term, hard);
    if (kind === "appendReply" && !reject) this.#acknowledged(peer, message, index);
    if (kind === "timeoutNow") this.#handsOver(peer, to);
  }

  /** A peer applies `entry`. */
  applied({ id, image }: ObservedPeer, entry: Entry): void {
    if (entry.index > image.base && image.term(entry.index) !== entry.term) {
      this.#fail("durability", `${id} applies ${name(entry)}, which its disk does not hold`);
    }
    const known = this.#applied.get(entry.index);
    if (known === undefined) {
      this.#applied.set(entry.index, entry);
    } else if (known.term !== entry.term || !sameEntry(known, entry)) {
      this.#fail("state-machine", `${id} applies ${name(entry)} where another applied ${name(known)}`);
    }
    const committed = this.#committed[entry.index - this.#origin - 1];
    if (committed === undefined || committed.term !== entry.term) {
      this.#fail("state-machine", `${id} applies ${name(entry)}, which is not committed`);
    }
  }

  /** What was applied first at `index`; null: nothing. */
  appliedAt(index: LogIndex): Entry | null {
    return this.#applied.get(index) ?? null;
  }

  /** A read that began when `floor` was committed is answered at `index`. */
  read(id: PeerId, floor: LogIndex, index: LogIndex): void {
    if (index < floor) this.#fail("read", `${id} reads at ${index} after ${floor} was committed`);
  }

  /** A snapshot to `to` failed: the leader must send from where the logs agreed before. */
  snapshotFailed(to: PeerId, { next, match }: { readonly next: LogIndex; readonly match: LogIndex }): void {
    if (next !== match + 1) this.#fail("progress", `${to} matches to ${match}, and is sent from ${next} on`);
  }

  /** A peer starts with what its disk holds. */
  restarted({ id, image, raft }: ObservedPeer): void {
    const { hard } = image;
    const known = this.#hards.get(id) ?? hard;
    if (hard.term < known.term) this.#fail("term", `${id} is back in term ${hard.term} after ${known.term}`);
    if (hard.term === known.term && known.vote !== 0 && hard.vote !== known.vote) {
      this.#fail("term", `${id} has forgotten its vote in term ${hard.term}`);
    }
    const own = raft?.status() ?? hard;
    if (own.term !== hard.term || own.vote !== hard.vote) {
      const disk = `its disk says ${hard.term} and ${hard.vote}`;
      this.#fail("term", `${id} starts in term ${own.term} with a vote for ${own.vote}, where ${disk}`);
    }
    // The commit is a hint that needs no sync: a crash may take it back.
    this.#hards.set(id, hard);
  }

  /**
   * A peer is about to start with nothing but term and vote, where its log ends at `last` and says `hard`: that of a
   * child began, and a power loss took the batch that divides its parent. It had said nothing since, so such a
   * beginning does not count; whoever was seen with a log, or has anything in it, may not go back to this.
   */
  unborn({ id, image }: ObservedPeer, { term, vote }: HardState, last: LogIndex): void {
    if (image.last > 0) this.#fail("durability", `${id} starts with nothing, and had a log up to ${image.last}`);
    if (last > this.#origin) this.#fail("durability", `${id} starts with nothing, and its log ends at ${last}`);
    image.hard = { term, vote, commit: 0 };
  }

  /** Whoever begins to stand has applied all changes of members that it knows to be committed. */
  #stands(peer: ObservedPeer, { id, role, term, applied, committed }: Status): void {
    const office = `${peer.incarnation} ${role} ${term}`;
    if (this.#offices.get(id) === office) return;
    this.#offices.set(id, office);
    if (role !== "preCandidate" && role !== "candidate") return;
    for (let index = applied + 1; index <= committed; index++) {
      const at = peer.raft?.termAt(index) ?? noTerm;
      if (this.#written.get(index)?.get(at)?.entry.kind !== "conf") continue;
      this.#fail("campaign", `${id} stands in term ${term} without having applied ${index}, a change of members`);
    }
  }

  #leads(peer: ObservedPeer, { id, term }: Status): void {
    const who = `${id}#${peer.incarnation}`;
    const known = this.#leaders.get(term);
    if (known === who) return;
    if (known !== undefined) this.#fail("election-safety", `${who} and ${known} lead term ${term}`);
    this.#leaders.set(term, who);
    const { raft } = peer;
    // What earlier terms committed is in its log. Entries agree below an agreeing one: the last is enough.
    for (let at = this.#committed.length - 1; at >= 0 && raft !== null; at--) {
      const entry = this.#committed[at];
      if (entry === undefined || entry.under >= term) continue;
      const index = this.#origin + at + 1;
      const own = raft.termAt(index);
      if (index > raft.status().base && own !== entry.term) {
        this.#fail("leader-completeness", `${who} leads term ${term} without ${index}/${entry.term}: it has ${own}`);
      }
      return;
    }
  }

  #commits(peer: ObservedPeer, status: Status, index: LogIndex): void {
    const term = peer.raft?.termAt(index) ?? noTerm;
    const known = this.#committed[index - this.#origin - 1];
    if (known !== undefined) {
      if (known.term !== term) {
        this.#fail("state-machine", `${peer.id} commits ${index}/${term}, others ${index}/${known.term}`);
      }
      return;
    }
    if (index !== this.committed + 1) this.#fail("state-machine", `${peer.id} commits ${index}, not what precedes it`);
    if (status.role !== "leader") this.#fail("state-machine", `${peer.id} commits ${index}, which no leader has`);
    this.#committed.push({ term, under: status.term });
    if (index === status.committed) this.#durableOnQuorum(status.conf, index, term);
  }

  #durableOnQuorum({ voters, votersOutgoing }: ConfState, index: LogIndex, term: Term): void {
    for (const half of [voters, votersOutgoing]) {
      const holders = half.filter((id) => {
        const image = this.#peers.get(id)?.image;
        return image !== undefined && (image.base >= index || image.term(index) === term);
      });
      if (half.length > 0 && holders.length * 2 <= half.length) {
        const where = `${holders.join(",") || "nobody"} of ${half.join(",")}`;
        this.#fail("durability", `${index}/${term} is committed and durable at ${where} only`);
      }
    }
  }

  #wroteHard(id: PeerId, hard: HardState): void {
    const known = this.#hards.get(id);
    this.#hards.set(id, hard);
    if (known === undefined) return;
    if (hard.term < known.term) this.#fail("term", `${id} writes term ${hard.term} after ${known.term}`);
    if (hard.term === known.term && known.vote !== 0 && hard.vote !== known.vote) {
      this.#fail("election-safety", `${id} votes for ${hard.vote} after ${known.vote} in term ${hard.term}`);
    }
    if (hard.commit < known.commit) this.#fail("term", `${id} writes commit ${hard.commit} after ${known.commit}`);
  }

  #wroteEntry(id: PeerId, entry: Entry, prevTerm: Term): void {
    const { index, term } = entry;
    let terms = this.#written.get(index);
    if (terms === undefined) this.#written.set(index, (terms = new Map()));
    const known = terms.get(term);
    if (known === undefined) {
      terms.set(term, { entry, prevTerm });
      return;
    }
    if (!sameEntry(known.entry, entry)) this.#fail("log-matching", `${id} has another entry at ${name(entry)}`);
    if (prevTerm !== noTerm && known.prevTerm !== noTerm && prevTerm !== known.prevTerm) {
      this.#fail("log-matching", `before ${name(entry)} ${id} has term ${prevTerm}, others ${known.prevTerm}`);
    }
  }

  // oxlint-disable-next-line max-params -- who, whom, when, and what the disk says
  #granted(voter: PeerId, candidate: PeerId, term: Term, hard: HardState): void {
    let votes = this.#votes.get(term);
    if (votes === undefined) this.#votes.set(term, (votes = new Map()));
    const known = votes.get(voter);
    if (known !== undefined && known !== candidate) {
      this.#fail("election-safety", `${voter} votes for ${known} and ${candidate} in term ${term}`);
    }
    votes.set(voter, candidate);
    if (hard.term < term || (hard.term === term && hard.vote !== candidate)) {
      this.#fail("durability", `${voter} grants ${candidate} a vote in term ${term} that is not durable`);
    }
  }

  /** Whoever is told to stand must win: it has all that the leader has. */
  #handsOver({ id, raft }: ObservedPeer, to: PeerId): void {
    const status = raft?.status();
    const image = this.#peers.get(to)?.image;
    // What a leader of the past believes is another matter.
    if (status === undefined || image === undefined || Math.max(...this.#leaders.keys()) > status.term) return;
    if (image.last < status.last) this.#fail("progress", `${id} hands over to ${to}, which lacks ${status.last}`);
  }

  #acknowledged(peer: ObservedPeer, message: Message, index: LogIndex): void {
    const { id, image } = peer;
    const leader = this.#peers.get(message.to)?.raft ?? null;
    if (index <= image.base || leader === null) return;
    const status = leader.status();
    // The leader it speaks to may be of the past.
    if (status.role !== "leader" || status.term !== message.term) return;
    const own = image.term(index);
    const its = leader.termAt(index);
    if (its !== noTerm && own !== its) {
      this.#fail("durability", `${id} acknowledges ${index} to ${message.to}: it has ${own} there, not ${its}`);
    }
  }
}

function sameEntry(a: Entry, b: Entry): boolean {
  return (
    a === b || (a.kind === b.kind && a.data.length === b.data.length && a.data.every((byte, at) => byte === b.data[at]))
  );
}

function name({ index, term, kind }: Entry): string {
  return `${index}/${term} (${kind})`;
}
