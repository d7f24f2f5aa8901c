// Goal: byte for byte what Redis 7 answers, including to what is wrong. Method: tables of bytes in and bytes
// out, measured against redis-server 7.0.15 where it is not said otherwise; each row runs whole and byte by
// byte.
import { describe, expect, test } from "vitest";
import { memoryGateway, request } from "./gateway.test-support.ts";
import type { GatewayOptions } from "./options.ts";

interface Row {
  readonly name: string;
  readonly send: string;
  readonly receive: string;
  /** The server hangs up. */
  readonly closes?: boolean;
  readonly options?: Partial<GatewayOptions>;
  /** Bytes per delivery; by default everything, one and seven. */
  readonly cuts?: readonly number[];
}

const long = "x".repeat(200);
const wrongPass = "WRONGPASS invalid username-password pair or user is disabled.";

function errors(...texts: readonly string[]): string {
  return texts.map((text) => `-${text}\r\n`).join("");
}

const rows: readonly Row[] = [
  {
    name: "no password yet",
    send: "PING\r\n",
    receive: "-NOAUTH Authentication required.\r\n",
    options: { password: "s3cret" },
  },
  {
    name: "wrong password",
    send: "AUTH nope\r\nAUTH default nope\r\nAUTH other s3cret\r\nPING\r\n",
    receive: errors(wrongPass, wrongPass, wrongPass, "NOAUTH Authentication required."),
    options: { password: "s3cret" },
  },
  {
    name: "right password",
    send: "AUTH s3cret\r\nPING\r\n",
    receive: "+OK\r\n+PONG\r\n",
    options: { password: "s3cret" },
  },
  {
    name: "password where none is set",
    send: "AUTH x\r\nAUTH default x\r\nAUTH other x\r\nAUTH a b c\r\n",
    receive:
      "-ERR AUTH <password> called without any password configured for the default user. " +
      "Are you sure your configuration is correct?\r\n" +
      "+OK\r\n-WRONGPASS invalid username-password pair or user is disabled.\r\n-ERR syntax error\r\n",
  },
  {
    name: "a stranger's array",
    send: "*11\r\n",
    receive: "-ERR Protocol error: unauthenticated multibulk length\r\n",
    closes: true,
    options: { password: "s3cret" },
  },
  {
    name: "a stranger's bulk",
    send: "*2\r\n$3\r\nGET\r\n$16385\r\n",
    receive: "-ERR Protocol error: unauthenticated bulk length\r\n",
    closes: true,
    options: { password: "s3cret" },
  },
  {
    name: "bulk beyond the limit",
    send: "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1048577\r\n",
    receive: "-ERR Protocol error: invalid bulk length\r\n",
    closes: true,
    options: { bulkBytesMax: 1_048_576 },
  },
  {
    name: "*1048577 (Redis waits)",
    send: "*1048577\r\n",
    receive: "-ERR Protocol error: invalid multibulk length\r\n",
    closes: true,
  },
  {
    name: "*2147483648",
    send: "*2147483648\r\n",
    receive: "-ERR Protocol error: invalid multibulk length\r\n",
    closes: true,
  },
  {
    name: "*abc",
    send: "*abc\r\n",
    receive: "-ERR Protocol error: invalid multibulk length\r\n",
    closes: true,
  },
  { name: "*-1 and *0", send: "*-1\r\n*0\r\nPING\r\n", receive: "+PONG\r\n" },
  {
    name: "$-10",
    send: "*1\r\n$-10\r\n",
    receive: "-ERR Protocol error: invalid bulk length\r\n",
    closes: true,
  },
  {
    name: "$blabla",
    send: "*1\r\n$blabla\r\n",
    receive: "-ERR Protocol error: invalid bulk length\r\n",
    closes: true,
  },
  {
    name: "$2000000000",
    send: "*1\r\n$2000000000\r\n",
    receive: "-ERR Protocol error: invalid bulk length\r\n",
    closes: true,
  },
  {
    name: "no dollar",
    send: "*1\r\nfoo\r\n",
    receive: "-ERR Protocol error: expected '$', got 'f'\r\n",
    closes: true,
  },
  {
    name: "bulk without CRLF (Redis accepts)",
    send: "*1\r\n$4\r\nPINGXX",
    receive: "-ERR Protocol error: expected CRLF after bulk\r\n",
    closes: true,
  },
  {
    name: "too big inline",
    cuts: [65_536, 1000],
    send: "x".repeat(65_537),
    receive: "-ERR Protocol error: too big inline request\r\n",
    closes: true,
  },
  {
    name: "unbalanced quotes",
    send: 'SET k "v\r\n',
    receive: "-ERR Protocol error: unbalanced quotes in request\r\n",
    closes: true,
  },
  { name: "empty lines", send: "\r\n   \r\n\nPING\r\n", receive: "+PONG\r\n" },
  {
    name: "zero byte",
    send: `\x00${"payload".repeat(9)}`,
    receive: "-ERR Protocol error: unexpected NUL in inline request\r\n",
    closes: true,
  },
  {
    name: "*zero",
    send: `*\x00${"payload".repeat(9)}`,
    receive: "-ERR Protocol error: invalid multibulk length\r\n",
    closes: true,
  },
  {
    name: "$zero",
    send: `$\x00${"payload".repeat(9)}`,
    receive: "-ERR Protocol error: unexpected NUL in inline request\r\n",
    closes: true,
  },
  {
    name: "unknown command",
    send: "FOO bar\r\n",
    receive: "-ERR unknown command 'FOO', with args beginning with: 'bar' \r\n",
  },
  {
    name: "unknown command alone",
    send: "foo\r\n",
    receive: "-ERR unknown command 'foo', with args beginning with: \r\n",
  },
  {
    name: "unknown command with much to say",
    send: request(long, long, "b"),
    receive: `-ERR unknown command '${"x".repeat(128)}', with args beginning with: '${"x".repeat(128)}' \r\n`,
  },
  {
    name: "unknown command that breaks lines",
    send: request("a\r\nb", "c\r\n+OK"),
    receive: "-ERR unknown command 'a  b', with args beginning with: 'c  +OK' \r\n",
  },
  {
    name: "a transaction",
    send: "SET n 1\r\nMULTI\r\nINCR n\r\nGET n\r\nEXEC\r\n",
    receive: "+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:2\r\n$1\r\n2\r\n",
  },
  {
    name: "unknown subcommand",
    send: "CLIENT foo\r\n",
    receive: "-ERR unknown subcommand 'foo'. Try CLIENT HELP.\r\n",
  },
  { name: "arity", send: "GET\r\n", receive: "-ERR wrong number of arguments for 'get' command\r\n" },
  {
    name: "arity of a subcommand",
    send: "CLIENT SETNAME\r\n",
    receive: "-ERR wrong number of arguments for 'client|setname' command\r\n",
  },
  {
    name: "arity of a container",
    send: "OBJECT\r\n",
    receive: "-ERR wrong number of arguments for 'object' command\r\n",
  },
  {
    name: "arity of pairs",
    send: "MSET a 1 b\r\n",
    receive: "-ERR wrong number of arguments for 'mset' command\r\n",
  },
  {
    name: "empty key and value",
    send: request("SET", "", "") + request("GET", ""),
    receive: "+OK\r\n$0\r\n\r\n",
  },
  { name: "EX 0", send: "SET k v EX 0\r\n", receive: "-ERR invalid expire time in 'set' command\r\n" },
  { name: "EX -1", send: "SET k v EX -1\r\n", receive: "-ERR invalid expire time in 'set' command\r\n" },
  {
    name: "EX huge",
    send: "SET k v EX 9223372036854775807\r\n",
    receive: "-ERR invalid expire time in 'set' command\r\n",
  },
  { name: "EX abc", send: "SET k v EX abc\r\n", receive: "-ERR value is not an integer or out of range\r\n" },
  { name: "EX 1.5", send: "SET k v EX 1.5\r\n", receive: "-ERR value is not an integer or out of range\r\n" },
  { name: "EX missing", send: "SET k v EX\r\n", receive: "-ERR syntax error\r\n" },
  { name: "NX XX", send: "SET k v NX XX\r\n", receive: "-ERR syntax error\r\n" },
  { name: "EX PX", send: "SET k v EX 1 PX 1\r\n", receive: "-ERR syntax error\r\n" },
  {
    name: "EX KEEPTTL",
    send: "SET k v EX 1 KEEPTTL\r\nSET k v KEEPTTL EX 1\r\n",
    receive: "-ERR syntax error\r\n-ERR syntax error\r\n",
  },
  {
    name: "INCR of a word",
    send: "SET k v\r\nINCR k\r\n",
    receive: "+OK\r\n-ERR value is not an integer or out of range\r\n",
  },
  {
    name: "INCR overflow",
    send: "SET k 9223372036854775807\r\nINCR k\r\nDECR k\r\n",
    receive: "+OK\r\n-ERR increment or decrement would overflow\r\n:9223372036854775806\r\n",
  },
  {
    name: "DECRBY of the least",
    send: "DECRBY k -9223372036854775808\r\n",
    receive: "-ERR decrement would overflow\r\n",
  },
  {
    name: "INCRBY leading zero",
    send: "INCRBY k 01\r\n",
    receive: "-ERR value is not an integer or out of range\r\n",
  },
  {
    name: "SELECT 99",
    send: "SELECT 99\r\nSELECT 0\r\nSELECT x\r\n",
    receive: "-ERR DB index is out of range\r\n+OK\r\n-ERR value is not an integer or out of range\r\n",
  },
  {
    name: "SCAN abc",
    send: "SCAN abc\r\nSCAN -1\r\nSCAN 0 COUNT 0\r\nSCAN 0 MATCH\r\nSCAN 0 FOO x\r\n",
    receive: errors(
      "ERR invalid cursor",
      "ERR invalid cursor",
      "ERR syntax error",
      "ERR syntax error",
      "ERR syntax error",
    ),
  },
  {
    name: "HELLO 4",
    send: "HELLO 4\r\nHELLO x\r\nHELLO 2 foo\r\n",
    receive: errors(
      "NOPROTO unsupported protocol version",
      "ERR Protocol version is not an integer or out of range",
      "ERR Syntax error in HELLO option 'foo'",
    ),
  },
  { name: "HTTP POST", send: "POST / HTTP/1.1\r\nHost: x\r\n\r\n", receive: "", closes: true },
  { name: "HTTP Host:", send: "GET /\r\nHost: x\r\n\r\n", receive: "$-1\r\n", closes: true },
  {
    name: "TLS",
    send: "\x16\x03\x01\x02\x00\x01\x00",
    receive: "-ERR Protocol error: unexpected NUL in inline request\r\n",
    closes: true,
  },
  {
    name: "key beyond the limit",
    cuts: [65_536, 1000],
    send: request("GET", "k".repeat(65_536)),
    receive: "-ERR key is longer than 65535 bytes\r\n",
  },
  {
    name: "any bytes",
    send:
      request("SET", "\0\r\n\xff__proto__", "\xff\r\n\0") +
      request("GET", "\0\r\n\xff__proto__") +
      request("GET", "__proto__"),
    receive: "+OK\r\n$4\r\n\xff\r\n\0\r\n$-1\r\n",
  },
  {
    name: "EXPIRE options",
    send:
      "EXPIRE k 1 NX XX\r\nEXPIRE k 1 GT LT\r\nEXPIRE k x FOO\r\n" +
      "EXPIRE k x\r\nEXPIRE k 9223372036854775807\r\n",
    receive: errors(
      "ERR NX and XX, GT or LT options at the same time are not compatible",
      "ERR GT and LT options at the same time are not compatible",
      "ERR Unsupported option FOO",
      "ERR value is not an integer or out of range",
      "ERR invalid expire time in 'expire' command",
    ),
  },
  {
    name: "GETEX options",
    send: "GETEX k EX 1 PX 2\r\nGETEX k PERSIST EX\r\nGETEX k EX 0\r\n",
    receive: "-ERR syntax error\r\n-ERR syntax error\r\n-ERR invalid expire time in 'getex' command\r\n",
  },
  {
    name: "names",
    send: request("CLIENT", "SETNAME", "a b"),
    receive: "-ERR Client names cannot contain spaces, newlines or special characters.\r\n",
  },
  { name: "QUIT", send: "SET a 1\r\nQUIT\r\nGET a\r\n", receive: "+OK\r\n+OK\r\n", closes: true },
];

