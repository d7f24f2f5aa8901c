// HOT: everything that one other process sends to this node.
import { assert } from "../../core/assert.ts";
import { ByteReader, MalformedError } from "../../core/bytes/byte-reader.ts";
import { ByteWriter } from "../../core/bytes/byte-writer.ts";
import type { Connection } from "../../core/env/network.ts";
import type { FrameReader } from "./frame-reader.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { type Hello, type Refusal, helloOf, readHello, readRefusal, writeHello, writeRefusal } from "./hello.ts";
import { type CancelReason, type Handler, IncomingRequest, type RequestHost } from "./incoming-request.ts";
import { Line, type LineOwner } from "./line.ts";
import type { NetContext } from "./net-world.ts";
import { OutFrame } from "./out-frame.ts";
import { Outbox } from "./outbox.ts";
import { readRequestHeader } from "./request-codec.ts";
import { writeRpcError } from "./rpc-error-codec.ts";
import type { RpcError } from "./rpc-error.ts";
import { bodyBytesMaxBulk, bodyBytesMaxControl, frameType, messageClass } from "./wire.ts";

const noBytes = new Uint8Array(0);

/** The accepting side's own streams, over one bulk connection. */
export interface StreamEnd {
  onFrame(frame: FrameReader): void;
  onClosed(): void;
}

/** What all accepted connections share. */
export interface InboundHost {
  /** Null: welcome. */
  judge(inbound: Inbound, hello: Hello): Refusal | null;
  handler(method: number): Handler | null;
  /** Takes room for a request; false: there is none. */
  admit(): boolean;
  release(): void;
  streamEnd(inbound: Inbound, hello: Hello): StreamEnd;
  closed(inbound: Inbound): void;
}

/** An accepted connection: requests and messages in, answers out. */
export class Inbound implements LineOwner, RequestHost {
  readonly #context: NetContext;
  readonly #host: InboundHost;
  readonly #line: Line;
  readonly #outbox: Outbox;
  /** Admitted and not released. */
  readonly #requests = new Map<number, IncomingRequest>();
  #name: string;
  #hello: Hello | null = null;
  #streams: StreamEnd | null = null;
  #lastId = 0;
  #reply: Hello | null = null;
  #farewell: Refusal | null = null;
  #closed = false;

  constructor(context: NetContext, host: InboundHost, connection: Connection) {
    this.#context = context;
    this.#host = host;
    const { remote } = connection;
    this.#name = `${remote.host}:${remote.port}`;
    this.#outbox = new Outbox(context.options);
    this.#line = new Line(context, this);
  }

  /** Whom the network tells what happens; nothing before `start`. */
  get line(): Line {
    return this.#line;
  }

  get peerName(): string {
    return this.#name;
  }

  /** Null: it has not said who it is. */
  get hello(): Hello | null {
    return this.#hello;
  }

