// Goal: what one machine does with messages that no sound leader of this program sends, but that others may.
// Method: one follower, messages by hand. What sound groups do is told in testdata and searched by raft-core.
import { expect, test } from "vitest";
import { KeyedRandom } from "../sim/keyed-random.ts";
import { RaftImage } from "../sim/raft-image.ts";
import { Message, type MessageKind } from "./message.ts";
import { raftLimitsDefault } from "./raft-options.ts";
import { Raft } from "./raft.ts";

const conf = { voters: [1, 2, 3], votersOutgoing: [], learners: [], learnersNext: [] };
const data = new Uint8Array(1);

/** Peer 1 with `last` entries of term 1, of which the first is committed. */
function follower(last: number): Raft {
  const image = new RaftImage();
  const entries = Array.from({ length: last }, (_, at) => ({ index: at + 1, term: 1, kind: "normal" as const, data }));
  image.entries = entries;
  image.hard = { term: 1, vote: 2, commit: 1 };
  return new Raft({ id: 1, random: KeyedRandom.ofSeed(1), limits: raftLimitsDefault }, image.restored(1, conf));
}

function give(raft: Raft, kind: MessageKind, term: number, fields: Partial<Message>): readonly Message[] {
  const message = Object.assign(new Message(kind, 2, 1, term), fields);
  raft.step({ kind: "message", message });
  raft.check();
  const { sendNow, append } = raft.ready();
  return [...sendNow, ...(append?.sendAfter ?? [])];
}

test("a follower commits no further than what the append says to agree", () => {
  // Beyond it are entries of another leader. Our leaders begin at the exact point where logs part, so that the
  // first entry they send overwrites them; this one sends none.
  const raft = follower(3);
  give(raft, "append", 2, { index: 1, logTerm: 1, commit: 3 });
  expect(raft.status().committed).toBe(1);
});

test("a directory that has forgotten what its peer acknowledged is damage, no defect", () => {
  const raft = follower(3);
  expect(() => give(raft, "heartbeat", 1, { commit: 5 })).toThrow(
    "peer 1 has acknowledged entry 5 of its region, and its log ends at 3: this directory is an older copy",
  );
});

test("an append that was overtaken does not cut off what came after it", () => {
  const raft = follower(3);
  const entries = [{ index: 2, term: 1, kind: "normal" as const, data }];
  const [reply] = give(raft, "append", 1, { index: 1, logTerm: 1, entries, commit: 1 });
  expect([raft.status().last, reply?.index, reply?.reject]).toEqual([3, 2, false]);
});

test("a vote is asked for with an equal index and an earlier term in vain", () => {
  const raft = follower(3);
  const [reply] = give(raft, "vote", 5, { index: 9, logTerm: 0, force: true });
  expect([reply?.kind, reply?.reject, reply?.commit, reply?.logTerm]).toEqual(["voteReply", true, 1, 1]);
  expect(raft.status().vote).toBe(0);
});

test("the same inputs give the same outputs", () => {
  const run = (): string => {
    const raft = follower(3);
    const out: unknown[] = [];
    for (let tick = 0; tick < 60; tick++) {
      raft.step({ kind: "tick" });
      while (raft.hasReady()) {
        const ready = raft.ready();
        out.push(ready);
        if (ready.append !== null) raft.step({ kind: "appended", seq: ready.append.seq });
      }
    }
    return JSON.stringify(out);
  };
  expect(run()).toBe(run());
});
