import { assert } from "../../core/assert.ts";
import {
  type Address,
  type Connection,
  type ConnectionHandler,
  NetworkError,
  type NetworkErrorCode,
} from "../../core/env/network.ts";
import type { Incarnation } from "../incarnation.ts";
import type { Pipe, PipeReceiver, PipeSender } from "./pipe.ts";

/** Above this many bytes not taken by the network, `write` says so. */
export const highWaterBytes = 64 * 1024;

/** What an endpoint asks of the machine it is on. */
export interface EndpointHost {
  /** The machine's kernel runs. */
  readonly powered: boolean;
  whenPowered(run: () => void): void;
  /** The endpoint will do nothing more. */
  forget(endpoint: Endpoint): void;
}

export interface EndpointParts {
  readonly host: EndpointHost;
  readonly incarnation: Incarnation;
  /** "client:49152>server:6379", the same on both sides. */
  readonly label: string;
}

/**
 * One side of a connection: the `Connection` that a process holds, and the receiver of what arrives for it.
 */
export class Endpoint implements Connection, PipeSender, PipeReceiver {
  readonly #host: EndpointHost;
  readonly #incarnation: Incarnation;
  readonly #label: string;
  #remote: Address = { host: "", port: 0 };
  #handler: ConnectionHandler | null = null;
  #out: Pipe | null = null;
  #in: Pipe | null = null;
  #opening: boolean;
  #paused = false;
  #closed = false;
  #finished = false;
  #ended = false;

  constructor(parts: EndpointParts, opening: boolean) {
    this.#host = parts.host;
    this.#incarnation = parts.incarnation;
    this.#label = parts.label;
    this.#opening = opening;
  }

  /** Before anything else. */
  wireOut(out: Pipe): void {
    this.#out = out;
  }

  /** Once somebody has accepted. */
  wireIn(incoming: Pipe): void {
    this.#in = incoming;
    if (this.#paused) incoming.pause();
  }

  attach(handler: ConnectionHandler): void {
    this.#handler = handler;
  }

  /** The other side is known: to an accepting endpoint at once, to a connecting one when it opens. */
  meet(remote: Address): void {
    this.#remote = remote;
  }

  get label(): string {
    return this.#label;
  }

  get incarnation(): Incarnation {
    return this.#incarnation;
  }

  get opening(): boolean {
    return this.#opening && !this.gone;
  }

  // The process's side.

  get remote(): Address {
    return this.#opening ? { host: "", port: this.#remote.port } : this.#remote;
  }

  write(bytes: Uint8Array): boolean {
    this.#incarnation.call("net.write", this.#label, bytes.length, 0);
    this.#incarnation.payload(bytes, 0, bytes.length);
    if (this.#closed) return true;
    const taken = this.#outgoing().write(bytes, highWaterBytes);
    this.#incarnation.result("net.write", taken ? "ok" : "full", 0);
    return taken;
  }

  pendingBytes(): number {
    this.#incarnation.call("net.pending", this.#label, 0, 0);
    const bytes = this.#closed ? 0 : this.#outgoing().pendingBytes;
    this.#incarnation.result("net.pending", "ok", bytes);
    return bytes;
  }

  pause(): void {
    this.#incarnation.call("net.pause", this.#label, 0, 0);
    this.#paused = true;
    this.#in?.pause();
  }

  resume(): void {
    this.#incarnation.call("net.resume", this.#label, 0, 0);
    this.#paused = false;
    this.#in?.resume();
  }

  end(): void {
    this.#incarnation.call("net.end", this.#label, 0, 0);
    if (!this.#closed) this.#outgoing().end();
  }

  destroy(): void {
    this.#incarnation.call("net.destroy", this.#label, 0, 0);
    if (this.#closed) return;
    this.#outgoing().reset();
    this.#shut();
    this.#incarnation.after(0, () => this.#tellClosed(new NetworkError("ECONNRESET", "destroyed here")));
  }

  // The sender's side of the outgoing pipe. A process that died is not told anything.

  drained(): void {
    if (this.gone) return;
    this.#incarnation.result("net.drain", this.#label, 0);
    this.#handling().onDrain();
  }

  finished(): void {
    this.#finished = true;
    if (this.#ended && !this.gone) this.#closeInOrder();
  }

  // What arrives.

  get gone(): boolean {
    return this.#closed || !this.#incarnation.alive();
  }

  get reachable(): boolean {
    return this.#host.powered;
  }

  whenReachable(run: () => void): void {
    this.#host.whenPowered(run);
  }

  opened(): void {
    assert(this.#opening, "only a connecting endpoint is told");
    this.#opening = false;
    this.#outgoing().open(false);
    this.#incarnation.result("net.open", this.#label, 0);
    this.#handling().onOpen();
  }

  data(bytes: Uint8Array): void {
    this.#incarnation.result("net.data", this.#label, bytes.length);
    this.#incarnation.payload(bytes, 0, bytes.length);
    this.#handling().onData(bytes);
    // Valid only during the call: whoever kept a view sees that it should not have.
    bytes.fill(0x58);
  }

  ended(): void {
    this.#ended = true;
    this.#incarnation.result("net.end", this.#label, 0);
    // The process may end its own side inside this call; the network takes that on a later turn.
    const finished = this.#finished;
    this.#handling().onEnd();
    if (finished && !this.gone) this.#incarnation.after(0, () => this.#closeInOrder());
  }

  broken(code: NetworkErrorCode): void {
    if (this.gone) return;
    this.#shut();
    this.#tellClosed(new NetworkError(code, this.#label));
  }

  /** A fault breaks the connection for both sides. */
  sever(): void {
    if (this.#closed) return;
    this.#outgoing().reset();
    this.#incarnation.after(0, () => this.broken("ECONNRESET"));
  }

  /** The process died; its kernel speaks for it, or, after a power loss, nobody does. */
  abandon(how: "end" | "reset" | "silence"): void {
    if (this.#closed) return;
    this.#shut();
    if (how === "end") this.#outgoing().orphan();
    else if (how === "reset") this.#outgoing().reset();
    else this.#outgoing().silence();
  }

  #closeInOrder(): void {
    if (this.gone) return;
    this.#shut();
    this.#tellClosed(null);
  }

  #shut(): void {
    this.#closed = true;
    this.#host.forget(this);
  }

  #tellClosed(error: NetworkError | null): void {
    this.#incarnation.result("net.close", error === null ? "ok" : error.code, 0);
    this.#handling().onClose(error);
  }

  #outgoing(): Pipe {
    assert(this.#out !== null, "an endpoint is wired before use");
    return this.#out;
  }

  #handling(): ConnectionHandler {
    assert(this.#handler !== null, "a handler is attached before anything happens");
    return this.#handler;
  }
}
