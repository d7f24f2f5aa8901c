// Goal: every request of a client ends in exactly one outcome, and the outcome is true. Method: a gateway in
// memory, connections cut at every byte of a request and of its reply, and servers that misbehave.
import { expect, test } from "vitest";
import type { Connection, ConnectionHandler } from "../../core/env/network.ts";
import { type ClientOptions, RedisClient, type RequestOutcome } from "./client.ts";
import { address, latin, memoryGateway, SlowKv } from "./gateway.test-support.ts";
import { MapKv } from "../../core/kv/map-kv.ts";
import { NokvError } from "../../core/errors.ts";
import { type MemoryWorld, memoryWorld } from "./memory-network.test-support.ts";
import { showReply } from "./reply.ts";

function show(outcome: RequestOutcome): string {
  switch (outcome.kind) {
    case "reply":
      return showReply(outcome.reply);
    case "error":
      return `${outcome.kind} ${outcome.code}`;
    case "undetermined":
    case "not-sent":
      return `${outcome.kind}: ${outcome.reason}`;
  }
}

/** Sends all at once; the outcomes in the order of their coming. */
function sendAll(client: RedisClient, ...requests: readonly string[]): string[] {
  const outcomes: string[] = [];
  for (const line of requests) client.send(line.split(" "), (outcome) => outcomes.push(show(outcome)));
  return outcomes;
}

function connect(world: MemoryWorld, options: Partial<ClientOptions> = {}): RedisClient {
  return new RedisClient(world, address, options);
}

/** A server that says `words` when it hears something, or at once. */
function speak(world: MemoryWorld, words: string, when: "asked" | "at once"): void {
  world.network.listen(address, {
    onListening: () => undefined,
    onError: () => undefined,
    onConnection: (connection: Connection): ConnectionHandler => {
      if (when === "at once") connection.write(latin(words));
      return {
        onOpen: () => undefined,
        onData: () => void (when === "asked" && connection.write(latin(words))),
        onEnd: () => connection.end(),
        onDrain: () => undefined,
        onClose: () => undefined,
      };
    },
  });
  world.clock.run();
}

test("requests of one turn share a write and are answered in order", () => {
  const gateway = memoryGateway();
  const client = connect(gateway.world);
  const outcomes = sendAll(client, "SET a 1", "INCR a", "GET a", "NOPE", "GET none");
  expect(client.inFlight).toBe(5);
  gateway.world.clock.run();
  expect(outcomes).toEqual(["OK", "(integer) 2", '"2"', "error ERR", "(nil)"]);
  expect(gateway.world.network.writes).toBe(2);
  expect([client.open, client.inFlight]).toEqual([true, 0]);
});

test("RESP3 begins with HELLO", () => {
  const gateway = memoryGateway();
  const client = connect(gateway.world, { protocol: 3 });
  const outcomes = sendAll(client, "CONFIG GET databases");
  gateway.world.clock.run();
  expect(outcomes).toEqual(['{"databases": "1"}']);
});

test("no server: nothing was sent", () => {
  const world = memoryWorld();
  const client = connect(world);
  const outcomes = sendAll(client, "SET a 1");
  world.clock.run();
  expect(outcomes).toEqual(["not-sent: ECONNREFUSED: connect 127.0.0.1:6380"]);
  expect(client.closed).toBe(true);
  const late = sendAll(client, "SET a 2");
  world.clock.run();
  expect(late).toEqual(["not-sent: ECONNREFUSED: connect 127.0.0.1:6380"]);
});

test("the promise facade settles", async () => {
  const gateway = memoryGateway();
  const client = connect(gateway.world);
  const asked = client.request(["ECHO", Uint8Array.of(0xff, 0x0d, 0x0a)]);
  gateway.world.clock.run();
  expect(show(await asked)).toBe('"\xff\\r\\n"');
  client.close();
  const refused = client.request(["PING"]);
  gateway.world.clock.run();
  expect(show(await refused)).toBe("not-sent: closed by the client");
});

test("a connection cut after any byte leaves what was answered answered, the rest undetermined", () => {
  const words = "+OK\r\n:12\r\n";
  for (let kept = 0; kept <= words.length; kept++) {
    const world = memoryWorld();
    speak(world, words.slice(0, kept), "asked");
    const client = connect(world);
    const outcomes = sendAll(client, "SET a 1", "INCR a");
    world.clock.run();
    client.close();
    world.clock.run();
    const lost = "undetermined: closed by the client";
    expect(outcomes).toEqual([kept < 5 ? lost : "OK", kept < 10 ? lost : "(integer) 12"]);
  }
});

