// Goal: the cluster's transport over real sockets: calls, deadlines, cancellation, messages, streams, a peer that dies,
// one that belongs elsewhere, one that talks nonsense. The simulator has the rest.
import * as net from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { crc32 } from "../core/bytes/crc32.ts";
import type { Address } from "../core/env/network.ts";
import { RpcFailure, ask } from "../net/rpc/client.ts";
import type { NetOptions } from "../net/rpc/options.ts";
import type { RpcError } from "../net/rpc/rpc-error.ts";
import type { StreamManifest } from "../net/rpc/stream-messages.ts";
import type { StreamAcceptor } from "../net/rpc/stream-receiver.ts";
import type { StreamOutcome } from "../net/rpc/stream-sender.ts";
import { Transport } from "../net/rpc/transport.ts";
import { messageClass } from "../net/rpc/wire.ts";
import { openHostEnv } from "./env.ts";

const loopback = "127.0.0.1";
const addresses = new Map<number, Address>();
const open: Transport[] = [];

interface Heard {
  readonly messages: string[];
  readonly unreachable: string[];
  readonly traces: string[];
}

interface Node {
  readonly transport: Transport;
  readonly heard: Heard;
}

interface NodeParts {
  readonly clusterId?: string;
  readonly options?: Partial<NetOptions>;
  readonly streams?: StreamAcceptor;
}

async function start(storeId: number, parts: NodeParts = {}): Promise<Node> {
  const heard: Heard = { messages: [], unreachable: [], traces: [] };
  const emit = (event: string, fields: object): void => {
    heard.traces.push(`${event} ${JSON.stringify(fields)}`);
  };
  const trace = { enabled: true, emit };
  const transport = new Transport(openHostEnv({ failpoints: null, trace }), {
    identity: { clusterId: parts.clusterId ?? "test", storeId, incarnation: 1, role: "store", features: 0 },
    options: parts.options ?? {},
    resolve: (id, done) => done(addresses.get(id) ?? null),
    hooks: {
      onMessage: (from, cls, type, body) => void heard.messages.push(`${from.storeId} ${cls} ${type} ${body.join()}`),
      onUnreachable: (id, reason) => void heard.unreachable.push(`${id}: ${reason}`),
    },
    streams: parts.streams ?? null,
  });
  open.push(transport);
  await new Promise<void>((resolve, reject) => {
    transport.listen(
      { host: loopback, port: 0 },
      {
        onListening: (address) => {
          addresses.set(storeId, address);
          resolve();
        },
        onError: reject,
      },
    );
  });
  return { transport, heard };
}

afterEach(() => {
  for (const transport of open.splice(0)) transport.close();
  addresses.clear();
});

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!holds()) {
    expect(Date.now()).toBeLessThan(deadline);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

async function failure(call: Promise<unknown>): Promise<RpcError> {
  const error: unknown = await call.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof RpcFailure)) throw new Error("the call did not fail", { cause: error });
  return error.error;
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytesOf = (value: string): Uint8Array => new TextEncoder().encode(value);

