// HOT: everything that this node sends to one store, but streams.
import { assert } from "../../core/assert.ts";
import { ByteReader, MalformedError } from "../../core/bytes/byte-reader.ts";
import { Call, type CallDone, type CallHandle, type CallHost, type CallOrder } from "./call.ts";
import { Dialer, type DialerOwner } from "./dialer.ts";
import type { FrameReader } from "./frame-reader.ts";
import type { FrameWriter } from "./frame-writer.ts";
import type { NetContext } from "./net-world.ts";
import { OutFrame } from "./out-frame.ts";
import { Outbox } from "./outbox.ts";
import { remainingMsMax } from "./request-codec.ts";
import { readRpcError } from "./rpc-error-codec.ts";
import type { RpcError } from "./rpc-error.ts";
import { bodyBytesMaxControl, frameType, messageClass } from "./wire.ts";

const noBytes = new Uint8Array(0);
/** What a request's header takes at most. */
const headerBytesMax = 128;
const idMax = 0xffff_ffff;

/** Messages belong to a region (0: to the store) and have a type of their sender's, from `frameType.application` on. */
export interface OutMessage {
  readonly cls: typeof messageClass.control | typeof messageClass.append;
  readonly type: number;
  readonly region: number;
  /** Belongs to the network from here on and must not change. */
  readonly body: Uint8Array;
}

/** One store as this node sees it: a connection when there is one, what waits for it, and calls without an outcome. */
export class Peer implements DialerOwner, CallHost {
  readonly #context: NetContext;
  readonly #storeId: number;
  readonly #dialer: Dialer;
  #outbox: Outbox;
  /** Without an outcome. */
  readonly #calls = new Set<Call>();
  /** Of those, the ones that were sent on the present connection. */
  readonly #sent = new Map<number, Call>();
  #lastId = 0;
  /** Append messages were refused for want of room, and the node was told. */
  #overflowTold = false;

  constructor(context: NetContext, storeId: number) {
    this.#context = context;
    this.#storeId = storeId;
    this.#dialer = new Dialer(context, this, storeId, "control");
    this.#outbox = new Outbox(context.options);
  }

  get nowUs(): number {
    return this.#context.world.clock.monotonicUs();
  }

  /** Calls without an outcome. */
  get pendingCalls(): number {
    return this.#calls.size;
  }

  get outbox(): Outbox {
    return this.#outbox;
  }

  get ready(): boolean {
    return this.#dialer.ready;
  }

