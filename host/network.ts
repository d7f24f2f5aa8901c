import * as net from "node:net";
import { assert } from "../core/assert.ts";
import {
  type Address,
  type Connection,
  type ConnectionHandler,
  type ListenHandler,
  type Listener,
  type Network,
} from "../core/env/network.ts";
import { HostConnection } from "./connection.ts";
import { toNetworkError } from "./network-error.ts";

const portMax = 65_535;

/** Halves that died silently are found out even when nobody writes. */
const keepAliveMs = 300_000;

const socketOptions = {
  allowHalfOpen: true,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: keepAliveMs,
} as const;

/** TCP through `node:net`. */
export class HostNetwork implements Network {
  listen(address: Address, handler: ListenHandler): Listener {
    checkPort(address.port);
    const listener = new HostListener(handler);
    listener.start(address);
    return listener;
  }

  connect(address: Address, handler: ConnectionHandler): Connection {
    checkPort(address.port);
    const socket = net.connect({ ...address, ...socketOptions });
    const connection = new HostConnection(socket, { host: "", port: address.port });
    connection.attach(handler);
    return connection;
  }
}

class HostListener implements Listener {
  readonly #server: net.Server;
  readonly #handler: ListenHandler;
  #closed = false;

  constructor(handler: ListenHandler) {
    this.#handler = handler;
    this.#server = net.createServer(socketOptions);
    this.#server.on("connection", (socket) => this.#accept(socket));
    this.#server.on("error", (error) => this.#failed(error));
  }

  start(address: Address): void {
    this.#server.listen({ ...address }, () => this.#listening());
  }

  close(): void {
    this.#closed = true;
    this.#server.close();
  }

  #listening(): void {
    const bound = this.#server.address();
    if (this.#closed || bound === null || typeof bound === "string") return;
    this.#handler.onListening({ host: bound.address, port: bound.port });
  }

  #accept(socket: net.Socket): void {
    if (this.#closed) {
      socket.destroy();
      return;
    }
    const remote = { host: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 };
    const connection = new HostConnection(socket, remote);
    connection.attach(this.#handler.onConnection(connection));
  }

  #failed(error: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#server.close();
    this.#handler.onError(toNetworkError(error));
  }
}

function checkPort(port: number): void {
  assert(Number.isInteger(port), "a port is an integer");
  assert(port >= 0, "a port is not negative");
  assert(port <= portMax, "a port fits 16 bits");
}

