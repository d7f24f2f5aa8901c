// Goal: MULTI, EXEC, DISCARD, WATCH and UNWATCH as Redis has them. Method: tables of requests and replies, measured
// against redis-server 7.0.15 where it is not said otherwise, and stories with two clients.
import { beforeEach, describe, expect, test } from "vitest";
import { NokvError } from "../../core/errors.ts";
import { MapKv } from "../../core/kv/map-kv.ts";
import { type MemoryGateway, memoryGateway, type RawClient, request, SlowKv } from "./gateway.test-support.ts";

const ok = "+OK";
const queued = "+QUEUED";
const abort = "-EXECABORT Transaction discarded because of previous errors.";

/** Requests by line, their tokens by blanks; replies by line. */
const rows: readonly (readonly [name: string, requests: readonly string[], replies: readonly string[]])[] = [
  ["one after the other", ["MULTI", "SET a 1", "INCR a", "GET a", "EXEC"],
    [ok, queued, queued, queued, "*3", ok, ":2", "$1", "2"]],
  ["nothing", ["MULTI", "EXEC"], [ok, "*0"]],
  ["nested", ["MULTI", "MULTI", "SET a 1", "EXEC"], [ok, "-ERR MULTI calls can not be nested", queued, "*1", ok]],
  ["WATCH inside", ["MULTI", "WATCH a", "SET a 1", "EXEC"],
    [ok, "-ERR WATCH inside MULTI is not allowed", queued, "*1", ok]],
  ["UNWATCH inside", ["MULTI", "UNWATCH", "EXEC"], [ok, queued, "*1", ok]],
  ["an unknown command", ["MULTI", "FOO a", "SET a 1", "EXEC", "EXEC", "GET a"],
    [ok, "-ERR unknown command 'FOO', with args beginning with: 'a' ", queued, abort, "-ERR EXEC without MULTI",
      "$-1"]],
  ["an unknown subcommand", ["MULTI", "CLIENT NOPE", "EXEC"],
    [ok, "-ERR unknown subcommand 'NOPE'. Try CLIENT HELP.", abort]],
  ["a wrong arity", ["MULTI", "GET", "EXEC"], [ok, "-ERR wrong number of arguments for 'get' command", abort]],
  ["a wrong arity of EXEC", ["MULTI", "EXEC now", "SET a 1", "EXEC", "DISCARD"],
    [ok, "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command", ok,
      "-ERR EXEC without MULTI", "-ERR DISCARD without MULTI"]],
  ["outside", ["EXEC", "DISCARD", "UNWATCH", "WATCH", "MULTI x"],
    ["-ERR EXEC without MULTI", "-ERR DISCARD without MULTI", ok,
      "-ERR wrong number of arguments for 'watch' command", "-ERR wrong number of arguments for 'multi' command"]],
  ["discarded", ["MULTI", "SET a 9", "DISCARD", "GET a"], [ok, queued, ok, "$-1"]],
  ["errors while it runs undo nothing",
    ["SET a x", "MULTI", "SET b 1", "INCR a", "SET a 1 EX", "MSET c", "SET c 2", "EXEC", "MGET a b c"],
    [ok, ok, queued, queued, queued, "-ERR wrong number of arguments for 'mset' command", queued, abort, "*3", "$1",
      "x", "$-1", "$-1"]],
  ["refused values undo nothing",
    ["SET a x", "MULTI", "SET b 1", "INCR a", "SET a 1 EX", "SET c 2", "EXEC", "MGET a b c"],
    [ok, ok, queued, queued, queued, queued, "*4", ok, "-ERR value is not an integer or out of range",
      "-ERR syntax error", ok, "*3", "$1", "x", "$1", "1", "$1", "2"]],
  ["what concerns no key", ["MULTI", "PING", "PING hi", "SELECT 77", "CLIENT SETNAME me", "CLIENT GETNAME", "EXEC"],
    [ok, queued, queued, queued, queued, queued, "*5", "+PONG", "$2", "hi", "-ERR DB index is out of range", ok, "$2",
      "me"]],
  ["RESET", ["MULTI", "SET a 1", "RESET", "EXEC"], [ok, queued, "+RESET", "-ERR EXEC without MULTI"]],
  ["QUIT", ["MULTI", "SET a 1", "QUIT"], [ok, queued, ok]],
  ["a watched key that is set", ["SET w 1", "WATCH w", "SET w 2", "MULTI", "GET w", "EXEC", "GET w"],
    [ok, ok, ok, ok, queued, "*-1", "$1", "2"]],
  ["what concerns no key waits for the watched ones", ["WATCH w", "SET w 2", "MULTI", "CLIENT SETNAME me", "EXEC",
    "CLIENT GETNAME"], [ok, ok, ok, queued, "*-1", "$-1"]],
  ["a watched key that is made", ["WATCH n", "SET n 1", "MULTI", "EXEC"], [ok, ok, ok, "*-1"]],
  ["a watched key that comes and goes", ["WATCH n", "SET n 1", "DEL n", "MULTI", "EXEC"], [ok, ok, ":1", ok, "*-1"]],
  ["a watched key that stays away", ["WATCH n", "DEL n", "MULTI", "EXEC"], [ok, ":0", ok, "*0"]],
  ["a watched key that is flushed", ["SET n 1", "WATCH n", "FLUSHALL", "MULTI", "EXEC"], [ok, ok, ok, ok, "*-1"]],
  ["a watched key set to what it was", ["SET n 1", "WATCH n", "SET n 1", "MULTI", "EXEC"], [ok, ok, ok, ok, "*-1"]],
  ["a watched key that is refused a change",
    ["SET n 1", "WATCH n", "EXPIRE n 100 XX", "PERSIST n", "SET n 2 NX", "MULTI", "EXEC"],
    [ok, ok, ":0", ":0", "$-1", ok, "*0"]],
  ["a watched key given a lifetime", ["SET n 1", "WATCH n", "EXPIRE n 100", "MULTI", "EXEC"],
    [ok, ok, ":1", ok, "*-1"]],
  ["UNWATCH", ["WATCH n", "SET n 1", "UNWATCH", "MULTI", "EXEC"], [ok, ok, ok, ok, "*0"]],
  ["EXEC forgets", ["WATCH n", "SET n 1", "MULTI", "EXEC", "MULTI", "EXEC"], [ok, ok, ok, "*-1", ok, "*0"]],
  ["DISCARD forgets", ["WATCH n", "SET n 1", "MULTI", "DISCARD", "MULTI", "EXEC"], [ok, ok, ok, ok, ok, "*0"]],
  ["an aborted EXEC forgets", ["WATCH n", "SET n 1", "MULTI", "GET", "EXEC", "MULTI", "EXEC"],
    [ok, ok, ok, "-ERR wrong number of arguments for 'get' command", abort, ok, "*0"]],
  ["watched twice, the first counts", ["WATCH n", "SET n 1", "WATCH n", "MULTI", "EXEC"], [ok, ok, ok, ok, "*-1"]],
  ["walks (Redis queues them)", ["MULTI", "DBSIZE", "EXEC", "MULTI", "FLUSHALL", "EXEC"],
    [ok, "-ERR Command not allowed inside a transaction", abort, ok, "-ERR Command not allowed inside a transaction",
      abort]],
];