  send(message: OutMessage): void {
    const { cls, type, region, body } = message;
    assert(type >= frameType.application, "types below belong to the protocol");
    assert(body.length <= bodyBytesMaxControl, "a message fits its frame");
    const { statistics } = this.#context;
    if (this.#dialer.waiting) {
      statistics.messagesDropped++;
      return;
    }
    const frame = new OutFrame(cls, type, 0, body, null);
    if (cls === messageClass.control) this.#outbox.control(region, frame);
    else if (!this.#outbox.append(frame)) this.#overflow();
    else this.#overflowTold = false;
    this.#dialer.demand();
    this.#dialer.flushSoon();
  }

  call(order: CallOrder, done: CallDone): CallHandle {
    const { deadlines, options } = this.#context;
    assert(Number.isSafeInteger(order.timeoutMs), "a timeout is whole milliseconds");
    const timeoutMs = Math.min(Math.max(0, order.timeoutMs), remainingMsMax);
    const call = new Call(this, order, this.nowUs + timeoutMs * 1_000, done);
    const refusal = this.#refusal(call, order);
    if (refusal !== null) {
      call.settled = true;
      this.#context.statistics.callsRefused++;
      this.#post(call, refusal);
      return call;
    }
    this.#calls.add(call);
    deadlines.add(call);
    this.#dialer.demand();
    const mayWait = options.batchUs > 0 && order.cls === messageClass.coordinator && this.#outbox.patient;
    if (mayWait) this.#dialer.flushWithin(options.batchUs);
    else this.#dialer.flushSoon();
    return call;
  }

  /** For good; every call ends. */
  close(reason: string): void {
    this.#dialer.close();
    this.#failAll(reason);
  }

  sending(call: Call): number {
    const id = ++this.#lastId;
    this.#sent.set(id, call);
    if (id === idMax) this.#dialer.restart("request ids are used up");
    return id;
  }

  expired(call: Call): void {
    call.settled = true;
    this.#abandon(call);
    call.finish({ kind: "deadline-exceeded", sent: call.sent }, noBytes);
  }

  cancelled(call: Call): void {
    call.settled = true;
    this.#context.deadlines.settle();
    this.#abandon(call);
    this.#post(call, { kind: "cancelled", sent: call.sent });
  }

  onReady(): void {
    this.#lastId = 0;
  }

  onFrame(frame: FrameReader): void {
    const isError = frame.type === frameType.error;
    if (!isError && frame.type !== frameType.response) {
      throw new MalformedError("frame type", frame.type, "nothing that an accepting side sends");
    }
    if (frame.id === 0 || frame.id > this.#lastId) {
      throw new MalformedError("request id", frame.id, `not one of the ${this.#lastId} that were sent`);
    }
    const error = isError ? readRpcError(new ByteReader(frame.body)) : null;
    const call = this.#sent.get(frame.id);
    if (call === undefined) {
      this.#context.statistics.lateResponses++;
      return;
    }
    this.#sent.delete(frame.id);
    this.#calls.delete(call);
    call.settled = true;
    this.#context.deadlines.settle();
    call.finish(error, isError ? noBytes : frame.body);
  }

  fill(writer: FrameWriter, room: number): void {
    this.#outbox.fill(writer, room);
  }

  queuedBytes(): number {
    return this.#outbox.bytes;
  }

  onLost(reason: string): void {
    this.#failAll(reason);
    this.#context.hooks.onUnreachable(this.#storeId, reason);
  }

  wants(): boolean {
    return false;
  }

  #refusal(call: Call, order: CallOrder): RpcError | null {
    const { options } = this.#context;
    if (order.timeoutMs <= 0) return { kind: "deadline-exceeded", sent: false };
    const maxBytes = bodyBytesMaxControl - headerBytesMax;
    const sizeBytes = order.payload.length;
    if (sizeBytes > maxBytes) return { kind: "entry-too-large", sizeBytes, maxBytes };
    if (this.#dialer.waiting) {
      return { kind: "unreachable", retryAfterMs: this.#dialer.retryAfterMs, reason: "there is no connection" };
    }
    if (this.#outbox.request(call.frame)) return null;
    const reason = `too many requests wait for store ${this.#storeId}`;
    return { kind: "server-busy", retryAfterMs: options.busyRetryMs, reason };
  }

  /** Nobody waits for its answer any more. */
  #abandon(call: Call): void {
    this.#calls.delete(call);
    if (!call.sent) {
      this.#outbox.kill(call.frame);
      return;
    }
    if (!this.#sent.delete(call.id)) return;
    this.#outbox.urgent(new OutFrame(messageClass.control, frameType.cancel, call.id, noBytes, null));
    this.#dialer.flushSoon();
  }

  #overflow(): void {
    this.#context.statistics.messagesDropped++;
    if (this.#overflowTold) return;
    this.#overflowTold = true;
    const { hooks, world } = this.#context;
    world.clock.soon(() => hooks.onUnreachable(this.#storeId, "no room for append messages"));
  }

  /** What was sent has an unknown fate, what was not has none. Messages are lost. */
  #failAll(reason: string): void {
    const { statistics, deadlines, options } = this.#context;
    statistics.messagesSuperseded += this.#outbox.superseded;
    statistics.messagesDropped += this.#outbox.dropped;
    this.#outbox = new Outbox(options);
    this.#overflowTold = false;
    const calls = [...this.#calls];
    this.#calls.clear();
    this.#sent.clear();
    for (const call of calls) {
      call.settled = true;
      deadlines.settle();
    }
    // Whoever hears of one may ask for another at once.
    const retryAfterMs = this.#dialer.retryAfterMs;
    for (const call of calls) {
      const error: RpcError = call.sent
        ? { kind: "connection-lost", reason }
        : { kind: "unreachable", retryAfterMs, reason };
      this.#post(call, error);
    }
  }

  #post(call: Call, error: RpcError): void {
    this.#context.world.clock.soon(() => call.finish(error, noBytes));
  }
}