  /** Who it is: asked only once that is known. */
  get from(): Hello {
    assert(this.#hello !== null, "requests come after the hello");
    return this.#hello;
  }

  get inFlight(): number {
    return this.#requests.size;
  }

  get nowUs(): number {
    return this.#context.world.clock.monotonicUs();
  }

  start(connection: Connection): void {
    this.#line.start(connection, true);
  }

  /** A frame of a stream, to the other side. */
  send(frame: OutFrame): void {
    this.#outbox.urgent(frame);
    this.#line.flushSoon();
  }

  refuse(refusal: Refusal): void {
    this.#context.refused(this.#name, "us", `${refusal.code}: ${refusal.reason}`);
    this.#farewell = refusal;
    this.#line.leave(`refused: ${refusal.reason}`);
  }

  close(reason: string): void {
    this.#line.close(reason);
  }

  onOpen(): void {
    this.#context.statistics.connectionsAccepted++;
  }

  onFrame(frame: FrameReader): void {
    const hello = this.#hello;
    if (hello === null) {
      this.#greet(frame);
      return;
    }
    switch (frame.type) {
      case frameType.ping:
        this.send(new OutFrame(messageClass.control, frameType.pong, frame.id, noBytes, null));
        this.#throttle();
        return;
      case frameType.request:
        this.#request(frame);
        return;
      case frameType.cancel:
        this.#cancel(frame.id);
        return;
      case frameType.refuse:
        this.#context.refused(this.#name, "them", readRefusal(new ByteReader(frame.body)).reason);
        this.#line.close("refused by the other side");
        return;
      default:
        this.#other(frame, hello);
    }
  }

  fill(writer: FrameWriter, room: number): void {
    if (this.#reply !== null) {
      writeHello(writer.begin(messageClass.control, frameType.hello, 0, 0), this.#reply);
      writer.end();
      this.#reply = null;
    }
    this.#outbox.fill(writer, room);
    if (this.#farewell !== null) {
      writeRefusal(writer.begin(messageClass.control, frameType.refuse, 0, 0), this.#farewell);
      writer.end();
      this.#farewell = null;
    }
    if (2 * this.#outbox.bytes <= this.#context.options.responseBytesMax) this.#line.resume();
  }

  queuedBytes(): number {
    return this.#outbox.bytes + (this.#reply === null ? 0 : 1);
  }

  onTick(nowUs: number): void {
    // The side that connected pings.
    void nowUs;
  }

  onClosed(reason: string): void {
    void reason;
    this.#closed = true;
    for (const request of this.#requests.values()) this.#drop(request, "connection");
    this.#streams?.onClosed();
    this.#host.closed(this);
  }

  respond(request: IncomingRequest, error: RpcError | null, payload: Uint8Array): void {
    if (error !== null) {
      this.#respond(request, frameType.error, encode(error));
    } else if (payload.length > bodyBytesMaxControl) {
      const sizeBytes = payload.length;
      const tooLarge: RpcError = { kind: "entry-too-large", sizeBytes, maxBytes: bodyBytesMaxControl };
      this.#respond(request, frameType.error, encode(tooLarge));
    } else {
      this.#respond(request, frameType.response, payload);
    }
  }

  release(request: IncomingRequest): void {
    this.#requests.delete(request.id);
    this.#host.release();
    // A cancelled one was settled when it was cancelled.
    if (!request.cancelled) this.#context.deadlines.settle();
  }

  expired(request: IncomingRequest): void {
    void request;
    this.#context.statistics.requestsExpired++;
  }

  #greet(frame: FrameReader): void {
    if (frame.type !== frameType.hello) throw new MalformedError("frame type", frame.type, "not a hello");
    const hello = readHello(new ByteReader(frame.body));
    this.#name = `${hello.role} ${hello.storeId} (${hello.lane}, ${this.#name})`;
    const refusal = this.#host.judge(this, hello);
    // Also with a refusal goes our hello, so that the other side can see for itself.
    this.#reply = helloOf(this.#context.identity, hello.lane, hello.ordinal, 0);
    if (refusal !== null) {
      this.refuse(refusal);
      return;
    }
    this.#hello = hello;
    this.#line.greeted(hello.lane === "bulk" ? bodyBytesMaxBulk : bodyBytesMaxControl);
    if (hello.lane === "bulk") this.#streams = this.#host.streamEnd(this, hello);
    this.#line.flushSoon();
  }

  #other(frame: FrameReader, hello: Hello): void {
    if (frame.type < frameType.application) {
      if (this.#streams === null) throw new MalformedError("frame type", frame.type, "nothing that is known here");
      this.#streams.onFrame(frame);
      return;
    }
    const cls = frame.cls;
    if (cls !== messageClass.control && cls !== messageClass.append) {
      throw new MalformedError("frame class", cls, "not one of messages");
    }
    this.#context.hooks.onMessage(hello, cls, frame.type, frame.body);
  }

  #request(frame: FrameReader): void {
    const { id, cls } = frame;
    if (id <= this.#lastId) throw new MalformedError("request id", id, `not after ${this.#lastId}`);
    if (cls !== messageClass.client && cls !== messageClass.coordinator) {
      throw new MalformedError("frame class", cls, "not one of requests");
    }
    this.#lastId = id;
    const { options, statistics, deadlines } = this.#context;
    const reader = new ByteReader(frame.body);
    const header = readRequestHeader(reader, frame.flags);
    const handler = this.#host.handler(header.method);
    if (handler === null) {
      this.#answer(id, cls, { kind: "unknown-method", method: header.method });
    } else if (this.#requests.size >= options.inFlightMax || !this.#host.admit()) {
      statistics.requestsRefused++;
      const retryAfterMs = options.busyRetryMs;
      this.#answer(id, cls, { kind: "server-busy", retryAfterMs, reason: "too many requests are being answered" });
    } else {
      const request = new IncomingRequest(this, frame, header, reader.rest());
      this.#requests.set(id, request);
      deadlines.add(request);
      handler(request);
      request.returned();
    }
  }

  #cancel(id: number): void {
    if (id > this.#lastId) throw new MalformedError("cancelled request", id, `after ${this.#lastId}`);
    const request = this.#requests.get(id);
    if (request === undefined) return;
    this.#context.statistics.requestsCancelled++;
    this.#drop(request, "cancelled");
  }

  #drop(request: IncomingRequest, reason: CancelReason): void {
    if (request.settled) return;
    this.#context.deadlines.settle();
    request.cancel(reason);
  }

  /** An answer to what was not admitted. */
  #answer(id: number, cls: OutFrame["cls"], error: RpcError): void {
    this.#outbox.response(new OutFrame(cls, frameType.error, id, encode(error), null));
    this.#line.flushSoon();
    this.#throttle();
  }

  #respond(request: IncomingRequest, type: number, body: Uint8Array): void {
    if (this.#closed) return;
    this.#outbox.response(new OutFrame(request.cls, type, request.id, body, request));
    this.#line.flushSoon();
    this.#throttle();
  }

  /** Who does not take its answers gets no more of them: what it asks waits in the network. */
  #throttle(): void {
    if (this.#outbox.bytes > this.#context.options.responseBytesMax) this.#line.pause();
  }
}

function encode(error: RpcError): Uint8Array {
  const writer = new ByteWriter();
  writeRpcError(writer, error);
  return writer.toBytes();
}
