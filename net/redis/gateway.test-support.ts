// A gateway in memory and a client that speaks raw bytes.
import type { Connection, ConnectionHandler, NetworkError } from "../../core/env/network.ts";
import type { NokvError } from "../../core/errors.ts";
import type {
  Kv,
  MutateDone,
  Mutation,
  ReadDone,
  ScanDone,
  ScanRequest,
  TransactDone,
  Transaction,
  WatchDone,
} from "../../core/kv/kv.ts";
import { MapKv } from "../../core/kv/map-kv.ts";
import { type MemoryWorld, memoryWorld } from "./memory-network.test-support.ts";
import { checkGatewayOptions, type GatewayOptions } from "./options.ts";
import { RedisServer } from "./server.ts";

export const address = { host: "127.0.0.1", port: 6380 };

/** Text to bytes and back, one code unit per byte. */
export function latin(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

export function unlatin(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** One request as an array of bulk strings. */
export function request(...tokens: readonly string[]): string {
  return `*${tokens.length}\r\n${tokens.map((token) => `$${token.length}\r\n${token}\r\n`).join("")}`;
}

/** Takes effect at once, as a store does, but completes only when `release` is called. */
export class SlowKv implements Kv {
  readonly ordered = true;
  readonly #kv: Kv;
  readonly #held: (() => void)[] = [];
  /** Mutations are held; reads too when they are to see pending ones. */
  holding = true;
  holdsReads = false;
  /** The next operations fail with these. */
  readonly failures: NokvError[] = [];

  constructor(kv: Kv) {
    this.#kv = kv;
  }

  get held(): number {
    return this.#held.length;
  }

  /** Completes the operation held longest, or the one at `index`. */
  release(index = 0): void {
    const [complete] = this.#held.splice(index, 1);
    complete?.();
  }

  releaseAll(): void {
    for (const complete of this.#held.splice(0)) complete();
  }

  read(keys: readonly Uint8Array[], done: ReadDone): void {
    const failure = this.failures.shift();
    if (failure !== undefined) done(failure, []);
    else this.#kv.read(keys, (error, entries) => this.#hold(this.holdsReads, () => done(error, entries)));
  }

  mutate(mutation: Mutation, done: MutateDone): void {
    const failure = this.failures.shift();
    if (failure !== undefined) this.#hold(this.holding, () => done(failure, null));
    else this.#kv.mutate(mutation, (error, outcome) => this.#hold(this.holding, () => done(error, outcome)));
  }

  scan(request: ScanRequest, done: ScanDone): void {
    this.#kv.scan(request, (error, page) => this.#hold(this.holdsReads, () => done(error, page)));
  }

  count(done: (error: NokvError | null, count: number) => void): void {
    this.#kv.count((error, count) => this.#hold(this.holdsReads, () => done(error, count)));
  }

  clear(done: (error: NokvError | null) => void): void {
    this.#kv.clear((error) => this.#hold(this.holding, () => done(error)));
  }

  watch(keys: readonly Uint8Array[], done: WatchDone): void {
    const failure = this.failures.shift();
    if (failure !== undefined) done(failure, []);
    else this.#kv.watch(keys, (error, watched) => this.#hold(this.holdsReads, () => done(error, watched)));
  }

  transact(transaction: Transaction, done: TransactDone): void {
    const failure = this.failures.shift();
    if (failure !== undefined) this.#hold(this.holding, () => done(failure, null));
    else {
      this.#kv.transact(transaction, (error, results) => {
        this.#hold(this.holding, () => done(error, results));
      });
    }
  }

  #hold(hold: boolean, complete: () => void): void {
    if (hold) this.#held.push(complete);
    else complete();
  }
}

/** A client that sends what it is told and collects what comes. */
export class RawClient implements ConnectionHandler {
  received = "";
  opened = false;
  ended = false;
  closed = false;
  closeError: NetworkError | null = null;
  readonly connection: Connection;
  readonly #world: MemoryWorld;

  constructor(world: MemoryWorld) {
    this.#world = world;
    this.connection = world.network.connect(address, this);
  }

  onOpen(): void {
    this.opened = true;
  }

  onData(bytes: Uint8Array): void {
    this.received += unlatin(bytes);
  }

  onEnd(): void {
    this.ended = true;
  }

  onDrain(): void {
    // Tests send little.
  }

  onClose(error: NetworkError | null): void {
    this.closed = true;
    this.closeError = error;
  }

  send(text: string): void {
    this.connection.write(latin(text));
  }

  /** Sends, lets everything happen, and returns what came since the last call. */
  ask(text: string): string {
    this.send(text);
    this.#world.clock.run();
    return this.take();
  }

  take(): string {
    const { received } = this;
    this.received = "";
    return received;
  }
}

export interface MemoryGateway {
  readonly world: MemoryWorld;
  readonly server: RedisServer;
  readonly kv: Kv;
  client(): RawClient;
}

/** A listening gateway over a map, or over `kv`. */
export function memoryGateway(
  options: Partial<GatewayOptions> = {},
  kv?: (world: MemoryWorld) => Kv,
): MemoryGateway {
  const world = memoryWorld();
  const store = kv === undefined ? new MapKv(() => world.clock.wallMs()) : kv(world);
  const server = new RedisServer(world, store, checkGatewayOptions(options));
  server.listen(address, () => undefined);
  world.clock.run();
  return {
    world,
    server,
    kv: store,
    client: (): RawClient => {
      const client = new RawClient(world);
      world.clock.run();
      return client;
    },
  };
}
