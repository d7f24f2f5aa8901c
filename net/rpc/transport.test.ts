// Goal: what callers and peers can rely on at the edges: cancellation, slowness, silence, age of connections, back-off,
// batches, and what becomes of a peer that does not keep to the protocol.
// Method: transports over a network and a clock driven by hand; a raw peer that speaks single frames.
import { describe, expect, test } from "vitest";
import { ByteReader } from "../../core/bytes/byte-reader.ts";
import type { ByteWriter } from "../../core/bytes/byte-writer.ts";
import type { Connection } from "../../core/env/network.ts";
import { ManualClock, MemoryNetwork } from "../redis/memory-network.test-support.ts";
import { FrameReader } from "./frame-reader.ts";
import { FrameWriter } from "./frame-writer.ts";
import { type Hello, helloOf, readRefusal, writeHello } from "./hello.ts";
import type { NetOptions } from "./options.ts";
import { writeRequestHeader } from "./request-codec.ts";
import type { RpcError } from "./rpc-error.ts";
import { Transport } from "./transport.ts";
import { frameType, messageClass } from "./wire.ts";

interface Outcome {
  readonly error: RpcError | null;
  readonly payload: string;
}

class Stage {
  readonly clock = new ManualClock();
  readonly network = new MemoryNetwork(this.clock);
  readonly traces: string[] = [];
  readonly unreachable: string[] = [];

  transport(storeId: number, options: Partial<NetOptions> = {}): Transport {
    const emit = (event: string, fields: object): void => {
      this.traces.push(`${event} ${Object.values(fields).join(" ")}`);
    };
    const trace = { enabled: true, emit };
    const random = { u32: (stream: string, entity: number, ordinal: number) => stream.length + entity + ordinal };
    return new Transport(
      { clock: this.clock, network: this.network, random, trace },
      {
        identity: { clusterId: "c", storeId, incarnation: 5, role: "store", features: 0 },
        options,
        resolve: (id, done) => done({ host: "here", port: id }),
        hooks: {
          onMessage: () => {},
          onUnreachable: (id, reason) => void this.unreachable.push(`${id} ${reason}`),
        },
        streams: null,
      },
    );
  }

  server(storeId: number, options: Partial<NetOptions> = {}): Transport {
    const transport = this.transport(storeId, options);
    transport.listen({ host: "here", port: storeId }, { onListening: () => {}, onError: () => {} });
    this.clock.run();
    return transport;
  }
}

interface Order {
  readonly timeoutMs?: number;
  readonly cls?: 2 | 3;
  readonly payload?: Uint8Array;
}

function call(from: Transport, to: number, order: Order = {}): { outcomes: Outcome[]; cancel: () => void } {
  const outcomes: Outcome[] = [];
  const { timeoutMs = 5_000, cls = messageClass.client, payload = Uint8Array.of(1) } = order;
  const handle = from.call(to, { method: 1, payload, timeoutMs, cls, traceId: 0, region: null }, (error, bytes) => {
    outcomes.push({ error, payload: [...bytes].join() });
  });
  expect(outcomes).toEqual([]);
  return { outcomes, cancel: () => handle.cancel() };
}

/** A peer that says exactly what a test wants it to. */
class RawPeer {
  readonly frames: { type: number; id: number; body: Uint8Array }[] = [];
  closed = false;
  readonly connection: Connection;
  readonly #writer = new FrameWriter();
  readonly #reader = new FrameReader(2_000_000);

  constructor(stage: Stage, port: number) {
    this.connection = stage.network.connect(
      { host: "here", port },
      {
        onOpen: () => {},
        onEnd: () => {},
        onDrain: () => {},
        onClose: () => {
          this.closed = true;
        },
        onData: (bytes) => {
          this.#reader.feed(bytes);
          while (this.#reader.next() === "frame") {
            const { type, id, body } = this.#reader;
            this.frames.push({ type, id, body: body.slice() });
          }
          this.#reader.retain();
        },
      },
    );
  }

