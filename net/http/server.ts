import { assert } from "../../core/assert.ts";
import type { Clock, Timer } from "../../core/env/clock.ts";
import type {
  Address,
  Connection,
  ConnectionHandler,
  Listener,
  ListenHandler,
  Network,
  NetworkError,
} from "../../core/env/network.ts";
import { encodeResponse, hasHeaders, type HttpRequest, type HttpResponse, parseRequest, plainText } from "./request.ts";

/** Answers a GET. Synchronous: what it shows is of one moment. */
export type HttpHandler = (request: HttpRequest) => HttpResponse;

/** The parts of `Env` that it uses. */
export interface HttpWorld {
  readonly clock: Clock;
  readonly network: Network;
}

const requestBytesMax = 8 * 1024;
const connectionsMax = 64;
/** From the first byte to the last of request and response. */
const patienceUs = 10_000_000;

/**
 * Just enough of HTTP for health, statistics and metrics: GET and HEAD, one request per connection. It stands on
 * `Network` and not on `node:http`, so that a node answers in the simulator as it does on a machine, and no second
 * server with defaults of its own runs in a process that has to be predictable.
 */
export class HttpServer implements ListenHandler {
  readonly #world: HttpWorld;
  readonly #handler: HttpHandler;
  readonly #connections = new Set<HttpConnection>();
  #listener: Listener | null = null;
  #listening: ((error: NetworkError | null) => void) | null = null;
  #address: Address = { host: "", port: 0 };

  constructor(world: HttpWorld, handler: HttpHandler) {
    this.#world = world;
    this.#handler = handler;
  }

  /** Where it listens; with the port that was picked when 0 was asked for. */
  get address(): Address {
    return this.#address;
  }

  /** `listening` is called once: with null when clients may come, or with why they cannot. */
  listen(address: Address, listening: (error: NetworkError | null) => void): void {
    assert(this.#listener === null, "a server listens once");
    this.#listening = listening;
    this.#listener = this.#world.network.listen(address, this);
  }

  close(): void {
    this.#listener?.close();
    for (const connection of this.#connections) connection.drop();
  }

  onListening(address: Address): void {
    this.#address = address;
    this.#tell(null);
  }

  onError(error: NetworkError): void {
    this.#tell(error);
  }

  onConnection(network: Connection): ConnectionHandler {
    const connection = new HttpConnection(this.#world.clock, network, this.#handler, () => {
      this.#connections.delete(connection);
    });
    this.#connections.add(connection);
    if (this.#connections.size > connectionsMax) connection.drop();
    return connection;
  }

  #tell(error: NetworkError | null): void {
    const listening = this.#listening;
    this.#listening = null;
    listening?.(error);
  }
}

class HttpConnection implements ConnectionHandler {
  readonly #network: Connection;
  readonly #handler: HttpHandler;
  readonly #closed: () => void;
  readonly #bytes = new Uint8Array(requestBytesMax);
  readonly #timer: Timer;
  #length = 0;
  #answered = false;

  // oxlint-disable-next-line max-params
  constructor(clock: Clock, network: Connection, handler: HttpHandler, closed: () => void) {
    this.#network = network;
    this.#handler = handler;
    this.#closed = closed;
    this.#timer = clock.after(patienceUs, () => this.drop());
  }

  drop(): void {
    this.#network.destroy();
  }

  onOpen(): void {
    // An accepted connection is open from the start.
  }

  onData(bytes: Uint8Array): void {
    if (this.#answered) return;
    const taken = bytes.subarray(0, requestBytesMax - this.#length);
    this.#bytes.set(taken, this.#length);
    this.#length += taken.length;
    if (hasHeaders(this.#bytes, this.#length)) this.#answer();
    else if (this.#length === requestBytesMax) this.#refuse(431, "the request is too long");
  }

  onEnd(): void {
    if (!this.#answered) this.#network.end();
  }

  onDrain(): void {
    // What is written was small enough to wait in the network.
  }

  onClose(): void {
    this.#timer.cancel();
    this.#closed();
  }

  #answer(): void {
    const request = parseRequest(new TextDecoder("latin1").decode(this.#bytes.subarray(0, this.#length)));
    if (request === null) return this.#refuse(400, "this is not HTTP");
    if (request.method !== "GET" && request.method !== "HEAD") return this.#refuse(405, "only GET is answered here");
    this.#send(this.#handler(request), request.method === "GET");
  }

  #refuse(status: 400 | 405 | 431, body: string): void {
    this.#send({ status, contentType: plainText, body: `${body}\n` }, true);
  }

  #send(response: HttpResponse, withBody: boolean): void {
    this.#answered = true;
    this.#network.write(encodeResponse(response, withBody));
    this.#network.end();
  }
}
