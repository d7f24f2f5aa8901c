// Goal: one client's turn: order, group commit, fairness, back-pressure, limits on time and memory, goodbyes.
// Method: a gateway in memory over a store whose completions are released by hand.
import { describe, expect, test } from "vitest";
import { NokvError } from "../../core/errors.ts";
import { MapKv } from "../../core/kv/map-kv.ts";
import { type MemoryGateway, memoryGateway, request, SlowKv } from "./gateway.test-support.ts";
import type { GatewayOptions } from "./options.ts";

interface Slow extends MemoryGateway {
  readonly slow: SlowKv;
}

function slowGateway(options: Partial<GatewayOptions> = {}): Slow {
  const kvs: SlowKv[] = [];
  const gateway = memoryGateway(options, (world) => {
    const kv = new SlowKv(new MapKv(() => world.clock.wallMs()));
    kvs.push(kv);
    return kv;
  });
  return { ...gateway, slow: kvs[0] as SlowKv };
}

describe("pipelining", () => {
  test("executes on while writes are pending, and answers in order", () => {
    const { world, slow, client } = slowGateway();
    const raw = client();
    expect(raw.ask("SET a 1\r\nGET a\r\nINCR a\r\nPING\r\nGET a\r\n")).toBe("");
    expect(slow.held).toBe(2);
    slow.release(1);
    world.clock.run();
    expect(raw.take()).toBe("");
    slow.release();
    world.clock.run();
    expect(raw.take()).toBe("+OK\r\n$1\r\n1\r\n:2\r\n+PONG\r\n$1\r\n2\r\n");
  });

  test("a group of writes completes in one network write", () => {
    const { world, slow, client } = slowGateway();
    const raw = client();
    raw.ask("SET a 1\r\nSET b 2\r\nSET c 3\r\n");
    const before = world.network.writes;
    slow.releaseAll();
    world.clock.run();
    expect(raw.take()).toBe("+OK\r\n+OK\r\n+OK\r\n");
    expect(world.network.writes - before).toBe(1);
  });

  test("answers that cost nothing share one network write", () => {
    const { world, client } = memoryGateway();
    const raw = client();
    const before = world.network.writes;
    expect(raw.ask("PING\r\n".repeat(100))).toBe("+PONG\r\n".repeat(100));
    expect(world.network.writes - before).toBe(2);
  });

  test("a failure of the store is one reply among the others", () => {
    const { world, slow, client } = slowGateway();
    const raw = client();
    slow.holding = false;
    for (const [code, message] of [
      ["NOKV_UNDETERMINED", "fsync failed"],
      ["NOKV_BUSY", "memory is full"],
      ["NOKV_NO_SPACE", "disk full"],
      ["NOKV_POISONED", "an earlier write failed"],
      ["NOKV_CORRUPTION", "table-000007.sst: offset 4096: bad checksum"],
      ["NOKV_IO", "EIO: read wal"],
      ["NOKV_CLOSED", "the database is closed"],
      ["NOKV_INVALID_ARGUMENT", "value\r\nis long"],
    ] as const) {
      slow.failures.push(new NokvError(code, message));
    }
    raw.send("SET a 1\r\n".repeat(8));
    world.clock.run();
    expect(raw.ask("PING\r\n")).toBe(
      "-UNDETERMINED the write may or may not survive: fsync failed\r\n" +
        "-TRYAGAIN memory is full\r\n" +
        "-OOM command not allowed: no space left on device: disk full\r\n" +
        "-MISCONF writes are refused until the server is restarted: an earlier write failed\r\n" +
        "-ERR corruption: table-000007.sst: offset 4096: bad checksum\r\n" +
        "-ERR the machine failed: EIO: read wal\r\n" +
        "-ERR the database is closed\r\n" +
        "-ERR value  is long\r\n+PONG\r\n",
    );
  });

  test("a reply has the protocol that held when its request came", () => {
    const { world, slow, client } = slowGateway();
    const raw = client();
    raw.ask("SET a 1 XX\r\nHELLO 3\r\nSET a 1 XX\r\n");
    slow.releaseAll();
    world.clock.run();
    expect(raw.take()).toMatch(/^\$-1\r\n%7\r\n[^]*_\r\n$/);
  });
});

