import { assert } from "../../core/assert.ts";
import type { Address } from "../../core/env/network.ts";
import type { CallDone, CallHandle, CallOrder } from "./call.ts";
import type { Identity } from "./hello.ts";
import type { Handler } from "./incoming-request.ts";
import { NetContext, type NetHooks, type NetStatistics, type NetWorld, type Resolve } from "./net-world.ts";
import { type NetOptions, netOptions } from "./options.ts";
import { type OutMessage, Peer } from "./peer.ts";
import { Server, type ServerHooks } from "./server.ts";
import type { RpcError } from "./rpc-error.ts";
import { type StreamAcceptor, StreamReceivers } from "./stream-receiver.ts";
import { type StreamDone, type StreamHandle, type StreamSource, StreamSenders } from "./stream-sender.ts";

export interface TransportParts {
  readonly identity: Identity;
  readonly options: Partial<NetOptions>;
  readonly resolve: Resolve;
  readonly hooks: NetHooks;
  /** Who takes streams; null: nobody. */
  readonly streams: StreamAcceptor | null;
}

/** What waits and what is under way, for bounds and leaks. */
export interface TransportState {
  readonly pendingCalls: number;
  /** Requests being answered. */
  readonly inFlight: number;
  readonly connections: number;
  /** Largest of any peer. */
  readonly controlMessages: number;
  readonly appendBytes: number;
  readonly requests: number;
  readonly responseBytes: number;
  readonly streamsOut: number;
  readonly streamsIn: number;
  readonly deadlines: number;
}

/**
 * A node's way to the others, by store id. Connections come and go by themselves: what this node sends to a store goes
 * over two that it made (one for messages and requests, one for streams), what a store sends comes over those that the
 * store made. Nothing is sent twice, and nothing is kept for a store that cannot be reached.
 */
export class Transport {
  readonly #context: NetContext;
  readonly #server: Server;
  readonly #peers = new Map<number, Peer>();
  readonly #senders: StreamSenders;
  readonly #receivers: StreamReceivers;
  #closed = false;

  constructor(world: NetWorld, parts: TransportParts) {
    this.#context = new NetContext(world, parts.identity, netOptions(parts.options), parts.resolve, parts.hooks);
    this.#senders = new StreamSenders(this.#context);
    this.#receivers = new StreamReceivers(this.#context, parts.streams);
    this.#server = new Server(this.#context, (inbound, hello) => this.#receivers.endOf(inbound, hello));
  }

  get statistics(): NetStatistics {
    return this.#context.statistics;
  }

  /** Accepts connections at `address`. */
  listen(address: Address, hooks: ServerHooks): void {
    this.#server.listen(address, hooks);
  }

  /** Requests of that method go to `handler`. */
  handle(method: number, handler: Handler): void {
    this.#server.handle(method, handler);
  }

  /** May be lost; of a control message only the newest of its kind is worth sending. */
  send(storeId: number, message: OutMessage): void {
    if (!this.#closed) this.#peer(storeId).send(message);
  }

  /** Asks once. `done` is called exactly once, with the answer or with how it ended without. */
  call(storeId: number, order: CallOrder, done: CallDone): CallHandle {
    if (!this.#closed) return this.#peer(storeId).call(order, done);
    const error: RpcError = { kind: "unreachable", retryAfterMs: 0, reason: "closed here" };
    this.#context.world.clock.soon(() => done(error, new Uint8Array(0)));
    return { cancel: () => {} };
  }

  /** Sends what `source` holds, over as many connections as it takes. */
  stream(storeId: number, source: StreamSource, done: StreamDone): StreamHandle {
    return this.#senders.start(storeId, source, done);
  }

  /** That store is no more: its connections end, calls to it fail. */
  forget(storeId: number): void {
    this.#peers.get(storeId)?.close(`store ${storeId} was removed`);
    this.#peers.delete(storeId);
    this.#senders.forget(storeId);
  }

  isConnected(storeId: number): boolean {
    return this.#peers.get(storeId)?.ready ?? false;
  }

  state(): TransportState {
    const peers = [...this.#peers.values()];
    const most = (of: (peer: Peer) => number): number => Math.max(0, ...peers.map(of));
    return {
      pendingCalls: peers.reduce((sum, peer) => sum + peer.pendingCalls, 0),
      inFlight: this.#server.inFlight,
      connections: this.#server.connections,
      controlMessages: most((peer) => peer.outbox.controlMessages),
      appendBytes: most((peer) => peer.outbox.appendBytes),
      requests: most((peer) => peer.outbox.requests),
      responseBytes: this.#server.queuedBytes,
      streamsOut: this.#senders.active,
      streamsIn: this.#receivers.active,
      deadlines: this.#context.deadlines.pending,
    };
  }

  /** Every connection ends, every call fails, nothing is accepted any more. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#server.close();
    for (const peer of this.#peers.values()) peer.close("closed here");
    this.#peers.clear();
    this.#senders.close();
    this.#receivers.close();
  }

  #peer(storeId: number): Peer {
    assert(storeId !== this.#context.identity.storeId, "a node does not talk to itself over the network");
    const known = this.#peers.get(storeId);
    if (known !== undefined) return known;
    const peer = new Peer(this.#context, storeId);
    this.#peers.set(storeId, peer);
    return peer;
  }
}
