import { assert } from "../../core/assert.ts";
import type {
  Address,
  Connection,
  ConnectionHandler,
  Listener,
  Network,
  NetworkError,
} from "../../core/env/network.ts";

/** A network under test: two processes that reach each other, possibly the same one twice. */
export interface NetworkSubject {
  readonly server: Network;
  readonly client: Network;
  /** Where the server listens, and where the client finds it. */
  readonly bindHost: string;
  readonly connectHost: string;
}

/**
 * One promise of `core/env/network.ts`, checked by what a caller can see. Throws AssertionError when broken.
 */
export interface NetworkCase {
  readonly name: string;
  readonly run: (subject: NetworkSubject) => Promise<void>;
}

/**
 * One side of a connection under test. Collects what arrives, lets a case wait for it, and checks what holds
 * always: nothing before its time, nothing after `onClose`, no callback inside a call.
 */
export class Peer implements ConnectionHandler {
  readonly received: number[] = [];
  opened = false;
  ended = false;
  closed = false;
  drains = 0;
  dataCalls = 0;
  error: NetworkError | null = null;
  /** Called with every piece of data, after it was taken in. */
  onPiece: (bytes: Uint8Array) => void = () => {};
  #connection: Connection | null = null;
  #inside = 0;
  #waiting: { readonly holds: () => boolean; readonly resolve: () => void }[] = [];

  /** The connection to use: its calls are watched. */
  get connection(): Connection {
    assert(this.#connection !== null, "the peer has its connection");
    return this.#connection;
  }

  static connect(network: Network, address: Address): Peer {
    const peer = new Peer();
    peer.#inside++;
    peer.#connection = network.connect(address, peer);
    peer.#inside--;
    return peer;
  }

  accept(connection: Connection): void {
    this.opened = true;
    this.#connection = connection;
  }

  /** Makes a call on the connection; no callback may come before it returns. */
  call<T>(make: (connection: Connection) => T): T {
    this.#inside++;
    const result = make(this.connection);
    this.#inside--;
    return result;
  }

  write(bytes: Uint8Array): boolean {
    return this.call((connection) => connection.write(bytes));
  }

  end(): void {
    this.call((connection) => connection.end());
  }

  destroy(): void {
    this.call((connection) => connection.destroy());
  }

  /** Settles as soon as `holds` is true after some event of this side. */
  until(holds: (peer: Peer) => boolean): Promise<void> {
    if (holds(this)) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push({ holds: () => holds(this), resolve });
    });
  }

  // What the network calls.

  onOpen(): void {
    this.#event();
    assert(!this.opened, "a connection opens once");
    this.opened = true;
    this.#tell();
  }

  onData(bytes: Uint8Array): void {
    this.#event();
    assert(this.opened, "data follows the opening");
    assert(!this.ended, "no data after the end");
    assert(bytes.length > 0, "data is not empty");
    this.dataCalls++;
    for (const byte of bytes) this.received.push(byte);
    this.onPiece(bytes);
    this.#tell();
  }

  onEnd(): void {
    this.#event();
    assert(!this.ended, "a stream ends once");
    this.ended = true;
    this.#tell();
  }

  onDrain(): void {
    this.#event();
    this.drains++;
    this.#tell();
  }

  onClose(error: NetworkError | null): void {
    this.#event();
    this.closed = true;
    this.error = error;
    this.#tell();
  }

  #event(): void {
    assert(this.#inside === 0, "no callback inside a call");
    assert(!this.closed, "nothing after the close");
  }

  #tell(): void {
    const waiting = this.#waiting;
    this.#waiting = waiting.filter(({ holds }) => !holds());
    for (const { holds, resolve } of waiting) if (holds()) resolve();
  }
}

/** A listener under test, and whom it accepted. */
export class Door {
  readonly accepted: Peer[] = [];
  /** Prepares the peer of each accepted connection before anything happens to it. */
  onAccept: (peer: Peer) => void = () => {};
  #listener: Listener | null = null;
  #address: Address | null = null;
  #waiting: { readonly count: number; readonly resolve: (peer: Peer) => void }[] = [];

  /** Rejects with the `NetworkError` when the address cannot be taken. */
  static open(network: Network, address: Address): Promise<Door> {
    const door = new Door();
    let inside = true;
    return new Promise((resolve, reject) => {
      door.#listener = network.listen(address, {
        onListening: (bound) => {
          assert(!inside, "no callback inside the call");
          door.#address = bound;
          resolve(door);
        },
        onConnection: (connection) => door.#accept(connection),
        onError: (error) => {
          assert(!inside, "no callback inside the call");
          reject(error);
        },
      });
      inside = false;
    });
  }

  get port(): number {
    assert(this.#address !== null, "the address is known");
    return this.#address.port;
  }

  close(): void {
    this.#listener?.close();
  }

  /** The `n`-th accepted peer, counting from 0. */
  peer(n: number): Promise<Peer> {
    const known = this.accepted[n];
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve) => this.#waiting.push({ count: n + 1, resolve }));
  }

  #accept(connection: Connection): Peer {
    const peer = new Peer();
    peer.accept(connection);
    this.accepted.push(peer);
    this.onAccept(peer);
    const ready = this.#waiting.filter(({ count }) => count === this.accepted.length);
    for (const { resolve } of ready) resolve(peer);
    return peer;
  }
}

/** Listens on a free port. */
export function bind(network: Network, host: string): Promise<Door> {
  return Door.open(network, { host, port: 0 });
}

/** Both sides of one open connection. */
export async function pair(subject: NetworkSubject): Promise<{ door: Door; near: Peer; far: Peer }> {
  const door = await bind(subject.server, subject.bindHost);
  const near = Peer.connect(subject.client, { host: subject.connectHost, port: door.port });
  await near.until(({ opened }) => opened);
  return { door, near, far: await door.peer(0) };
}

/** Ends both sides in order. */
export async function farewell(near: Peer, far: Peer): Promise<void> {
  near.end();
  await far.until(({ ended }) => ended);
  far.end();
  await Promise.all([near.until(({ closed }) => closed), far.until(({ closed }) => closed)]);
  assert(near.error === null && far.error === null, "both ended in order");
}
