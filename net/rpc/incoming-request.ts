// HOT: one per request that this node answers.
import { assert } from "../../core/assert.ts";
import type { ByteWriter } from "../../core/bytes/byte-writer.ts";
import type { Expiring } from "./deadlines.ts";
import type { FrameReader } from "./frame-reader.ts";
import type { Hello } from "./hello.ts";
import type { FrameOwner } from "./out-frame.ts";
import type { RegionHeader, RequestHeader } from "./request-codec.ts";
import type { RpcError } from "./rpc-error.ts";
import type { MessageClass } from "./wire.ts";

const noBytes = new Uint8Array(0);

/** Why nobody waits for an answer any more. */
export type CancelReason = "cancelled" | "deadline" | "connection";

/** Answers one method. Must see to it that each request is answered once, also after a cancellation. */
export type Handler = (request: IncomingRequest) => void;

/** The connection that a request came on. */
export interface RequestHost {
  readonly from: Hello;
  readonly nowUs: number;
  respond(request: IncomingRequest, error: RpcError | null, payload: Uint8Array): void;
  /** It is answered, and the answer has left or is not wanted: it takes no more room. */
  release(request: IncomingRequest): void;
  /** `cancel` was called because its time is up. */
  expired(request: IncomingRequest): void;
}

export class IncomingRequest implements Expiring, FrameOwner {
  readonly id: number;
  readonly cls: MessageClass;
  readonly from: Hello;
  /** By this node's monotonic clock. */
  readonly deadlineUs: number;
  readonly #host: RequestHost;
  readonly #header: RequestHeader;
  #payload: Uint8Array;
  #cancelled: CancelReason | null = null;
  #onCancel: ((reason: CancelReason) => void) | null = null;
  #answered = false;
  #released = false;

  constructor(host: RequestHost, frame: FrameReader, header: RequestHeader, payload: Uint8Array) {
    this.#host = host;
    this.id = frame.id;
    this.cls = frame.cls as MessageClass;
    this.from = host.from;
    this.#header = header;
    this.#payload = payload;
    this.deadlineUs = host.nowUs + header.remainingMs * 1_000;
  }

  get method(): number {
    return this.#header.method;
  }

  get traceId(): number {
    return this.#header.traceId;
  }

  get region(): RegionHeader | null {
    return this.#header.region;
  }

  /** Valid only until the handler returns; `keep` copies it. */
  get payload(): Uint8Array {
    return this.#payload;
  }

  keep(): Uint8Array {
    return this.#payload.slice();
  }

  /** For work that this one causes elsewhere. */
  get remainingMs(): number {
    return Math.max(0, Math.floor((this.deadlineUs - this.#host.nowUs) / 1_000));
  }

  get cancelled(): boolean {
    return this.#cancelled !== null;
  }

  get answered(): boolean {
    return this.#answered;
  }

  get settled(): boolean {
    return this.#released || this.#cancelled !== null;
  }

  /** Called at most once, when nobody waits any more; never after the answer. It must be answered all the same. */
  onCancel(run: (reason: CancelReason) => void): void {
    this.#onCancel = run;
  }

  /** The answer. `payload` belongs to the network from here on and must not change. */
  respond(payload: Uint8Array): void {
    this.#answer(null, payload);
  }

  fail(error: RpcError): void {
    this.#answer(error, noBytes);
  }

  /** The handler has returned: what it did not keep is not here any more. */
  returned(): void {
    this.#payload = noBytes;
  }

  cancel(reason: CancelReason): void {
    if (this.settled) return;
    this.#cancelled = reason;
    if (this.#answered) this.#release();
    else this.#onCancel?.(reason);
  }

  expire(): void {
    this.cancel("deadline");
    this.#host.expired(this);
  }

  leaving(): number {
    if (this.#cancelled !== null) return -1;
    this.#release();
    return this.id;
  }

  prefix(writer: ByteWriter): void {
    // A response has no header of its own.
    void writer;
  }

  #answer(error: RpcError | null, payload: Uint8Array): void {
    assert(!this.#answered, "a request is answered once");
    this.#answered = true;
    if (this.#cancelled === null) this.#host.respond(this, error, payload);
    else this.#release();
  }

  #release(): void {
    this.#released = true;
    this.#host.release(this);
  }
}