describe("golden rows", () => {
  test.each(rows)("$name", ({ send, receive, closes, options, cuts }) => {
    for (const cut of cuts ?? [65_536, 1, 7]) {
      const gateway = memoryGateway(options);
      gateway.world.network.cut = () => cut;
      const client = gateway.client();
      expect(client.ask(send)).toBe(receive);
      expect(client.ended || client.closed).toBe(closes ?? false);
      if (client.closed) continue;
      client.connection.end();
      gateway.world.clock.run();
      expect(client.closed).toBe(true);
      expect(gateway.server.gateway.clients.size).toBe(0);
    }
  });
});

test("one client too many is told so", () => {
  const gateway = memoryGateway({ clientsMax: 2 });
  const clients = [gateway.client(), gateway.client(), gateway.client()];
  gateway.world.clock.run();
  expect(clients.map((client) => client.take())).toEqual(["", "", "-ERR max number of clients reached\r\n"]);
  expect(clients[2]?.ended).toBe(true);
  clients[0]?.connection.end();
  gateway.world.clock.run();
  expect(gateway.client().ask("PING\r\n")).toBe("+PONG\r\n");
});

test("protected mode lets in the loopback only, unless there is a password or it is off", () => {
  for (const [host, options, admitted] of [
    ["10.0.0.7", {}, false],
    ["node-1", {}, false],
    ["127.8.8.8", {}, true],
    ["::1", {}, true],
    ["::ffff:127.0.0.1", {}, true],
    ["127.0.0.1.evil", {}, false],
    ["10.0.0.7", { protectedMode: false }, true],
    ["10.0.0.7", { password: "x" }, true],
  ] as const) {
    const gateway = memoryGateway(options);
    gateway.world.network.clientHost = host;
    const client = gateway.client();
    gateway.world.clock.run();
    const received = client.ask("QUIT\r\n");
    expect([host, received === "+OK\r\n"]).toEqual([host, admitted]);
    if (!admitted) expect(received).toMatch(/^-DENIED Redis is running in protected mode because/);
    expect(client.ended).toBe(true);
  }
});