describe("turns", () => {
  test("a long pipeline lets others in", () => {
    const { world, client } = memoryGateway({ requestsPerTurnMax: 10 });
    const [greedy, modest] = [client(), client()];
    greedy.send("PING\r\n".repeat(10_000));
    modest.send("PING\r\n");
    while (modest.received === "") world.clock.advance(0);
    world.clock.run();
    expect(greedy.take()).toBe("+PONG\r\n".repeat(10_000));
    expect(modest.take()).toBe("+PONG\r\n");
  });

  test("the others are served long before a pipeline ends", () => {
    const { world, client } = memoryGateway({ requestsPerTurnMax: 10 });
    const [greedy, modest] = [client(), client()];
    let seen = -1;
    const { onData } = modest;
    modest.onData = (bytes): void => {
      seen = greedy.received.length;
      onData.call(modest, bytes);
    };
    greedy.send("PING\r\n".repeat(10_000));
    modest.send("PING\r\n");
    world.clock.run();
    expect(seen).toBeLessThan(7 * 100);
  });

  test("no more than so many requests are in flight, and then it goes on", () => {
    const { world, slow, client } = slowGateway({ inFlightMax: 3 });
    const raw = client();
    raw.ask(Array.from({ length: 8 }, (_, i) => `SET k${i} v\r\n`).join(""));
    expect(slow.held).toBe(3);
    for (let i = 0; i < 8; i++) {
      slow.release();
      world.clock.run();
    }
    expect(raw.take()).toBe("+OK\r\n".repeat(8));
    expect(slow.held).toBe(0);
  });

  test("100,000 pipelined requests of any size of piece", () => {
    const { world, client } = memoryGateway();
    world.network.cut = () => 65_521;
    const raw = client();
    const count = 100_000;
    expect(raw.ask("INCR n\r\n".repeat(count)).endsWith(`:${count}\r\n`)).toBe(true);
  });

  test("what must be alone keeps later requests back", () => {
    const { world, slow, client } = slowGateway({ scanKeysMax: 1 });
    slow.holding = false;
    const raw = client();
    raw.ask("MSET a 1 b 2 c 3\r\n");
    expect(raw.take()).toBe("");
    slow.holdsReads = true;
    raw.ask("KEYS *\r\nDEL b\r\nDBSIZE\r\n");
    while (slow.held > 0) {
      slow.release();
      world.clock.run();
    }
    expect(raw.take()).toBe(`*3\r\n${request("a", "b", "c").slice(4)}:1\r\n:2\r\n`);
  });
});

describe("back-pressure", () => {
  test("who does not read is not read from, and loses nothing", () => {
    const { world, server, client } = memoryGateway({ outputBytesPause: 10_000 });
    const raw = client();
    raw.ask(request("SET", "k", "v".repeat(1000)));
    raw.take();
    raw.connection.pause();
    raw.send(request("GET", "k").repeat(1000));
    world.clock.run();
    const waiting = [...server.gateway.clients.values()].map(({ replyBytes }) => replyBytes)[0] ?? 0;
    expect(waiting).toBeLessThan(40_000);
    raw.connection.resume();
    world.clock.run();
    expect(raw.take().length).toBe(1000 * 1009);
  });

  test("bytes held behind a pending write count too", () => {
    const { world, slow, client } = slowGateway({ outputBytesPause: 10_000 });
    slow.holding = false;
    const raw = client();
    raw.ask(request("SET", "k", "v".repeat(1000)));
    raw.take();
    slow.holding = true;
    raw.send(request("SET", "a", "1") + request("GET", "k").repeat(1000) + request("INCR", "n"));
    world.clock.run();
    expect(slow.held).toBe(1);
    slow.releaseAll();
    world.clock.run();
    slow.releaseAll();
    world.clock.run();
    expect(raw.take().length).toBe(5 + 1000 * 1009 + 4);
  });

  test("a reply beyond the limit ends the connection", () => {
    const { server, client } = memoryGateway({ outputBytesMax: 5000 });
    const raw = client();
    raw.ask(request("SET", "k", "v".repeat(1000)));
    raw.take();
    expect(raw.ask(request("MGET", ...Array.from({ length: 10 }, () => "k")))).toBe("");
    expect(raw.closed).toBe(true);
    expect(server.gateway.statistics.outputLimitDisconnections).toBe(1);
  });
});