describe("calls", () => {
  test("are answered, many at once, each with its own answer", async () => {
    const a = await start(1);
    const b = await start(2);
    b.transport.handle(1, (request) => request.respond(bytesOf(`re: ${text(request.payload)}`)));
    const questions = Array.from({ length: 500 }, (_, i) => bytesOf(`question ${i}`));
    const answers = await Promise.all(
      questions.map((payload) => ask(a.transport, 2, { method: 1, payload, timeoutMs: 10_000 })),
    );
    expect(answers.map(text)).toEqual(questions.map((payload) => `re: ${text(payload)}`));
    expect(a.transport.statistics.writes).toBeLessThan(50);
    expect(a.transport.state()).toMatchObject({ pendingCalls: 0, deadlines: 0, requests: 0 });
    expect(b.transport.state()).toMatchObject({ inFlight: 0, deadlines: 0, responseBytes: 0 });
  });

  test("of any size up to the limit, and not beyond", async () => {
    const a = await start(1);
    const b = await start(2);
    b.transport.handle(1, (request) => request.respond(request.keep()));
    const payload = Uint8Array.from({ length: 1_000_000 }, (_, i) => i * 31);
    expect(await ask(a.transport, 2, { method: 1, payload, timeoutMs: 10_000 })).toEqual(payload);
    const tooLong = new Uint8Array(1024 * 1024);
    expect(await failure(ask(a.transport, 2, { method: 1, payload: tooLong, timeoutMs: 1_000 }))).toMatchObject({
      kind: "entry-too-large",
    });
  });

  test("end at their deadline, on both sides, and when they are cancelled", async () => {
    const a = await start(1);
    const b = await start(2);
    const ends: string[] = [];
    b.transport.handle(1, (request) => {
      request.onCancel((reason) => {
        ends.push(reason);
        request.fail({ kind: "stale-command", reason: "late" });
      });
    });
    b.transport.handle(2, (request) => request.respond(request.keep()));
    const payload = new Uint8Array(1);
    await ask(a.transport, 2, { method: 2, payload, timeoutMs: 60_000 });
    // However slow this machine is, sooner or later one of them leaves before its time is up.
    for (let timeoutMs = 50, sent = false; !sent; timeoutMs *= 2) {
      const began = performance.now();
      const error = await failure(ask(a.transport, 2, { method: 1, payload, timeoutMs }));
      expect(error.kind).toBe("deadline-exceeded");
      expect(performance.now() - began).toBeGreaterThanOrEqual(timeoutMs - 1);
      sent = error.kind === "deadline-exceeded" && error.sent;
    }
    await until(() => ends.length === 1);
    const abort = new AbortController();
    const call = failure(ask(a.transport, 2, { method: 1, payload, timeoutMs: 60_000 }, abort.signal));
    await until(() => b.transport.state().inFlight === 1);
    abort.abort();
    expect(await call).toEqual({ kind: "cancelled", sent: true });
    await until(() => ends.length === 2);
    expect(ends[1]).toBe("cancelled");
    await until(() => b.transport.state().inFlight === 0);
  });

  test("say what went wrong: typed errors, unknown methods, nobody there", async () => {
    const a = await start(1, { options: { backoffMsMin: 500, backoffMsMax: 500 } });
    const b = await start(2);
    const notLeader = { kind: "not-leader", regionId: 4, leaderStore: 3, leaderPeer: 9 } as const;
    b.transport.handle(1, (request) => request.fail(notLeader));
    const question = { method: 1, payload: new Uint8Array(1), timeoutMs: 5_000 };
    expect(await failure(ask(a.transport, 2, question))).toEqual(notLeader);
    const unknown = { kind: "unknown-method", method: 2 };
    expect(await failure(ask(a.transport, 2, { ...question, method: 2 }))).toEqual(unknown);
    addresses.set(3, { host: loopback, port: 1 });
    expect(await failure(ask(a.transport, 3, question))).toMatchObject({ kind: "unreachable" });
    expect(await failure(ask(a.transport, 3, question))).toMatchObject({ kind: "unreachable" });
    const lost = { reason: "store 4 (control) has no known address" };
    expect(await failure(ask(a.transport, 4, question))).toMatchObject(lost);
  });

  test("that were under way when a peer died have an unknown outcome; a later one reaches its successor", async () => {
    const a = await start(1);
    const b = await start(2);
    b.transport.handle(1, () => {});
    const payload = new Uint8Array(1);
    const call = failure(ask(a.transport, 2, { method: 1, payload, timeoutMs: 60_000 }));
    await until(() => b.transport.state().inFlight === 1);
    b.transport.close();
    expect(await call).toMatchObject({ kind: "connection-lost" });
    const successor = await start(2);
    successor.transport.handle(1, (request) => request.respond(bytesOf("here")));
    await until(() => a.heard.unreachable.length > 0);
    let answer = "";
    while (answer !== "here") {
      answer = await ask(a.transport, 2, { method: 1, payload, timeoutMs: 5_000 }).then(text, () => "");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });

  test("beyond what a store does at once are told to come later", async () => {
    const a = await start(1);
    const b = await start(2, { options: { inFlightMax: 3 } });
    const waiting: (() => void)[] = [];
    b.transport.handle(1, (request) => void waiting.push(() => request.respond(bytesOf("done"))));
    const payload = new Uint8Array(1);
    const calls = Array.from({ length: 5 }, () => ask(a.transport, 2, { method: 1, payload, timeoutMs: 5_000 }));
    expect(await failure(calls[3] ?? Promise.resolve())).toMatchObject({ kind: "server-busy", retryAfterMs: 20 });
    expect(await failure(calls[4] ?? Promise.resolve())).toMatchObject({ kind: "server-busy" });
    for (const answer of waiting) answer();
    expect((await Promise.all(calls.slice(0, 3))).map(text)).toEqual(["done", "done", "done"]);
  });
});

describe("strangers", () => {
  test("of another cluster are refused, and both sides say why, once", async () => {
    const a = await start(1, { clusterId: "mine", options: { backoffMsMin: 1, backoffMsMax: 5 } });
    const b = await start(2, { clusterId: "yours" });
    for (let i = 0; i < 3; i++) {
      const call = ask(a.transport, 2, { method: 1, payload: new Uint8Array(1), timeoutMs: 5_000 });
      expect((await failure(call)).kind).toBe("unreachable");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const refusals = (node: Node): string[] => node.heard.traces.filter((line) => line.startsWith("net/refused"));
    expect(refusals(a).length).toBeGreaterThan(0);
    expect(refusals(b).length).toBeGreaterThan(0);
    expect(new Set(refusals(a)).size).toBe(refusals(a).length);
    expect(refusals(a)[0]).toContain("cluster");
  });

  test("that talk nonsense are cut off, and named", async () => {
    const b = await start(2);
    const port = addresses.get(2)?.port ?? 0;
    for (const nonsense of ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\u0000".repeat(64)]) {
      await new Promise<void>((resolve) => {
        const socket = net.connect({ host: loopback, port });
        socket.on("error", () => {});
        socket.on("close", () => resolve());
        socket.write(nonsense);
      });
    }
    expect(b.heard.traces.filter((line) => line.startsWith("net/malformed"))).toHaveLength(2);
    expect(b.heard.traces[0]).toMatch(/"peer":"127\.0\.0\.1:\d+".*frame header is \d+: not the checksum/);
    await until(() => b.transport.state().connections === 0);
  });

  test("that say nothing are let go", async () => {
    const b = await start(2, { options: { connectMs: 50 } });
    await new Promise<void>((resolve) => {
      const socket = net.connect({ host: loopback, port: addresses.get(2)?.port ?? 0 });
      socket.on("error", () => {});
      socket.on("close", () => resolve());
    });
    await until(() => b.transport.state().connections === 0);
    expect(b.transport.statistics.malformed).toBe(0);
  });
});

test("messages arrive in order, of control the newest of each region and type", async () => {
  const a = await start(1);
  const b = await start(2);
  const { append, control } = messageClass;
  for (let i = 1; i <= 3; i++) {
    a.transport.send(2, { cls: append, type: 300, region: 1, body: Uint8Array.of(i) });
    a.transport.send(2, { cls: control, type: 400, region: 1, body: Uint8Array.of(i) });
  }
  await until(() => b.heard.messages.length === 4);
  expect(b.heard.messages).toEqual(["1 0 400 3", "1 1 300 1", "1 1 300 2", "1 1 300 3"]);
});

test("a stream of several megabytes arrives whole, while calls go on", async () => {
  const files = [3_000_000, 0, 70_001].map((length, seed) => Uint8Array.from({ length }, (_, i) => i * 7 + seed));
  const manifest: StreamManifest = {
    snapshotId: 5,
    meta: bytesOf("region 1"),
    files: files.map((bytes) => ({ sizeBytes: bytes.length, crc: crc32(bytes, 0, bytes.length, 0) })),
  };
  const taken: number[][] = files.map(() => []);
  let finished = false;
  const a = await start(1);
  const b = await start(2, {
    streams: {
      begin: (from, seen, done) => {
        expect([from.storeId, text(seen.meta)]).toEqual([1, "region 1"]);
        done({
          start: { file: 0, offset: 0 },
          write: (file, offset, bytes, wrote) => {
            expect(taken[file]?.length).toBe(offset);
            for (const byte of bytes) taken[file]?.push(byte);
            setImmediate(() => wrote(true));
          },
          finish: (complete) => {
            finished = true;
            complete(true);
          },
          abandon: () => {},
        });
      },
    },
  });
  b.transport.handle(1, (request) => request.respond(request.keep()));
  const outcome = new Promise<StreamOutcome>((resolve) => {
    const read = (file: number, offset: number, length: number, done: (bytes: Uint8Array) => void): void => {
      done(files[file]?.slice(offset, offset + length) ?? new Uint8Array(0));
    };
    a.transport.stream(2, { manifest, read }, resolve);
  });
  const answer = await ask(a.transport, 2, { method: 1, payload: Uint8Array.of(9), timeoutMs: 5_000 });
  expect([...answer]).toEqual([9]);
  expect(await outcome).toEqual({ kind: "done", reason: "" });
  expect(finished).toBe(true);
  for (const [i, bytes] of files.entries()) expect(Uint8Array.from(taken[i] ?? [])).toEqual(bytes);
  expect(b.transport.state().streamsIn).toBe(0);
});
