// Goal: lifetimes to the millisecond, as Redis rounds and refuses them. Method: transcripts on a clock that
// stands still unless it is moved.
import { expect, test } from "vitest";
import { memoryGateway } from "../gateway.test-support.ts";

test("what is left is rounded as Redis does", () => {
  const { world, client } = memoryGateway();
  const raw = client();
  expect(raw.ask("TTL k\r\nPTTL k\r\nEXPIRETIME k\r\nPEXPIRETIME k\r\n")).toBe(":-2\r\n".repeat(4));
  raw.ask("SET k v\r\n");
  expect(raw.ask("TTL k\r\nPTTL k\r\nEXPIRETIME k\r\nPEXPIRETIME k\r\n")).toBe(
    `+OK\r\n${":-1\r\n".repeat(4)}`.slice(5),
  );
  raw.ask("PEXPIRE k 1499\r\n");
  expect(raw.ask("PTTL k\r\nTTL k\r\n")).toBe(":1499\r\n:1\r\n");
  world.clock.advance(998);
  expect(raw.ask("PTTL k\r\nTTL k\r\n")).toBe(":501\r\n:1\r\n");
  world.clock.advance(2);
  expect(raw.ask("PTTL k\r\nTTL k\r\n")).toBe(":499\r\n:0\r\n");
  world.clock.advance(498);
  expect(raw.ask("GET k\r\n")).toBe("$1\r\nv\r\n");
  world.clock.advance(1);
  expect(raw.ask("GET k\r\nPTTL k\r\nEXISTS k\r\nDBSIZE\r\n")).toBe("$-1\r\n:-2\r\n:0\r\n:0\r\n");
});

test("absolute deadlines", () => {
  const { world, client } = memoryGateway();
  const raw = client();
  world.clock.offsetMs = 0;
  world.clock.nowUs = 5_000_000;
  expect(
    raw.ask(
      "SET a 1 EXAT 7\r\nSET b 1 PXAT 7001\r\nSET c 1\r\nEXPIREAT c 6\r\nSET d 1\r\nPEXPIREAT d 6501\r\n",
    ),
  ).toBe("+OK\r\n+OK\r\n+OK\r\n:1\r\n+OK\r\n:1\r\n");
  expect(raw.ask("EXPIRETIME a\r\nPEXPIRETIME b\r\nPEXPIRETIME c\r\nEXPIRETIME d\r\n")).toBe(
    ":7\r\n:7001\r\n:6000\r\n:7\r\n",
  );
  expect(
    raw.ask("SET e 1 EXAT 4\r\nEXISTS e\r\nEXPIREAT a 5\r\nEXISTS a\r\nPEXPIREAT b -1\r\nEXISTS b\r\n"),
  ).toBe("+OK\r\n:0\r\n:1\r\n:0\r\n:1\r\n:0\r\n");
});

test("SET takes a lifetime away unless it is told to keep it", () => {
  const raw = memoryGateway().client();
  expect(raw.ask("SETEX k 100 v\r\nSET k w KEEPTTL\r\nTTL k\r\nSET k x\r\nTTL k\r\n")).toBe(
    "+OK\r\n+OK\r\n:100\r\n+OK\r\n:-1\r\n",
  );
  expect(
    raw.ask("PSETEX k 1500 v\r\nINCRBY n 1\r\nEXPIRE n 50\r\nINCR n\r\nAPPEND n 0\r\nTTL n\r\nPTTL k\r\n"),
  ).toBe("+OK\r\n:1\r\n:1\r\n:2\r\n:2\r\n:50\r\n:1500\r\n");
  expect(raw.ask("GETSET n 5\r\nTTL n\r\n")).toBe("$2\r\n20\r\n:-1\r\n");
});

test("GETEX", () => {
  const raw = memoryGateway().client();
  raw.ask("SET k v\r\n");
  expect(raw.ask("GETEX k EX 10\r\nTTL k\r\nGETEX k\r\nTTL k\r\nGETEX k PERSIST\r\nTTL k\r\n")).toBe(
    "$1\r\nv\r\n:10\r\n$1\r\nv\r\n:10\r\n$1\r\nv\r\n:-1\r\n",
  );
  expect(raw.ask("GETEX k PERSIST\r\nGETEX none PERSIST\r\nGETEX none\r\nGETEX k PX 1\r\nPTTL k\r\n")).toBe(
    "$1\r\nv\r\n$-1\r\n$-1\r\n$1\r\nv\r\n:1\r\n",
  );
});

test("conditions on the present lifetime", () => {
  const raw = memoryGateway().client();
  raw.ask("MSET k v never v\r\n");
  for (const [request, reply] of [
    ["EXPIRE none 10", 0],
    ["EXPIRE k 10 XX", 0],
    ["EXPIRE k 10 GT", 0],
    ["EXPIRE k 10 NX", 1],
    ["EXPIRE k 10 NX", 0],
    ["EXPIRE k 20 LT", 0],
    ["EXPIRE k 20 GT", 1],
    ["EXPIRE k 15 XX LT", 1],
    ["EXPIRE k 30 XX GT", 1],
    ["TTL k", 30],
    ["EXPIRE never 10 XX LT", 0],
    ["EXPIRE never 10 LT", 1],
    ["PERSIST never", 1],
    ["PERSIST never", 0],
    ["PERSIST none", 0],
    ["EXPIRE k -1 GT", 0],
    ["EXPIRE k -1", 1],
    ["EXISTS k", 0],
  ] as const) {
    expect([request, raw.ask(`${request}\r\n`)]).toEqual([request, `:${reply}\r\n`]);
  }
});

test("lifetimes that no record holds are refused", () => {
  const raw = memoryGateway().client();
  const invalid = (name: string): string => `-ERR invalid expire time in '${name}' command\r\n`;
  expect(raw.ask("SET k v PX 9007199254740991\r\nSET k v PXAT 9007199254740991\r\nPEXPIRETIME k\r\n")).toBe(
    `${invalid("set")}+OK\r\n:9007199254740991\r\n`,
  );
  expect(
    raw.ask(
      "SETEX k 0 v\r\nPSETEX k -5 v\r\nGETEX k EX 0\r\n" +
        "EXPIRE k 9999999999999\r\nEXPIREAT k -9999999999999\r\n",
    ),
  ).toBe(["setex", "psetex", "getex", "expire", "expireat"].map(invalid).join(""));
});
