// Goal: both encodings of every reply. Method: a table; then growth, and text that tries to break out.
import { expect, test } from "vitest";
import { ReplyWriter } from "./reply-writer.ts";

function encode(protocol: 2 | 3, write: (reply: ReplyWriter) => void): string {
  const reply = new ReplyWriter(1);
  reply.protocol = protocol;
  write(reply);
  return String.fromCharCode(...reply.view());
}

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));

test.each<[string, (reply: ReplyWriter) => void, string, string]>([
  ["ok", (r) => r.ok(), "+OK\r\n", "+OK\r\n"],
  ["simple", (r) => r.simple("PONG"), "+PONG\r\n", "+PONG\r\n"],
  ["error", (r) => r.error("ERR no"), "-ERR no\r\n", "-ERR no\r\n"],
  ["digit", (r) => r.integer(7), ":7\r\n", ":7\r\n"],
  ["integer", (r) => r.integer(9_007_199_254_740_991), ":9007199254740991\r\n", ":9007199254740991\r\n"],
  ["negative", (r) => r.integer(-210), ":-210\r\n", ":-210\r\n"],
  ["long", (r) => r.long(-(2n ** 63n)), ":-9223372036854775808\r\n", ":-9223372036854775808\r\n"],
  [
    "big number",
    (r) => r.bigNumber(2n ** 64n),
    "$20\r\n18446744073709551616\r\n",
    "(18446744073709551616\r\n",
  ],
  ["bulk", (r) => r.bulk(bytes("a\r\n\xff")), "$4\r\na\r\n\xff\r\n", "$4\r\na\r\n\xff\r\n"],
  ["empty bulk", (r) => r.bulk(bytes("")), "$0\r\n\r\n", "$0\r\n\r\n"],
  ["text", (r) => r.text("0"), "$1\r\n0\r\n", "$1\r\n0\r\n"],
  ["verbatim", (r) => r.verbatim("a:1"), "$3\r\na:1\r\n", "=7\r\ntxt:a:1\r\n"],
  ["null", (r) => r.null(), "$-1\r\n", "_\r\n"],
  ["no bulk", (r) => r.bulkOrNull(null), "$-1\r\n", "_\r\n"],
  ["null array", (r) => r.nullArray(), "*-1\r\n", "_\r\n"],
  ["array", (r) => r.array(1000), "*1000\r\n", "*1000\r\n"],
  ["map", (r) => r.map(2), "*4\r\n", "%2\r\n"],
  ["set", (r) => r.set(3), "*3\r\n", "~3\r\n"],
  ["push", (r) => r.push(2), "*2\r\n", ">2\r\n"],
  ["double", (r) => r.double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n"],
  ["infinity", (r) => r.double(-Infinity), "$4\r\n-inf\r\n", ",-inf\r\n"],
  ["not a number", (r) => r.double(Number.NaN), "$3\r\nnan\r\n", ",nan\r\n"],
  ["true", (r) => r.boolean(true), ":1\r\n", "#t\r\n"],
  ["false", (r) => r.boolean(false), ":0\r\n", "#f\r\n"],
])("%s", (_, write, resp2, resp3) => {
  expect(encode(2, write)).toBe(resp2);
  expect(encode(3, write)).toBe(resp3);
});

test("what a client sent cannot end a simple reply", () => {
  expect(encode(2, (r) => r.error("ERR x\r\n+OK\r\n\xe9\u{1f600}"))).toBe("-ERR x  +OK  \xe9??\r\n");
});

test("errors are counted, and one writer goes behind another", () => {
  const first = new ReplyWriter();
  const second = new ReplyWriter();
  first.integer(1);
  second.error("ERR a");
  first.append(second);
  expect([first.errors, second.errors]).toEqual([1, 0]);
  expect(String.fromCharCode(...first.view())).toBe(":1\r\n-ERR a\r\n");
  first.clear();
  expect(first.length).toBe(0);
});

test("it grows as far as it must", () => {
  const big = new Uint8Array(100_000).fill(0x61);
  const text = encode(2, (r) => {
    r.ok();
    r.bulk(big);
    r.ok();
  });
  expect(text).toBe(`+OK\r\n$100000\r\n${"a".repeat(100_000)}\r\n+OK\r\n`);
});
