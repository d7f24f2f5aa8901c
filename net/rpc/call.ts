// HOT: one per request that this node makes.
import type { ByteWriter } from "../../core/bytes/byte-writer.ts";
import type { Expiring } from "./deadlines.ts";
import { type FrameOwner, OutFrame } from "./out-frame.ts";
import { type RegionHeader, requestFlags, writeRequestHeader } from "./request-codec.ts";
import type { RpcError } from "./rpc-error.ts";
import { frameType, type messageClass } from "./wire.ts";

/** Called exactly once, never inside the call that began or cancelled it. `payload` is valid only during the call. */
export type CallDone = (error: RpcError | null, payload: Uint8Array) => void;

/** What to ask of a store. */
export interface CallOrder {
  readonly method: number;
  /** Belongs to the network from here on and must not change. */
  readonly payload: Uint8Array;
  readonly timeoutMs: number;
  readonly cls: typeof messageClass.client | typeof messageClass.coordinator;
  /** 0: not traced. */
  readonly traceId: number;
  readonly region: RegionHeader | null;
}

/** To give up on a call: `done` hears "cancelled", whatever the other side does. */
export interface CallHandle {
  cancel(): void;
}

/** Whose calls they are. */
export interface CallHost {
  readonly nowUs: number;
  /** The call leaves now; returns its id. */
  sending(call: Call): number;
  expired(call: Call): void;
  cancelled(call: Call): void;
}

/** A request from the moment it was asked for until its outcome is told. It is sent at most once. */
export class Call implements Expiring, FrameOwner, CallHandle {
  readonly deadlineUs: number;
  readonly frame: OutFrame;
  settled = false;
  /** It may have reached the other side. */
  sent = false;
  id = 0;
  readonly #host: CallHost;
  readonly #order: CallOrder;
  readonly #done: CallDone;
  #remainingMs = 0;

  constructor(host: CallHost, order: CallOrder, deadlineUs: number, done: CallDone) {
    this.#host = host;
    this.#order = order;
    this.#done = done;
    this.deadlineUs = deadlineUs;
    const { cls, payload, region } = order;
    this.frame = new OutFrame(cls, frameType.request, 0, payload, this, requestFlags(region));
  }

  leaving(): number {
    const leftUs = this.deadlineUs - this.#host.nowUs;
    if (this.settled || leftUs <= 0) return -1;
    this.#remainingMs = Math.ceil(leftUs / 1_000);
    this.sent = true;
    this.id = this.#host.sending(this);
    return this.id;
  }

  prefix(writer: ByteWriter): void {
    const { method, traceId, region } = this.#order;
    writeRequestHeader(writer, { method, remainingMs: this.#remainingMs, traceId, region });
  }

  expire(): void {
    this.#host.expired(this);
  }

  cancel(): void {
    if (!this.settled) this.#host.cancelled(this);
  }

  /** The outcome; the host has seen to it that this is the only one. */
  finish(error: RpcError | null, payload: Uint8Array): void {
    this.#done(error, payload);
  }
}
