import { assert } from "../../core/assert.ts";
import type { Address, Connection, Listener, NetworkError } from "../../core/env/network.ts";
import { type Hello, type Refusal, compareAge, helloOf, judgeHello } from "./hello.ts";
import { Inbound, type InboundHost, type StreamEnd } from "./inbound.ts";
import type { Handler } from "./incoming-request.ts";
import type { NetContext } from "./net-world.ts";

/** How listening went. */
export interface ServerHooks {
  onListening(address: Address): void;
  /** The address could not be taken, or was lost. */
  onError(error: NetworkError): void;
}

/** Makes the receiving end of streams for a bulk connection. */
export type StreamEndMaker = (inbound: Inbound, hello: Hello) => StreamEnd;

/** The accepting half of a node: who is connected, what it may ask, and how much at once. */
export class Server implements InboundHost {
  readonly #context: NetContext;
  readonly #makeStreamEnd: StreamEndMaker;
  readonly #handlers = new Map<number, Handler>();
  readonly #inbounds = new Set<Inbound>();
  /** By store and lane: the connection that counts. */
  readonly #current = new Map<string, Inbound>();
  /** By store and lane: the youngest that was ever let in, so that a late packet opens nothing. */
  readonly #youngest = new Map<string, Hello>();
  #listener: Listener | null = null;
  #inFlight = 0;
  #closing = false;

  constructor(context: NetContext, makeStreamEnd: StreamEndMaker) {
    this.#context = context;
    this.#makeStreamEnd = makeStreamEnd;
  }

  get connections(): number {
    return this.#inbounds.size;
  }

  /** Requests admitted and not released, over all connections. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Bytes of answers that wait, over all connections, about. */
  get queuedBytes(): number {
    let bytes = 0;
    for (const inbound of this.#inbounds) bytes += inbound.queuedBytes();
    return bytes;
  }

  handle(method: number, handler: Handler): void {
    assert(!this.#handlers.has(method), "a method has one handler");
    this.#handlers.set(method, handler);
  }

  listen(address: Address, hooks: ServerHooks): void {
    assert(this.#listener === null, "a server listens once");
    this.#listener = this.#context.world.network.listen(address, {
      onListening: (bound) => hooks.onListening(bound),
      onConnection: (connection) => this.#accept(connection),
      onError: (error) => hooks.onError(error),
    });
  }

  close(): void {
    this.#closing = true;
    this.#listener?.close();
    for (const inbound of this.#inbounds) inbound.close("closed here");
  }

  judge(inbound: Inbound, hello: Hello): Refusal | null {
    const { identity, options } = this.#context;
    if (this.#closing) return { code: "closing", reason: "this process is about to end" };
    const refusal = judgeHello(helloOf(identity, hello.lane, 0, 0), hello);
    if (refusal !== null) return refusal;
    if (this.#inbounds.size > options.connectionsMax) {
      return { code: "busy", reason: `more than ${options.connectionsMax} connections` };
    }
    if (hello.role !== "store" || hello.storeId === 0) return null;
    return this.#judgeStore(inbound, hello);
  }

  handler(method: number): Handler | null {
    return this.#handlers.get(method) ?? null;
  }

  admit(): boolean {
    if (this.#inFlight >= this.#context.options.inFlightTotalMax) return false;
    this.#inFlight++;
    return true;
  }

  release(): void {
    this.#inFlight--;
    assert(this.#inFlight >= 0, "only what was admitted is released");
  }

  streamEnd(inbound: Inbound, hello: Hello): StreamEnd {
    return this.#makeStreamEnd(inbound, hello);
  }

  closed(inbound: Inbound): void {
    this.#inbounds.delete(inbound);
    const { hello } = inbound;
    if (hello === null) return;
    const key = keyOf(hello);
    if (this.#current.get(key) === inbound) this.#current.delete(key);
  }

  #accept(connection: Connection): Inbound["line"] {
    const inbound = new Inbound(this.#context, this, connection);
    this.#inbounds.add(inbound);
    inbound.start(connection);
    // Those that have not said who they are yet are let in beyond the limit, but not without end.
    const { connectionsMax } = this.#context.options;
    if (this.#inbounds.size > 2 * connectionsMax) {
      inbound.refuse({ code: "busy", reason: `more than ${2 * connectionsMax} connections` });
    }
    return inbound.line;
  }

  /** One connection per store and lane, the youngest; nothing of a process that has a successor. */
  #judgeStore(inbound: Inbound, hello: Hello): Refusal | null {
    const { storeId } = hello;
    if (storeId === this.#context.identity.storeId) {
      return { code: "store", reason: `two processes say that they are store ${storeId}` };
    }
    for (const lane of ["control", "bulk"] as const) {
      const known = this.#youngest.get(keyOf({ ...hello, lane }));
      if (known === undefined) continue;
      const isOlder = lane === hello.lane ? compareAge(hello, known) <= 0 : hello.incarnation < known.incarnation;
      if (isOlder) {
        const [a, b] = [`${hello.incarnation}.${hello.ordinal}`, `${known.incarnation}.${known.ordinal}`];
        const code = hello.incarnation < known.incarnation ? "superseded" : "stale";
        return { code, reason: `connection ${a} of store ${storeId}, after ${b}` };
      }
      const current = this.#current.get(keyOf({ ...hello, lane }));
      if (lane === hello.lane || known.incarnation < hello.incarnation) {
        current?.close("replaced by a younger connection");
      }
    }
    this.#youngest.set(keyOf(hello), hello);
    this.#current.set(keyOf(hello), inbound);
    return null;
  }
}

function keyOf(hello: Hello): string {
  return `${hello.storeId}/${hello.lane}`;
}