describe("time", () => {
  test("an incomplete request may take a minute, however it trickles", () => {
    const { world, client } = memoryGateway();
    const raw = client();
    raw.send("*1\r\n$4\r\nPI");
    for (let s = 0; s < 59; s++) {
      world.clock.advance(1000);
      expect(raw.received).toBe("");
    }
    raw.send("N");
    world.clock.advance(3000);
    expect(raw.take()).toBe("-ERR timeout in the middle of a request\r\n");
    expect(raw.ended).toBe(true);
  });

  test("a silent client may stay, unless told otherwise", () => {
    const patient = memoryGateway();
    const stays = patient.client();
    patient.world.clock.advance(3_600_000);
    expect(stays.ask("PING\r\n")).toBe("+PONG\r\n");
    const hasty = memoryGateway({ idleMs: 10_000 });
    const leaves = hasty.client();
    leaves.ask("PING\r\n");
    hasty.world.clock.advance(9000);
    expect(leaves.ended).toBe(false);
    hasty.world.clock.advance(4000);
    expect(leaves.ended).toBe(true);
  });

  test("who was told goodbye and does not go is thrown out", () => {
    const { world, server, client } = memoryGateway();
    const raw = client();
    expect(raw.ask("QUIT\r\nPING\r\n")).toBe("+OK\r\n");
    expect([raw.ended, raw.closed]).toEqual([true, false]);
    world.clock.advance(4000);
    expect(raw.closed).toBe(true);
    expect(server.gateway.clients.size).toBe(0);
  });
});

describe("goodbyes", () => {
  test("a half-closed client still gets its answers", () => {
    const { world, slow, client } = slowGateway();
    const raw = client();
    raw.send("SET a 1\r\nGET a\r\nGET");
    raw.connection.end();
    world.clock.run();
    expect([raw.take(), raw.ended]).toEqual(["", false]);
    slow.releaseAll();
    world.clock.run();
    expect(raw.take()).toBe("+OK\r\n$1\r\n1\r\n");
    expect([raw.ended, raw.closed, raw.closeError]).toEqual([true, true, null]);
  });

  test("a half-closed client with a long pipeline gets all of it", () => {
    const { world, client } = memoryGateway({ requestsPerTurnMax: 7 });
    const raw = client();
    raw.send("PING\r\n".repeat(1000));
    raw.connection.end();
    world.clock.run();
    expect(raw.take()).toBe("+PONG\r\n".repeat(1000));
    expect(raw.closed).toBe(true);
  });

  test("a reset in the middle harms nobody else", () => {
    const { world, slow, client, server } = slowGateway();
    const [lost, other] = [client(), client()];
    lost.ask("SET a 1\r\nKEYS *\r\nGET a\r\n");
    lost.connection.destroy();
    world.clock.run();
    expect(server.gateway.clients.size).toBe(1);
    slow.releaseAll();
    expect(other.ask("GET a\r\n")).toBe("$1\r\n1\r\n");
  });

  test("closing the server answers what was begun and takes no more", () => {
    const { world, slow, client, server } = slowGateway();
    const raw = client();
    raw.ask("SET a 1\r\n");
    let closed = false;
    server.close(() => (closed = true));
    raw.send("SET a 2\r\n");
    world.clock.run();
    expect(closed).toBe(false);
    slow.releaseAll();
    world.clock.run();
    expect(raw.take()).toBe("+OK\r\n");
    raw.connection.end();
    world.clock.run();
    expect([raw.closed, closed]).toEqual([true, true]);
    const late = client();
    expect([late.opened, late.closed]).toEqual([false, true]);
  });

  test("closing the server does not wait for clients that do not go", () => {
    const { world, client, server } = memoryGateway();
    client();
    let closed = false;
    server.close(() => (closed = true));
    world.clock.advance(2001);
    expect(closed).toBe(true);
  });
});

test("CLIENT REPLY turns replies off, skips one, and on again", () => {
  const raw = memoryGateway().client();
  expect(raw.ask("CLIENT REPLY OFF\r\nSET a 1\r\nGET a\r\nNOPE\r\nCLIENT REPLY ON\r\nGET a\r\n")).toBe(
    "+OK\r\n$1\r\n1\r\n",
  );
  expect(raw.ask("CLIENT REPLY SKIP\r\nGET a\r\nGET a\r\n")).toBe("$1\r\n1\r\n");
  expect(raw.ask("CLIENT REPLY OFF\r\nRESET\r\nPING\r\n")).toBe("+RESET\r\n+PONG\r\n");
});