function encoded(requests: readonly string[]): string {
  return requests.map((line) => request(...line.split(" "))).join("");
}

for (const [name, requests, replies] of rows) {
  const expected = replies.map((line) => `${line}\r\n`).join("");
  test(`${name}; all at once`, () => {
    expect(memoryGateway().client().ask(encoded(requests))).toBe(expected);
  });
  test(`${name}; one request at a time, and a store that is slow`, () => {
    const kvs: SlowKv[] = [];
    const { world, client } = memoryGateway({ inFlightMax: 1 }, (made) => {
      kvs.push(new SlowKv(new MapKv(() => made.clock.wallMs())));
      return kvs[0] as SlowKv;
    });
    const [slow] = kvs as [SlowKv];
    slow.holdsReads = true;
    const raw = client();
    raw.send(encoded(requests));
    do {
      world.clock.run();
      slow.releaseAll();
    } while (world.clock.run() || slow.held > 0);
    expect(raw.take()).toBe(expected);
  });
}

describe("two clients", () => {
  let gateway: MemoryGateway;
  let a: RawClient;
  let b: RawClient;
  let slow: SlowKv;

  beforeEach(() => {
    gateway = memoryGateway({}, (made) => (slow = new SlowKv(new MapKv(() => made.clock.wallMs()))));
    slow.holding = false;
    a = gateway.client();
    b = gateway.client();
  });

  test("the one that watched is told that the other was first", () => {
    a.ask(encoded(["SET balance 10", "WATCH balance"]));
    expect(a.ask(encoded(["GET balance"]))).toBe("$2\r\n10\r\n");
    b.ask(encoded(["SET balance 5"]));
    expect(a.ask(encoded(["MULTI", "SET balance 11", "EXEC"]))).toBe("+OK\r\n+QUEUED\r\n*-1\r\n");
    expect(a.ask(encoded(["WATCH balance", "MULTI", "DECRBY balance 2", "EXEC"]))).toBe(
      "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n:3\r\n",
    );
  });

  test("nobody sees a transaction that was not executed, and nothing comes between its steps", () => {
    a.ask(encoded(["SET k 1", "MULTI", "INCR k"]));
    expect(b.ask(encoded(["GET k", "SET k 10"]))).toBe("$1\r\n1\r\n+OK\r\n");
    expect(a.ask(encoded(["GET k", "INCR k", "EXEC"]))).toBe("+QUEUED\r\n+QUEUED\r\n*3\r\n:11\r\n$2\r\n11\r\n:12\r\n");
  });

  test("a lifetime that ends is a change, one that had ended is none", () => {
    a.ask(encoded(["SET k 1 PX 100", "WATCH k"]));
    gateway.world.clock.advance(100);
    expect(a.ask(encoded(["MULTI", "EXEC"]))).toBe("+OK\r\n*-1\r\n");
    expect(a.ask(encoded(["WATCH k", "MULTI", "EXEC"]))).toBe("+OK\r\n+OK\r\n*0\r\n");
  });

  test("RESP3 has its own nothing, from HELLO on", () => {
    a.ask(encoded(["HELLO 3"]));
    expect(a.ask(encoded(["WATCH k", "SET k 1", "MULTI", "GET none", "EXEC"]))).toBe(
      "+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n_\r\n",
    );
    expect(a.ask(encoded(["MULTI", "GET none", "MGET none", "EXEC"]))).toBe(
      "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n_\r\n*1\r\n_\r\n",
    );
    const changes = b.ask(encoded(["MULTI", "PING", "HELLO 3", "GET none", "EXEC"]));
    expect(changes).toMatch(/^\+OK\r\n(\+QUEUED\r\n){3}\*3\r\n\+PONG\r\n%7\r\n[^]*_\r\n$/);
  });

  test("a failure of the store is the one reply, and the transaction is over", () => {
    slow.failures.push(new NokvError("NOKV_UNDETERMINED", "the disk is gone"));
    expect(a.ask(encoded(["MULTI", "SET k 1", "EXEC", "EXEC"]))).toBe(
      "+OK\r\n+QUEUED\r\n-UNDETERMINED the write may or may not survive: the disk is gone\r\n" +
        "-ERR EXEC without MULTI\r\n",
    );
    slow.failures.push(new NokvError("NOKV_BUSY", "too much"));
    expect(a.ask(encoded(["WATCH k", "SET k 1", "MULTI", "EXEC"]))).toBe(
      "-TRYAGAIN too much\r\n+OK\r\n+OK\r\n*0\r\n",
    );
  });

  test("a queue has a bound, and so has what is watched", () => {
    gateway = memoryGateway({ bulkBytesMax: 1000, requestBytesMax: 3000 });
    const c = gateway.client();
    c.ask(encoded(["MULTI"]));
    const big = encoded([`SET k ${"x".repeat(1000)}`]);
    expect(c.ask(big) + c.ask(big) + c.ask(big)).toBe(
      "+QUEUED\r\n+QUEUED\r\n-ERR transaction is longer than 3000 bytes\r\n",
    );
    expect(c.ask(encoded(["EXEC", "GET k"]))).toBe(`${abort}\r\n$-1\r\n`);
    const watch = encoded([`WATCH ${"k".repeat(900)}`]);
    expect(c.ask(watch) + c.ask(watch) + c.ask(watch)).toBe(
      "+OK\r\n+OK\r\n-ERR watched keys take more than 3000 bytes\r\n",
    );
  });

  test("the table knows them", () => {
    expect(a.ask(encoded(["MULTI", "SET k 1", "CLIENT LIST"]))).toContain("QUEUED");
    expect(b.ask(encoded(["WATCH k", "CLIENT INFO"]))).toContain("flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 watch=1");
    expect(b.ask(encoded(["CLIENT LIST"]))).toContain("flags=x db=0 sub=0 psub=0 ssub=0 multi=2 watch=0");
    expect(b.ask(encoded(["COMMAND INFO exec"]))).toContain("@transaction");
    expect(b.ask(encoded(["MULTI", "INFO keyspace", "EXEC"]))).toContain("# Keyspace");
  });
});
