// Goal: requests, and the error if any, do not depend on how the bytes are cut; limits act on announcements.
// Method: tables of bytes and outcomes, then any valid stream cut anywhere, with pieces that are destroyed as
// soon as the contract allows it.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type RequestLimits, RequestParser } from "./request-parser.ts";

const limits: RequestLimits = {
  bulkBytesMax: 1000,
  inlineBytesMax: 100,
  argumentsMax: 1_048_576,
  requestBytesMax: 4000,
};

interface Parsed {
  readonly requests: readonly (readonly string[])[];
  readonly failure: string | null;
}

/** Feeds `stream` in the given piece sizes, wrapping around. Every piece is overwritten after `retain`. */
function parse(stream: string, sizes: readonly number[], restricted = false): Parsed {
  const parser = new RequestParser(limits, restricted);
  const bytes = Uint8Array.from(stream, (char) => char.charCodeAt(0));
  const requests: string[][] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    const piece = bytes.slice(at, at + size);
    at += size;
    parser.feed(piece);
    let state = parser.next();
    for (; state === "request"; state = parser.next()) requests.push(tokens(parser));
    if (state === "failed") return { requests, failure: parser.failure };
    parser.retain();
    piece.fill(0x21);
  }
  return { requests, failure: null };
}

function tokens(parser: RequestParser): string[] {
  return Array.from({ length: parser.args.count }, (_, i) => String.fromCharCode(...parser.args.bytes(i)));
}

function encode(request: readonly string[]): string {
  return `*${request.length}\r\n${request.map((token) => `$${token.length}\r\n${token}\r\n`).join("")}`;
}

describe("lines", () => {
  test.each<[string, string[][]]>([
    ["PING\r\n", [["PING"]]],
    ["PING\n", [["PING"]]],
    ["  set  k\tv \r\n", [["set", "k", "v"]]],
    ["\r\n   \r\n\nPING\r\n", [["PING"]]],
    [`set "a b" 'c d'\r\n`, [["set", "a b", "c d"]]],
    [`"\\n\\r\\t\\b\\a\\\\\\"\\q"\r\n`, [['\n\r\t\b\x07\\"q']]],
    [`"\\x41\\xfF\\xg0"\r\n`, [["A\xffxg0"]]],
    [`'it\\'s \\n'\r\n`, [["it's \\n"]]],
    [`a"b c"\r\n`, [["ab c"]]],
    [`"" ''\r\n`, [["", ""]]],
    ["a\x0bb \x0bc\r\n", [["a\x0bb", "c"]]],
    ["get caf\xc3\xa9\r\n", [["get", "caf\xc3\xa9"]]],
  ])("%j", (stream, requests) => {
    expect(parse(stream, [1000])).toEqual({ requests, failure: null });
    expect(parse(stream, [1])).toEqual({ requests, failure: null });
  });
});

describe("what cannot be understood", () => {
  test.each<[string, string]>([
    ["*abc\r\n", "invalid multibulk length"],
    ["*1048577\r\n", "invalid multibulk length"],
    ["*2147483648\r\n", "invalid multibulk length"],
    ["*99999999999999999999\r\n", "invalid multibulk length"],
    ["*01\r\n", "invalid multibulk length"],
    ["*-0\r\n", "invalid multibulk length"],
    ["*\r\n", "invalid multibulk length"],
    ["*1\n", "invalid multibulk length"],
    ["*1\rx", "invalid multibulk length"],
    ["*\x00", "invalid multibulk length"],
    ["*1\r\nfoo", "expected '$', got 'f'"],
    ["*1\r\n$-1\r\n", "invalid bulk length"],
    ["*1\r\n$-10\r\n", "invalid bulk length"],
    ["*1\r\n$blabla\r\n", "invalid bulk length"],
    ["*1\r\n$2000000000\r\n", "invalid bulk length"],
    ["*1\r\n$1001\r\n", "invalid bulk length"],
    ["*1\r\n$4\r\nPINGXX", "expected CRLF after bulk"],
    ["*1\r\n$4\r\nPING\rX", "expected CRLF after bulk"],
    [`${"x".repeat(101)}`, "too big inline request"],
    [`set "a\r\n`, "unbalanced quotes in request"],
    [`set 'a\\'\r\n`, "unbalanced quotes in request"],
    [`set "a"b\r\n`, "unbalanced quotes in request"],
    ["\x16\x03\x01\x00", "unexpected NUL in inline request"],
    ["$\x00", "unexpected NUL in inline request"],
    [`*9\r\n${"$1000\r\n".concat("x".repeat(1000), "\r\n").repeat(4)}`, "request exceeds 4000 bytes"],
  ])("%j", (stream, failure) => {
    expect(parse(stream, [10_000])).toEqual({ requests: [], failure });
    expect(parse(stream, [1])).toEqual({ requests: [], failure });
  });

  test("requests before it are answered", () => {
    expect(parse("PING\r\n*x", [100])).toEqual({
      requests: [["PING"]],
      failure: "invalid multibulk length",
    });
  });

  test("the longest line, argument and request pass", () => {
    const line = "x".repeat(99);
    expect(parse(`${line}\n`, [7])).toEqual({ requests: [[line]], failure: null });
    const bulk = "y".repeat(1000);
    expect(parse(encode([bulk, bulk, bulk]), [999])).toEqual({
      requests: [[bulk, bulk, bulk]],
      failure: null,
    });
  });
});

