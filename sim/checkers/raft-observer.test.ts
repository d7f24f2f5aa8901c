// Goal: each property that the observer judges, violated by hand, is seen; and a sound history is not.
// Method: peers that are a status, an array of terms and an image; nothing of the protocol runs.
import { expect, test } from "vitest";
import { type Entry, type PeerId, type Term, noBytes } from "../../raft/entry.ts";
import { Message, type MessageKind } from "../../raft/message.ts";
import type { Status } from "../../raft/raft.ts";
import type { AppendTask } from "../../raft/ready.ts";
import { noTerm } from "../../raft/term-runs.ts";
import { RaftImage } from "../raft-image.ts";
import { type ObservedPeer, RaftObserver } from "./raft-observer.ts";

const conf = { voters: [1, 2, 3], votersOutgoing: [], learners: [], learnersNext: [] };

class Fake implements ObservedPeer {
  readonly id: PeerId;
  incarnation = 1;
  readonly image = new RaftImage();
  term: Term = 0;
  vote: PeerId = 0;
  leads = false;
  committed = 0;
  terms: Term[] = [];

  constructor(id: PeerId) {
    this.id = id;
  }

  get raft(): ObservedPeer["raft"] {
    const { id, term, vote, committed, terms } = this;
    const last = terms.length;
    const status: Status = {
      id,
      term,
      vote,
      role: this.leads ? "leader" : "follower",
      leader: 0,
      transferee: 0,
      quiesced: false, absent: [],
      base: 0,
      applied: 0,
      applying: 0,
      committed,
      stable: last,
      last,
      lastTerm: terms.at(-1) ?? 0,
      conf,
      peers: [],
    };
    return { status: () => status, termAt: (index) => terms[index - 1] ?? noTerm };
  }
}

function group(): { observer: RaftObserver; peers: [Fake, Fake, Fake] } {
  const observer = new RaftObserver(0, (oracle, message) => {
    throw new Error(`${oracle}: ${message}`);
  });
  const peers: [Fake, Fake, Fake] = [new Fake(1), new Fake(2), new Fake(3)];
  for (const peer of peers) observer.join(peer);
  return { observer, peers };
}

function entry(index: number, term: Term, data = noBytes): Entry {
  return { index, term, kind: "normal", data };
}

function task(term: Term, vote: PeerId, ...entries: Entry[]): AppendTask {
  const hard = { term, vote, commit: 0 };
  const first = entries[0]?.index ?? 0;
  return { seq: 1, hard, snapshot: null, first, entries, mustSync: true, sendAfter: [] };
}

/** `peer` has written `what`, and its log in memory is what its disk holds. */
function write(observer: RaftObserver, peer: Fake, what: AppendTask): void {
  observer.wrote(peer, what);
  peer.image.write(what);
  peer.terms = peer.image.entries.map(({ term }) => term);
}

function lead(observer: RaftObserver, peer: Fake, term: Term): void {
  peer.leads = true;
  peer.term = term;
  observer.stepped(peer);
}

function commit(observer: RaftObserver, peer: Fake, index: number): void {
  peer.committed = index;
  observer.stepped(peer);
}

function send(observer: RaftObserver, peer: Fake, kind: MessageKind, to: PeerId): Message {
  const message = new Message(kind, peer.id, to, peer.term);
  observer.released(peer, message);
  return message;
}

test("a sound history is not complained about", () => {
  const { observer, peers } = group();
  const [a, b, c] = peers;
  write(observer, a, task(1, 1));
  a.term = 1;
  send(observer, a, "vote", 2);
  write(observer, b, task(1, 1));
  b.term = 1;
  send(observer, b, "voteReply", 1);
  lead(observer, a, 1);
  for (const peer of [a, b]) write(observer, peer, task(1, 1, entry(1, 1)));
  commit(observer, a, 1);
  commit(observer, b, 1);
  observer.applied(a, entry(1, 1));
  observer.applied(b, entry(1, 1));
  observer.read(1, observer.committed, 1);
  // c was elsewhere, and is elected later with everything.
  write(observer, c, task(2, 3, entry(1, 1)));
  lead(observer, c, 2);
  expect([observer.committed, observer.elections]).toEqual([1, 2]);
});

