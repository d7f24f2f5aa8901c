// Goal: what is sent is what is read; whatever else arrives is refused by its class of error, and costs no memory.
// Method: generated messages round trip; every cut and many changed bytes of their images are read.
import fc from "fast-check";
import { expect, test } from "vitest";
import { ByteReader, MalformedError } from "../core/bytes/byte-reader.ts";
import { ByteWriter } from "../core/bytes/byte-writer.ts";
import type { Entry, EntryKind } from "./entry.ts";
import { type RegionMessage, readMessage, writeMessage } from "./message-codec.ts";
import { Message, type MessageKind } from "./message.ts";

const number = fc.oneof(fc.nat(200), fc.maxSafeNat());
const id = number.map((value) => Math.max(1, value));
const index = fc.oneof(fc.nat(200), fc.nat(2 ** 31));
const bytes = fc.uint8Array({ maxLength: 40 });
const peers = fc.array(id, { maxLength: 3 });
const snapshot = fc.record({
  index,
  term: number,
  historyHash: fc.tuple(fc.nat(2 ** 31), fc.nat(2 ** 31)),
  conf: fc.record({ voters: peers, votersOutgoing: peers, learners: peers, learnersNext: peers }),
  context: bytes,
});
const kinds: readonly MessageKind[] = [
  "append", "appendReply", "heartbeat", "heartbeatReply", "preVote", "preVoteReply", "vote", "voteReply", "snapshot",
  "timeoutNow", "quiesce",
];
const entryKinds: readonly EntryKind[] = ["normal", "noop", "conf"];
const datas = fc.array(fc.tuple(fc.constantFrom(...entryKinds), bytes), { maxLength: 4 });

const message: fc.Arbitrary<RegionMessage> = fc
  .record({ kind: fc.constantFrom(...kinds), regionId: number, epoch: fc.record({ version: number, confVer: number }) })
  .chain(({ kind, regionId, epoch }) =>
    fc.tuple(id, id, number, index, number, number, fc.boolean(), fc.boolean(), datas, snapshot).map(
      ([from, to, term, at, a, b, reject, force, list, snap]) => {
        const made = new Message(kind, from, to, term);
        made.reject = reject;
        made.force = force;
        const has = (...of: MessageKind[]): boolean => of.includes(kind);
        if (has("append", "appendReply", "preVote", "vote")) made.index = at;
        if (has("append")) made.logTerm = Math.min(a, term);
        if (has("preVote", "vote", "preVoteReply", "voteReply")) made.logTerm = a;
        if (has("append", "heartbeat", "quiesce", "preVoteReply", "voteReply")) made.commit = b;
        if (has("appendReply")) [made.hintIndex, made.hintTerm] = [a, b];
        if (has("appendReply", "heartbeatReply")) made.applied = a;
        if (has("heartbeat", "heartbeatReply")) made.readSeq = a;
        if (has("snapshot")) made.snapshot = snap;
        if (has("append")) {
          made.closedTs = b;
          made.entries = list.map(([of, data], i): Entry => ({ index: at + 1 + i, term, kind: of, data }));
        }
        return { regionId, epoch, message: made };
      },
    ),
  );

function imageOf(sent: RegionMessage): Uint8Array {
  const out = new ByteWriter();
  writeMessage(out, sent.regionId, sent.epoch, sent.message);
  return out.toBytes();
}

test("a message is read as it was written", () => {
  fc.assert(
    fc.property(message, (sent) => {
      expect(readMessage(new ByteReader(imageOf(sent)))).toEqual(sent);
    }),
  );
});

test("a message that was cut off is refused", () => {
  fc.assert(
    fc.property(message, (sent) => {
      const image = imageOf(sent);
      for (let length = 0; length < image.length; length++) {
        expect(() => readMessage(new ByteReader(image.subarray(0, length)))).toThrow(MalformedError);
      }
    }),
    { numRuns: 30 },
  );
});

test("a message that was changed is refused or is another message", () => {
  fc.assert(
    fc.property(message, fc.nat(), fc.nat(255), (sent, at, byte) => {
      const image = imageOf(sent);
      image[at % image.length] = byte;
      try {
        readMessage(new ByteReader(image));
      } catch (error) {
        if (!(error instanceof MalformedError)) throw error;
      }
    }),
    { numRuns: 500 },
  );
});