test("HELLO answers a map in the protocol that it chose", () => {
  const client = memoryGateway().client();
  const fields = (proto: number, start: string, modules: string): string =>
    `${start}$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.4.0\r\n$5\r\nproto\r\n:${proto}\r\n` +
    "$2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n" +
    `$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n${modules}`;
  expect(client.ask("HELLO\r\n")).toBe(fields(2, "*14\r\n", "*0\r\n"));
  expect(client.ask("HELLO 3\r\n")).toBe(fields(3, "%7\r\n", "*0\r\n"));
  expect(client.ask("GET none\r\n")).toBe("_\r\n");
  expect(client.ask("HELLO 2\r\n")).toBe(fields(2, "*14\r\n", "*0\r\n"));
  expect(client.ask("GET none\r\n")).toBe("$-1\r\n");
});

test("HELLO authenticates and names", () => {
  const client = memoryGateway({ password: "s3cret" }).client();
  expect(client.ask("HELLO 3\r\n")).toMatch(
    /^-NOAUTH HELLO must be called with the client already authenticated/,
  );
  expect(client.ask("HELLO 3 AUTH default nope\r\n")).toBe(
    "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
  );
  expect(client.ask("HELLO 3 AUTH default s3cret SETNAME me\r\n")).toMatch(/^%7\r\n/);
  expect(client.ask("CLIENT GETNAME\r\n")).toBe("$2\r\nme\r\n");
  expect(client.ask("RESET\r\nPING\r\n")).toBe("+RESET\r\n-NOAUTH Authentication required.\r\n");
});