  // oxlint-disable-next-line max-params
  say(cls: number, type: number, id: number, body: (writer: ByteWriter) => void = () => {}): void {
    body(this.#writer.begin(cls, type, id, 0));
    this.#writer.end();
    this.connection.write(this.#writer.view());
    this.#writer.clear();
  }

  greet(change: Partial<Hello> = {}): void {
    const identity = { clusterId: "c", storeId: 9, incarnation: 5, role: "store", features: 0 } as const;
    const hello = { ...helloOf(identity, "control", 1, 0), ...change };
    this.say(0, frameType.hello, 0, (writer) => writeHello(writer, hello));
  }

  ask(id: number, payloadBytes = 1): void {
    this.say(messageClass.client, frameType.request, id, (writer) => {
      writeRequestHeader(writer, { method: 1, remainingMs: 60_000, traceId: 0, region: null });
      writer.raw(new Uint8Array(payloadBytes));
    });
  }
}

describe("cancellation", () => {
  test("before the request has left: it never does", () => {
    const stage = new Stage();
    const [a, b] = [stage.server(1), stage.server(2)];
    let executed = 0;
    b.handle(1, (request) => {
      executed++;
      request.respond(request.keep());
    });
    const { outcomes, cancel } = call(a, 2);
    cancel();
    stage.clock.advance(1_000);
    expect(outcomes).toEqual([{ error: { kind: "cancelled", sent: false }, payload: "" }]);
    expect(executed).toBe(0);
  });

  test("after it has left: the handler hears of it, and its answer stays there", () => {
    const stage = new Stage();
    const [a, b] = [stage.server(1), stage.server(2)];
    const reasons: string[] = [];
    b.handle(1, (request) => {
      request.onCancel((reason) => reasons.push(reason));
      stage.clock.after(50_000, () => request.respond(Uint8Array.of(7)));
    });
    const { outcomes, cancel } = call(a, 2);
    stage.clock.advance(10);
    cancel();
    stage.clock.advance(100);
    expect(outcomes).toEqual([{ error: { kind: "cancelled", sent: true }, payload: "" }]);
    expect(reasons).toEqual(["cancelled"]);
    expect(a.statistics.lateResponses).toBe(0);
    expect(b.state()).toMatchObject({ inFlight: 0, responseBytes: 0, deadlines: 0 });
  });

  test("between the answer and its leaving: it does not leave", () => {
    const stage = new Stage();
    const b = stage.server(2, { writeBytes: 10 });
    const peer = new RawPeer(stage, 2);
    b.handle(1, (request) => request.respond(new Uint8Array(100_000)));
    peer.greet();
    stage.clock.run();
    peer.connection.pause();
    peer.ask(1);
    peer.ask(2);
    stage.clock.advance(5);
    peer.say(0, frameType.cancel, 2);
    stage.clock.advance(5);
    peer.connection.resume();
    stage.clock.advance(50);
    const answers = peer.frames.filter(({ type }) => type === frameType.response);
    expect(answers.map(({ id }) => id)).toEqual([1]);
    expect(b.state()).toMatchObject({ inFlight: 0, responseBytes: 0 });
  });
});

describe("deadlines", () => {
  test("are told as the time that is left when the request leaves", () => {
    const stage = new Stage();
    const [a, b] = [stage.server(1), stage.server(2)];
    const left: number[] = [];
    b.handle(1, (request) => {
      left.push(request.remainingMs);
      request.respond(new Uint8Array(0));
    });
    // The server's wall clock is a day off, which nobody notices.
    stage.clock.offsetMs += 86_400_000;
    call(a, 2, { timeoutMs: 1_000 });
    stage.clock.advance(100);
    call(a, 2, { timeoutMs: 300, cls: messageClass.coordinator });
    stage.clock.advance(100);
    expect(left).toEqual([1_000, 300]);
  });

  test("pass while a request waits: it is not sent any more", () => {
    const stage = new Stage();
    const a = stage.server(1, { connectMs: 60_000 });
    const { outcomes } = call(a, 2, { timeoutMs: 0 });
    stage.clock.run();
    expect(outcomes).toEqual([{ error: { kind: "deadline-exceeded", sent: false }, payload: "" }]);
  });
});

describe("who does not keep to the protocol", () => {
  const { request, cancel, streamEnd, hello } = frameType;
  const cases: readonly [string, boolean, (peer: RawPeer) => void, RegExp][] = [
    ["asks before it says who it is", false, (peer) => peer.ask(1), /frame type is 16: not a hello/],
    ["uses a request id again", true, (peer) => [peer.ask(2), peer.ask(2)], /request id is 2: not after 2/],
    ["cancels what it never asked", true, (peer) => peer.say(0, cancel, 4), /cancelled request is 4/],
    ["sends a type that is unknown", true, (peer) => peer.say(0, 99, 0), /frame type is 99: nothing that/],
    ["sends streams here", true, (peer) => peer.say(4, streamEnd, 1), /frame type is 36: nothing/],
    ["sends messages as a client", true, (peer) => peer.say(2, 300, 0), /frame class is 2: not one of messages/],
    ["asks as control", true, (peer) => peer.say(0, request, 1), /frame class is 0: not one of requests/],
    [
      "asks for longer than a day",
      true,
      (peer) => peer.say(2, request, 1, (to) => [to.u16(1), to.varint(1e9), to.varint(0)]),
      /remaining time is 1000000000: more than 86400000/,
    ],
    [
      "says hello without an end",
      false,
      (peer) => peer.say(0, hello, 0, (to) => to.raw(new Uint8Array(5_000))),
      /frame length is 5000: more than 4096/,
    ],
  ];
  test.each(cases)("%s", (_, greets, misbehave, message) => {
    const stage = new Stage();
    const server = stage.server(2);
    server.handle(1, (request) => request.respond(request.keep()));
    const peer = new RawPeer(stage, 2);
    stage.clock.run();
    if (greets) peer.greet();
    misbehave(peer);
    stage.clock.run();
    expect(peer.closed).toBe(true);
    expect(stage.traces.at(-1)).toMatch(message);
    expect(stage.traces.at(-1)).toContain("127.0.0.1");
    expect(server.state()).toMatchObject({ connections: 0, inFlight: 0, deadlines: 0 });
  });

  test("is let go when it says nothing, or stops in the middle of its hello", () => {
    const stage = new Stage();
    const server = stage.server(2, { connectMs: 100 });
    const peers = [new RawPeer(stage, 2), new RawPeer(stage, 2)];
    stage.clock.run();
    peers[1]?.connection.write(Uint8Array.of(1, 2, 3));
    stage.clock.advance(150);
    expect(peers.map(({ closed }) => closed)).toEqual([true, true]);
    expect(server.state().connections).toBe(0);
  });
});

describe("connections of a store", () => {
  test("the younger replaces the older, and an older one is refused with a reason", () => {
    const stage = new Stage();
    const server = stage.server(2);
    const greet = (change: Partial<Hello>): RawPeer => {
      const peer = new RawPeer(stage, 2);
      stage.clock.run();
      peer.greet(change);
      stage.clock.run();
      return peer;
    };
    const first = greet({ incarnation: 5, ordinal: 1 });
    const second = greet({ incarnation: 5, ordinal: 2 });
    expect([first.closed, second.closed]).toEqual([true, false]);
    const third = greet({ incarnation: 6, ordinal: 1 });
    expect([second.closed, third.closed]).toEqual([true, false]);
    for (const late of [{ incarnation: 5, ordinal: 9 }, { incarnation: 6, ordinal: 1 }]) {
      const peer = greet(late);
      const refusal = peer.frames.find(({ type }) => type === frameType.refuse);
      expect(readRefusal(new ByteReader(refusal?.body ?? new Uint8Array(0)))).toEqual({
        code: late.incarnation < 6 ? "superseded" : "stale",
        reason: `connection ${late.incarnation}.${late.ordinal} of store 9, after 6.1`,
      });
    }
    expect(third.closed).toBe(false);
    stage.clock.advance(4_500);
    expect(third.closed).toBe(true);
    expect(server.statistics.silentPeers).toBe(1);
  });

  test("with our own number are refused", () => {
    const stage = new Stage();
    stage.server(2);
    const peer = new RawPeer(stage, 2);
    peer.greet({ storeId: 2 });
    stage.clock.run();
    expect(stage.traces.join()).toContain("two processes say that they are store 2");
  });
});

describe("slow peers", () => {
  test("that take no answers are not read from, and then let go", () => {
    const stage = new Stage();
    const options = { responseBytesMax: 10_000, writeBytes: 1_000, slowBytes: 5_000, slowMs: 1_000, silenceMs: 9_000 };
    const server = stage.server(2, options);
    server.handle(1, (request) => request.respond(new Uint8Array(4_000)));
    const peer = new RawPeer(stage, 2);
    peer.greet();
    stage.clock.run();
    peer.connection.pause();
    for (let id = 1; id <= 100; id++) {
      peer.ask(id);
      stage.clock.advance(1);
    }
    expect(server.state().responseBytes).toBeLessThan(20_000);
    stage.clock.advance(3_000);
    expect(server.statistics.slowPeers).toBe(1);
    expect(server.state()).toMatchObject({ connections: 0, inFlight: 0 });
  });

  test("that are quick again are read again", () => {
    const stage = new Stage();
    const server = stage.server(2, { responseBytesMax: 10_000, writeBytes: 1_000 });
    server.handle(1, (request) => request.respond(new Uint8Array(4_000)));
    const peer = new RawPeer(stage, 2);
    peer.greet();
    stage.clock.run();
    peer.connection.pause();
    for (let id = 1; id <= 30; id++) {
      peer.ask(id);
      stage.clock.advance(1);
    }
    peer.connection.resume();
    stage.clock.advance(2_000);
    expect(peer.frames.filter(({ type }) => type === frameType.response)).toHaveLength(30);
  });
});

describe("the connecting side", () => {
  test("comes back after times that double, with a limit, as long as somebody asks", () => {
    const stage = new Stage();
    const a = stage.transport(1, { backoffMsMin: 100, backoffMsMax: 800 });
    const failedAtMs: number[] = [];
    for (let ms = 0; ms < 6_000; ms++) {
      a.send(2, { cls: messageClass.append, type: 300, region: 1, body: new Uint8Array(1) });
      const before = stage.unreachable.length;
      stage.clock.advance(1);
      if (stage.unreachable.length > before) failedAtMs.push(ms);
    }
    const gaps = failedAtMs.slice(1).map((ms, i) => ms - (failedAtMs[i] ?? 0));
    for (const [i, gap] of gaps.entries()) {
      const whole = Math.min(800, 100 * 2 ** i);
      expect(gap).toBeGreaterThanOrEqual(whole / 2);
      expect(gap).toBeLessThanOrEqual(whole + 5);
    }
    expect(gaps.length).toBeGreaterThan(6);
  });

  test("finds out that the other one is silent, and says so once", () => {
    const stage = new Stage();
    const a = stage.transport(1, { silenceMs: 2_000, pingMs: 300 });
    stage.network.listen({ host: "here", port: 2 }, {
      onListening: () => {},
      onError: () => {},
      onConnection: (connection) => {
        const writer = new FrameWriter();
        const identity = { clusterId: "c", storeId: 2, incarnation: 1, role: "store", features: 0 } as const;
        writeHello(writer.begin(0, frameType.hello, 0, 0), helloOf(identity, "control", 1, 0));
        writer.end();
        connection.write(writer.view());
        const nothing = (): void => {};
        return { onOpen: nothing, onData: nothing, onEnd: nothing, onDrain: nothing, onClose: nothing };
      },
    });
    stage.clock.run();
    const { outcomes } = call(a, 2, { timeoutMs: 60_000 });
    stage.clock.advance(1_500);
    expect(outcomes).toEqual([]);
    stage.clock.advance(1_500);
    expect(outcomes).toMatchObject([{ error: { kind: "connection-lost" } }]);
    expect(stage.unreachable).toEqual(["2 not a byte within 2000 ms"]);
  });

  test("writes once per turn and connection, and keeps the Coordinator's requests for company", () => {
    const stage = new Stage();
    const [a, b] = [stage.server(1, { batchUs: 5_000 }), stage.server(2)];
    let executed = 0;
    b.handle(1, (request) => {
      executed++;
      request.respond(request.keep());
    });
    call(a, 2);
    stage.clock.advance(1);
    const before = a.statistics.writes;
    for (let i = 0; i < 100; i++) call(a, 2);
    stage.clock.run();
    expect([executed, a.statistics.writes - before]).toEqual([101, 1]);
    for (let i = 0; i < 4; i++) {
      call(a, 2, { cls: messageClass.coordinator });
      stage.clock.advance(1);
    }
    expect(executed).toBe(101);
    stage.clock.advance(2);
    expect([executed, a.statistics.writes - before]).toEqual([105, 2]);
  });

  test("refuses what exceeds its queue, and says when to come back", () => {
    const stage = new Stage();
    const a = stage.transport(1, { requestsMax: 2 });
    const all = [1, 2, 3].map(() => call(a, 2));
    expect(all[2]?.outcomes).toEqual([]);
    stage.clock.run();
    expect(all.map(({ outcomes }) => outcomes[0]?.error?.kind)).toEqual(["unreachable", "unreachable", "server-busy"]);
    expect(all[2]?.outcomes[0]?.error).toMatchObject({ retryAfterMs: 20 });
  });
});

describe("a store that is forgotten", () => {
  test("ends its calls and streams, those that wait for their turn too, and may come back", () => {
    const stage = new Stage();
    const a = stage.transport(1, { streamsOutMax: 1 });
    const outcomes: string[] = [];
    const manifest = { snapshotId: 1, meta: new Uint8Array(0), files: [{ sizeBytes: 5, crc: 0 }] };
    for (let i = 0; i < 3; i++) {
      a.stream(2, { manifest, read: (_, __, length, done) => done(new Uint8Array(length)) }, ({ kind, reason }) => {
        outcomes.push(`${kind}: ${reason}`);
      });
    }
    const { outcomes: ends } = call(a, 2);
    a.forget(2);
    stage.clock.advance(1_000);
    expect(ends).toMatchObject([{ error: { kind: "unreachable" } }]);
    expect(outcomes).toEqual([
      "failed: store 2 was removed",
      "failed: the store was removed while this waited",
      "failed: the store was removed while this waited",
    ]);
    expect(a.state()).toMatchObject({ streamsOut: 0, pendingCalls: 0, deadlines: 0 });
    stage.server(2).handle(1, (request) => request.respond(request.keep()));
    const again = call(a, 2);
    stage.clock.advance(50);
    expect(again.outcomes).toEqual([{ error: null, payload: "1" }]);
  });

  test("and a closed transport answers everybody, and does nothing", () => {
    const stage = new Stage();
    const a = stage.transport(1);
    a.close();
    const { outcomes, cancel } = call(a, 2);
    cancel();
    a.send(2, { cls: messageClass.append, type: 300, region: 1, body: new Uint8Array(1) });
    stage.clock.advance(10);
    expect(outcomes).toMatchObject([{ error: { kind: "unreachable", reason: "closed here" } }]);
    expect(stage.network.writes).toBe(0);
  });
});
