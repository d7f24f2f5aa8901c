import type { Timer } from "../../core/env/clock.ts";
import type { Env } from "../../core/env/env.ts";
import type {
  Address,
  Connection,
  ConnectionHandler,
  ListenHandler,
  Listener,
  NetworkError,
} from "../../core/env/network.ts";
import type { Kv } from "../../core/kv/kv.ts";
import { assert } from "../../core/assert.ts";
import { CommandTable } from "./command-table.ts";
import { commands } from "./commands/all.ts";
import { type ConnectionOwner, GatewayConnection } from "./connection.ts";
import { deniedText, errorText } from "./error-text.ts";
import { Gateway } from "./gateway.ts";
import type { GatewayOptions } from "./options.ts";

/** Refused clients that are still being told why. */
const refusedMax = 1024;
const sweepIntervalUsMax = 1_000_000;
const sweepIntervalUsMin = 1000;

export type ServerWorld = Pick<Env, "clock" | "network" | "random" | "trace">;

/** A Redis server over any `Kv`. */
export class RedisServer implements ConnectionOwner, ListenHandler {
  readonly gateway: Gateway;
  readonly #world: ServerWorld;
  readonly #connections = new Set<GatewayConnection>();
  readonly #awake = new Set<GatewayConnection>();
  /** A turn was asked for and has not come. */
  #turnAsked = false;
  #sweep: Timer | null = null;
  #deadline: Timer | null = null;
  #listener: Listener | null = null;
  #listening: ((error: NetworkError | null) => void) | null = null;
  #closing = false;
  #closed: (() => void) | null = null;
  #nextId = 1;

  /** `estimateKeys`: about how many keys `kv` holds, at no cost; INFO asks. */
  constructor(world: ServerWorld, kv: Kv, options: GatewayOptions, estimateKeys: () => number = () => 0) {
    this.#world = world;
    this.gateway = new Gateway(world, { kv, options, commands: new CommandTable(commands), estimateKeys });
  }

  /** `listening` is called once: with null when clients may come, or with why they cannot. */
  listen(address: Address, listening: (error: NetworkError | null) => void): void {
    assert(this.#listener === null, "a server listens once");
    this.#listening = listening;
    this.#listener = this.#world.network.listen(address, this);
  }

  /** Where it listens; with the port that was picked when 0 was asked for. */
  get address(): Address {
    return this.gateway.address;
  }

  /** Takes no more clients or requests, answers what was begun, hangs up, then calls `closed`. */
  close(closed: () => void): void {
    assert(!this.#closing, "a server is closed once");
    this.#closing = true;
    this.#closed = closed;
    this.#listener?.close();
    for (const connection of this.#connections) connection.shutDown();
    this.#deadline = this.#world.clock.after(this.gateway.options.lingerMs * 1000, () => this.#abortAll());
    this.#world.clock.soon(() => this.#tellClosed());
  }

  onListening(address: Address): void {
    this.gateway.address = address;
    this.#tellListening(null);
  }

  onError(error: NetworkError): void {
    this.#world.trace.emit("redis/listener-lost", { code: error.code });
    this.#tellListening(error);
  }

  onConnection(network: Connection): ConnectionHandler {
    const { statistics, clients, options } = this.gateway;
    const id = this.#nextId++;
    const connection = new GatewayConnection(this.gateway, this, network, id);
    this.#connections.add(connection);
    statistics.connectionsReceived++;
    const refusal = this.#refusal(network);
    if (this.#closing || (refusal !== null && this.#connections.size > options.clientsMax + refusedMax)) {
      connection.abort();
    } else if (refusal !== null) {
      statistics.connectionsRejected++;
      connection.refuse(refusal);
    } else {
      clients.set(id, connection);
      if (options.idleMs > 0) this.watch();
    }
    return connection;
  }

  wake(connection: GatewayConnection): void {
    this.#awake.add(connection);
    if (this.#turnAsked) return;
    this.#turnAsked = true;
    this.#world.clock.soon(() => this.#turn());
  }

  watch(): void {
    if (this.#sweep !== null) return;
    const { incompleteMs, idleMs, lingerMs } = this.gateway.options;
    const shortestMs = Math.min(incompleteMs, lingerMs, idleMs === 0 ? incompleteMs : idleMs);
    const intervalUs = Math.min(sweepIntervalUsMax, Math.max(sweepIntervalUsMin, shortestMs * 250));
    this.#sweep = this.#world.clock.after(intervalUs, () => this.#swept());
  }

  closed(connection: GatewayConnection): void {
    this.#connections.delete(connection);
    this.#awake.delete(connection);
    this.gateway.clients.delete(connection.session.id);
    if (this.#closing) this.#tellClosed();
  }

  #refusal(network: Connection): string | null {
    const { options, open, clients } = this.gateway;
    if (clients.size >= options.clientsMax) return errorText.maxClients;
    if (options.protectedMode && open && !isLoopback(network.remote.host)) return deniedText;
    return null;
  }

  #turn(): void {
    this.#turnAsked = false;
    const awake = [...this.#awake];
    this.#awake.clear();
    for (const connection of awake) connection.turn();
  }

  #swept(): void {
    this.#sweep = null;
    const nowUs = this.#world.clock.monotonicUs();
    let watched = false;
    for (const connection of this.#connections) watched = connection.check(nowUs) || watched;
    if (watched) this.watch();
  }

  #abortAll(): void {
    for (const connection of this.#connections) connection.abort();
  }

  #tellListening(error: NetworkError | null): void {
    const listening = this.#listening;
    this.#listening = null;
    if (listening !== null) listening(error);
  }

  #tellClosed(): void {
    if (this.#connections.size > 0 || this.#closed === null) return;
    const closed = this.#closed;
    this.#closed = null;
    this.#sweep?.cancel();
    this.#deadline?.cancel();
    closed();
  }
}

/** 127.0.0.0/8, ::1, and the former mapped into IPv6. */
export function isLoopback(host: string): boolean {
  return host === "::1" || host === "localhost" || /^(?:::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/i.test(host);
}