test("arrays without elements are passed over", () => {
  expect(parse("*0\r\n*-1\r\n*-10\r\nPING\r\n", [3])).toEqual({ requests: [["PING"]], failure: null });
});

test("a stranger may say little", () => {
  expect(parse("*11\r\n", [9], true).failure).toBe("unauthenticated multibulk length");
  expect(parse("*1\r\n$16385\r\n", [99], true).failure).toBe("invalid bulk length");
  expect(parse("*10\r\n$900\r\n", [99], true).failure).toBeNull();
  const wide = new RequestParser({ ...limits, bulkBytesMax: 100_000 }, true);
  wide.feed(new TextEncoder().encode("*1\r\n$16385\r\n"));
  expect([wide.next(), wide.failure]).toEqual(["failed", "unauthenticated bulk length"]);
});

test("announced bytes are not allocated", () => {
  const parser = new RequestParser({ ...limits, bulkBytesMax: 2 ** 30, requestBytesMax: 2 ** 30 }, false);
  parser.feed(new TextEncoder().encode("*1\r\n$1000000000\r\nabc"));
  expect(parser.next()).toBe("more");
  parser.retain();
  expect([parser.bufferedBytes, parser.incomplete]).toEqual([20, true]);
});

test("any valid stream, cut anywhere, gives the same requests", () => {
  const token = fc.oneof(
    fc.string({
      unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
      maxLength: 40,
    }),
    fc.constantFrom("", "\r\n", "$5\r\n", "*1\r\n", "x".repeat(200)),
  );
  const framed = fc.array(token, { minLength: 1, maxLength: 12 });
  const line = fc.array(fc.stringMatching(/^[a-zA-Z0-9:;.-]{1,9}$/), { minLength: 1, maxLength: 4 });
  const piece = fc.oneof(
    framed.map((request) => ({ request, text: encode(request) })),
    line.map((request) => ({ request, text: `${request.join(" ")}\r\n` })),
    fc.constantFrom("\r\n", "*0\r\n").map((text) => ({ request: null, text })),
  );
  const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), sizes, (pieces, cuts) => {
      const stream = pieces.map(({ text }) => text).join("");
      const requests = pieces.flatMap(({ request }) => (request === null ? [] : [request]));
      expect(parse(stream, cuts)).toEqual({ requests, failure: null });
    }),
    { numRuns: 300 },
  );
});

test("any bytes at all, cut anywhere, end in the same requests and the same failure", () => {
  const noise = fc.array(
    fc.oneof(
      fc.constantFrom(
        "*1\r\n",
        "$4\r\n",
        "PING",
        "\r\n",
        "*",
        "$",
        "-1",
        "\n",
        '"',
        "'",
        " ",
        "\x00",
        "*3\r\n",
      ),
      fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
    ),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(noise, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (parts, cuts) => {
      const stream = parts.join("");
      expect(parse(stream, cuts)).toEqual(parse(stream, [stream.length + 1]));
    }),
    { numRuns: 500 },
  );
});