test("a server that hangs up leaves the outcome open", () => {
  const gateway = memoryGateway({}, (world) => new SlowKv(new MapKv(() => world.clock.wallMs())));
  const client = connect(gateway.world);
  const outcomes = sendAll(client, "SET a 1", "PING");
  gateway.world.clock.run();
  expect(outcomes).toEqual([]);
  gateway.server.close(() => undefined);
  gateway.world.clock.advance(10_000);
  expect(outcomes).toEqual([
    "undetermined: ECONNRESET: reset by peer",
    "undetermined: ECONNRESET: reset by peer",
  ]);
});

test("an outcome that the server does not know is undetermined, and the connection goes on", () => {
  const gateway = memoryGateway({}, (world) => {
    const kv = new SlowKv(new MapKv(() => world.clock.wallMs()));
    kv.holding = false;
    kv.failures.push(
      new NokvError("NOKV_UNDETERMINED", "sync failed"),
      new NokvError("NOKV_POISONED", "sync failed"),
    );
    return kv;
  });
  const client = connect(gateway.world);
  const outcomes = sendAll(client, "SET a 1", "SET a 2", "PING");
  gateway.world.clock.run();
  expect(outcomes).toEqual([
    "undetermined: UNDETERMINED the write may or may not survive: sync failed",
    "error MISCONF",
    "PONG",
  ]);
});

test("time limits: to connect, and without a reply", () => {
  const world = memoryWorld();
  const silent = { listen: () => expect.unreachable(), connect: () => new MuteConnection() };
  const client = new RedisClient({ network: silent, clock: world.clock }, address, { connectMs: 100 });
  const outcomes = sendAll(client, "PING");
  world.clock.advance(101);
  expect(outcomes).toEqual(["not-sent: no connection in time"]);

  const gateway = memoryGateway({}, () => new SlowKv(new MapKv(() => 0)));
  const waiting = connect(gateway.world, { replyMs: 1000 });
  const replies = sendAll(waiting, "PING", "SET a 1");
  gateway.world.clock.advance(999);
  expect(replies).toEqual(["PONG"]);
  gateway.world.clock.advance(1001);
  expect(replies).toEqual(["PONG", "undetermined: no reply in time"]);
});

class MuteConnection implements Connection {
  readonly remote = address;
  write(): boolean {
    return true;
  }
  pendingBytes(): number {
    return 0;
  }
  pause(): void {
    // Nothing comes anyway.
  }
  resume(): void {
    // Nothing comes anyway.
  }
  end(): void {
    // There is nobody.
  }
  destroy(): void {
    // There is nobody.
  }
}

test("a server that cannot be understood is left", () => {
  for (const [words, when, reason] of [
    ["?\r\n", "asked", 'reply not understood: unknown type of reply "?"'],
    ["-ERR max number of clients reached\r\n", "at once", "ERR max number of clients reached"],
    ["+hello\r\n", "at once", "a reply without a request"],
    ["+PONG\r\n+PONG\r\n", "asked", "a reply without a request"],
  ] as const) {
    const world = memoryWorld();
    speak(world, words, when);
    const client = connect(world);
    if (when === "asked") sendAll(client, "PING");
    world.clock.run();
    expect(client.closeReason).toBe(reason);
  }
});

test("pushes are told apart from replies", () => {
  const world = memoryWorld();
  speak(world, ">1\r\n+news\r\n+PONG\r\n", "asked");
  const pushes: string[] = [];
  const client = connect(world, { onPush: (reply) => pushes.push(showReply(reply)) });
  const outcomes = sendAll(client, "PING");
  world.clock.run();
  expect([pushes, outcomes]).toEqual([["[news]"], ["PONG"]]);
});

test("more than may await a reply is not sent, and closing is told once", () => {
  const gateway = memoryGateway();
  const client = connect(gateway.world, { inFlightMax: 2 });
  const outcomes = sendAll(client, "PING", "PING", "PING");
  let closed = 0;
  client.onceClosed(() => closed++);
  gateway.world.clock.run();
  expect(outcomes).toEqual(["not-sent: too many requests await a reply", "PONG", "PONG"]);
  client.close();
  client.close();
  gateway.world.clock.run();
  client.onceClosed(() => closed++);
  gateway.world.clock.run();
  expect(closed).toBe(2);
});