test("election safety: two leaders of one term, also when one peer is both", () => {
  const { observer, peers } = group();
  lead(observer, peers[0], 1);
  expect(() => lead(observer, peers[1], 1)).toThrow(/^election-safety: 2#1 and 1#1 lead term 1/);
  peers[0].incarnation++;
  expect(() => observer.stepped(peers[0])).toThrow(/^election-safety/);
});

test("election safety: a vote for two candidates of one term", () => {
  const { observer, peers } = group();
  const [a] = peers;
  write(observer, a, task(1, 2));
  a.term = 1;
  send(observer, a, "voteReply", 2);
  expect(() => send(observer, a, "voteReply", 3)).toThrow(/^election-safety: 1 votes for 2 and 3/);
  expect(() => observer.wrote(a, task(1, 3))).toThrow(/^election-safety: 1 votes for 3 after 2/);
});

test("durability: a vote, a candidacy and an acknowledgement that a crash would take back", () => {
  const { observer, peers } = group();
  const [a, b] = peers;
  a.term = 1;
  expect(() => send(observer, a, "voteReply", 2)).toThrow(/^durability: 1 grants 2 a vote/);
  expect(() => send(observer, a, "vote", 2)).toThrow(/^durability: 1 asks for votes/);
  lead(observer, b, 1);
  b.terms = [1];
  const reply = new Message("appendReply", 1, 2, 1);
  reply.index = 1;
  expect(() => observer.released(a, reply)).toThrow(/^durability: 1 acknowledges 1 to 2/);
});

test("durability: a commit that no majority has on its disks, and an entry applied before it is on one's own", () => {
  const { observer, peers } = group();
  const [a, b] = peers;
  lead(observer, a, 1);
  write(observer, a, task(1, 1, entry(1, 1)));
  expect(() => commit(observer, a, 1)).toThrow(/^durability: 1\/1 is committed and durable at 1 of 1,2,3 only/);
  expect(() => observer.applied(b, entry(1, 1))).toThrow(/^durability: 2 applies 1\/1/);
});

test("log matching: two entries of one index and term, or with different ones before", () => {
  const { observer, peers } = group();
  const [a, b, c] = peers;
  write(observer, a, task(1, 1, entry(1, 1), entry(2, 1)));
  expect(() => observer.wrote(b, task(1, 1, entry(1, 1, new Uint8Array([7]))))).toThrow(/^log-matching: 2 has another/);
  write(observer, c, task(1, 1, entry(1, 0)));
  expect(() => observer.wrote(c, task(1, 1, entry(2, 1)))).toThrow(/^log-matching: before 2\/1/);
});

test("leader completeness: a leader without what an earlier term committed", () => {
  const { observer, peers } = group();
  const [a, b, c] = peers;
  lead(observer, a, 1);
  for (const peer of [a, b]) write(observer, peer, task(1, 1, entry(1, 1)));
  commit(observer, a, 1);
  expect(() => lead(observer, c, 2)).toThrow(/^leader-completeness: 3#1 leads term 2 without 1\/1/);
});

test("state machine safety: another entry committed or applied, or one that nobody committed", () => {
  const { observer, peers } = group();
  const [a, b, c] = peers;
  lead(observer, a, 1);
  for (const peer of [a, b]) write(observer, peer, task(1, 1, entry(1, 1)));
  commit(observer, a, 1);
  write(observer, c, task(2, 3, entry(1, 2)));
  expect(() => commit(observer, c, 1)).toThrow(/^state-machine: 3 commits 1\/2, others 1\/1/);
  expect(() => observer.applied(c, entry(1, 2))).toThrow(/^state-machine: 3 applies 1\/2/);
  a.committed = 0;
  expect(() => observer.stepped(a)).toThrow(/^state-machine: 1 takes back/);
});

test("terms and votes survive a restart", () => {
  const { observer, peers } = group();
  const [a] = peers;
  write(observer, a, task(2, 3));
  a.image.hard = { term: 2, vote: 0, commit: 0 };
  expect(() => observer.restarted(a)).toThrow(/^term: 1 has forgotten its vote/);
  a.image.hard = { term: 1, vote: 0, commit: 0 };
  expect(() => observer.restarted(a)).toThrow(/^term: 1 is back in term 1 after 2/);
});

test("a peer that starts without the vote that its disk has", () => {
  const { observer, peers } = group();
  const [a] = peers;
  a.image.hard = { term: 2, vote: 3, commit: 0 };
  a.term = 2;
  expect(() => observer.restarted(a)).toThrow(/^term: 1 starts in term 2 with a vote for 0/);
  a.vote = 3;
  observer.restarted(a);
});

// The log of a child begins behind 5 here, as those of regions do.
function child(): { observer: RaftObserver; peer: Fake } {
  const observer = new RaftObserver(5, (oracle, message) => {
    throw new Error(`${oracle}: ${message}`);
  });
  const peer = new Fake(1);
  observer.join(peer);
  return { observer, peer };
}

test("a child whose log began and whose parent's batch is lost goes back to its term and vote", () => {
  const { observer, peer } = child();
  write(observer, peer, task(2, 3));
  [peer.term, peer.vote] = [2, 3];
  peer.incarnation++;
  observer.unborn(peer, { term: 2, vote: 3, commit: 5 }, 5);
  observer.restarted(peer);
  write(observer, peer, task(3, 0));
  expect(peer.image.hard).toEqual({ term: 3, vote: 0, commit: 0 });
});

test("a child that is not born yet keeps its vote", () => {
  const { observer, peer } = child();
  write(observer, peer, task(2, 3));
  observer.unborn(peer, { term: 2, vote: 0, commit: 5 }, 5);
  expect(() => observer.restarted(peer)).toThrow(/^term: 1 has forgotten its vote in term 2/);
});

test("a child that is born, or has something in its log, does not go back", () => {
  const { observer, peer } = child();
  const hard = { term: 1, vote: 0, commit: 5 };
  expect(() => observer.unborn(peer, hard, 6)).toThrow(/^durability: 1 starts with nothing, and its log ends at 6/);
  const snapshot = { index: 5, term: 1, conf, historyHash: [0, 0] as const, context: noBytes };
  write(observer, peer, { ...task(1, 0), snapshot, first: 6 });
  expect(() => observer.unborn(peer, hard, 5)).toThrow(/^durability: 1 starts with nothing, and had a log up to 5/);
});

test("reads, handovers and failed snapshots", () => {
  const { observer, peers } = group();
  const [a] = peers;
  expect(() => observer.read(1, 5, 4)).toThrow(/^read: 1 reads at 4 after 5/);
  expect(() => observer.snapshotFailed(2, { next: 9, match: 3 })).toThrow(/^progress: 2 matches to 3/);
  observer.snapshotFailed(2, { next: 4, match: 3 });
  a.terms = [1];
  lead(observer, a, 1);
  expect(() => send(observer, a, "timeoutNow", 2)).toThrow(/^progress: 1 hands over to 2/);
});
