// Goal: what ReplyWriter writes is what ReplyParser reads, however the bytes are cut. Method: a table of wire
// forms, then random replies of both protocols through random cuts.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { latin } from "./gateway.test-support.ts";
import { type Reply, showReply } from "./reply.ts";
import { ReplyError, ReplyParser } from "./reply-parser.ts";
import { ReplyWriter } from "./reply-writer.ts";

function parse(bytes: Uint8Array, cuts: readonly number[]): Reply[] {
  const parser = new ReplyParser({ bulkBytesMax: 1000, lineBytesMax: 100, itemsMax: 1000, depthMax: 4 });
  const replies: Reply[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const piece = bytes.slice(at, at + (cuts[turn % cuts.length] ?? 1));
    at += piece.length;
    parser.feed(piece);
    piece.fill(0);
    for (let reply = parser.next(); reply !== null; reply = parser.next()) replies.push(reply);
  }
  return replies;
}

test.each<[string, string]>([
  ["+OK\r\n", "OK"],
  ["-ERR no\r\n", "(error) ERR no"],
  ["!6\r\nERR no\r\n", "(error) ERR no"],
  [":-9223372036854775808\r\n", "(integer) -9223372036854775808"],
  ["(123456789012345678901234567890\r\n", "(integer) 123456789012345678901234567890"],
  ["$0\r\n\r\n", '""'],
  ["$4\r\na\r\nb\r\n", '"a\\r\\nb"'],
  ["$-1\r\n", "(nil)"],
  ["*-1\r\n", "(nil)"],
  ["_\r\n", "(nil)"],
  ["#t\r\n", "(true)"],
  ["#f\r\n", "(false)"],
  [",1.5\r\n", "(double) 1.5"],
  [",-inf\r\n", "(double) -Infinity"],
  ["=7\r\ntxt:a:1\r\n", '"a:1"'],
  ["*0\r\n", "[]"],
  ["*2\r\n*1\r\n:1\r\n*0\r\n", "[[(integer) 1], []]"],
  ["%1\r\n+a\r\n%0\r\n", "{a: {}}"],
  ["~1\r\n+a\r\n", "[a]"],
  [">2\r\n+message\r\n$1\r\nx\r\n", '[message, "x"]'],
  ["|1\r\n+ttl\r\n:3\r\n+OK\r\n", "OK"],
  ["*2\r\n|1\r\n+a\r\n*0\r\n:1\r\n:2\r\n", "[(integer) 1, (integer) 2]"],
])("%j is %s", (wire, shown) => {
  expect(parse(latin(wire), [1000]).map(showReply)).toEqual([shown]);
  expect(parse(latin(wire), [1]).map(showReply)).toEqual([shown]);
});

describe("refused", () => {
  test.each([
    "x\r\n",
    "\r\n",
    ":a\r\n",
    ":\r\n",
    "$a\r\n",
    "$-2\r\n",
    "$1001\r\n",
    "*1001\r\n",
    "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
    "$1\r\naXX",
    "+a\rb\r\n",
    "#x\r\n",
    ",x\r\n",
    "_x\r\n",
    "=2\r\nab\r\n",
    `+${"x".repeat(102)}`,
  ])("%j", (wire) => {
    expect(() => parse(latin(wire), [1000])).toThrow(ReplyError);
    expect(() => parse(latin(wire), [1])).toThrow(ReplyError);
  });
});

const bytes = fc.uint8Array({ maxLength: 30 });
const word = fc.stringMatching(/^[ -~]{0,20}$/);

const leaf: fc.Arbitrary<Reply> = fc.oneof(
  word.map((text): Reply => ({ kind: "simple", text })),
  word.map((text): Reply => ({ kind: "error", text })),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value): Reply => ({ kind: "integer", value })),
  bytes.map((value): Reply => ({ kind: "bulk", bytes: value })),
  fc.constant<Reply>({ kind: "null" }),
  fc.boolean().map((value): Reply => ({ kind: "boolean", value })),
  fc.integer().map((value): Reply => ({ kind: "double", value: value / 8 })),
);

const { reply: anyReply } = fc.letrec<{ reply: Reply }>((tie) => ({
  reply: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc
      .tuple(fc.constantFrom("array", "set", "push"), fc.array(tie("reply"), { maxLength: 4 }))
      .map(([kind, items]): Reply => ({ kind, items })),
    fc
      .array(fc.tuple(tie("reply"), tie("reply")), { maxLength: 3 })
      .map((entries): Reply => ({ kind: "map", entries })),
  ),
}));

function write(writer: ReplyWriter, reply: Reply): void {
  switch (reply.kind) {
    case "simple":
      return writer.simple(reply.text);
    case "error":
      return writer.error(reply.text);
    case "integer":
      return writer.long(reply.value);
    case "bulk":
      return writer.bulk(reply.bytes);
    case "null":
      return writer.null();
    case "boolean":
      return writer.boolean(reply.value);
    case "double":
      return writer.double(reply.value);
    case "verbatim":
      return writer.verbatim("");
    case "map":
      writer.map(reply.entries.length);
      return reply.entries.forEach(([key, value]) => {
        write(writer, key);
        write(writer, value);
      });
    case "array":
    case "set":
    case "push":
      writer[reply.kind](reply.items.length);
      return reply.items.forEach((item) => write(writer, item));
  }
}

test("RESP3 replies survive writing and reading, cut anywhere", () => {
  const cuts = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1 });
  fc.assert(
    fc.property(fc.array(anyReply, { maxLength: 5 }), cuts, (replies, sizes) => {
      const writer = new ReplyWriter();
      writer.protocol = 3;
      for (const reply of replies) write(writer, reply);
      expect(parse(writer.view().slice(), sizes)).toEqual(replies);
    }),
    { numRuns: 300 },
  );
});
