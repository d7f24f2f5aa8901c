// A network and a clock in memory, driven by hand: nothing happens outside `run` and `advance`.
import type { Clock, Timer } from "../../core/env/clock.ts";
import {
  type Address,
  type Connection,
  type ConnectionHandler,
  type Listener,
  type ListenHandler,
  type Network,
  NetworkError,
} from "../../core/env/network.ts";
import type { Random } from "../../core/env/random.ts";
import type { Trace } from "../../core/env/trace.ts";

interface Due {
  readonly atUs: number;
  readonly order: number;
  readonly run: () => void;
  cancelled: boolean;
}

export class ManualClock implements Clock {
  nowUs = 1_000_000;
  /** Wall time minus monotonic time. */
  offsetMs = 1_700_000_000_000;
  readonly #due: Due[] = [];
  #order = 0;

  monotonicUs(): number {
    return this.nowUs;
  }

  wallMs(): number {
    return Math.floor(this.nowUs / 1000) + this.offsetMs;
  }

  wallUncertaintyMs(): number {
    return 0;
  }

  after(delayUs: number, run: () => void): Timer {
    const due: Due = { atUs: this.nowUs + delayUs, order: this.#order++, run, cancelled: false };
    this.#due.push(due);
    return {
      cancel: (): void => {
        due.cancelled = true;
      },
    };
  }

  soon(run: () => void): void {
    this.after(0, run);
  }

  /** Runs everything that is due now, and what that makes due; false when nothing was. */
  run(): boolean {
    let ran = false;
    for (;;) {
      const next = this.#next(this.nowUs);
      if (next === null) return ran;
      ran = true;
      next.run();
    }
  }

  /** Lets time pass, timer by timer. */
  advance(ms: number): void {
    const endUs = this.nowUs + ms * 1000;
    for (let next = this.#next(endUs); next !== null; next = this.#next(endUs)) {
      this.nowUs = Math.max(this.nowUs, next.atUs);
      next.run();
    }
    this.nowUs = endUs;
  }

  #next(untilUs: number): Due | null {
    let best = -1;
    for (const [i, due] of this.#due.entries()) {
      if (due.cancelled || due.atUs > untilUs) continue;
      const champion = this.#due[best];
      const earlier = champion === undefined || due.atUs < champion.atUs;
      if (earlier || (due.atUs === champion.atUs && due.order < champion.order)) best = i;
    }
    if (best < 0) return null;
    return this.#due.splice(best, 1)[0] ?? null;
  }
}

const highWaterBytes = 16 * 1024;

/** One end of a connection. Bytes travel by events of the clock, `cut()` of them at a time. */
class Endpoint implements Connection {
  readonly remote: Address;
  handler: ConnectionHandler | null = null;
  peer: Endpoint | null = null;
  /** Written and not delivered. */
  queue: number[] = [];
  paused = false;
  ending = false;
  ended = false;
  closed = false;
  needsDrain = false;
  readonly #network: MemoryNetwork;
  #scheduled = false;

  constructor(network: MemoryNetwork, remote: Address) {
    this.#network = network;
    this.remote = remote;
  }

  write(bytes: Uint8Array): boolean {
    if (this.ending || this.closed) return true;
    this.#network.writes++;
    for (const byte of bytes) this.queue.push(byte);
    this.schedule();
    if (this.queue.length > highWaterBytes) this.needsDrain = true;
    return !this.needsDrain;
  }

  pendingBytes(): number {
    return this.queue.length;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.peer?.schedule();
  }

  end(): void {
    this.ending = true;
    this.schedule();
  }

  destroy(): void {
    const peer = this.peer;
    this.#network.clock.soon(() => this.close(new NetworkError("ECONNRESET", "destroyed")));
    this.ending = true;
    this.queue = [];
    this.handler = silent(this.handler);
    if (peer !== null) {
      this.#network.clock.soon(() => peer.close(new NetworkError("ECONNRESET", "reset by peer")));
    }
  }

  close(error: NetworkError | null): void {
    if (this.closed) return;
    this.closed = true;
    this.handler?.onClose(error);
  }

  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#network.clock.soon(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    const peer = this.peer;
    if (peer === null || this.closed || peer.closed || peer.handler === null) return;
    if (this.queue.length > 0) {
      if (peer.paused) return;
      const piece = Uint8Array.from(this.queue.splice(0, this.#network.cut()));
      peer.handler.onData(piece);
      piece.fill(0x58);
      this.schedule();
      if (this.queue.length === 0 && this.needsDrain) {
        this.needsDrain = false;
        this.handler?.onDrain();
      }
      return;
    }
    if (!this.ending || this.ended) return;
    this.ended = true;
    peer.handler.onEnd();
    if (!peer.ended) return;
    this.close(null);
    peer.close(null);
  }
}

/** After `destroy`, only `onClose` is heard. */
function silent(handler: ConnectionHandler | null): ConnectionHandler | null {
  if (handler === null) return null;
  const nothing = (): void => undefined;
  return {
    onOpen: nothing,
    onData: nothing,
    onEnd: nothing,
    onDrain: nothing,
    onClose: (error) => handler.onClose(error),
  };
}

export class MemoryNetwork implements Network {
  readonly clock: Clock;
  /** Bytes per delivery. */
  cut: () => number = () => 65_536;
  /** Calls of `write` so far, on all connections. */
  writes = 0;
  /** Where clients seem to come from. */
  clientHost = "127.0.0.1";
  readonly #listeners = new Map<number, ListenHandler>();
  #nextPort = 40_000;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  listen(address: Address, handler: ListenHandler): Listener {
    const port = address.port === 0 ? this.#nextPort++ : address.port;
    this.clock.soon(() => {
      if (this.#listeners.has(port)) {
        handler.onError(new NetworkError("EADDRINUSE", `listen ${address.host}:${port}`));
        return;
      }
      this.#listeners.set(port, handler);
      handler.onListening({ host: address.host, port });
    });
    return { close: (): void => void this.#listeners.delete(port) };
  }

  connect(address: Address, handler: ConnectionHandler): Connection {
    const client = new Endpoint(this, address);
    const server = new Endpoint(this, { host: this.clientHost, port: this.#nextPort++ });
    client.peer = server;
    server.peer = client;
    client.handler = handler;
    this.clock.soon(() => {
      const listener = this.#listeners.get(address.port);
      if (listener === undefined) {
        client.close(new NetworkError("ECONNREFUSED", `connect ${address.host}:${address.port}`));
        return;
      }
      server.handler = listener.onConnection(server);
      server.handler.onOpen();
      handler.onOpen();
      client.schedule();
      server.schedule();
    });
    return client;
  }
}

/** Everything a gateway and its clients need, without a disk. */
export interface MemoryWorld {
  readonly clock: ManualClock;
  readonly network: MemoryNetwork;
  readonly random: Random;
  readonly trace: Trace;
}

export function memoryWorld(): MemoryWorld {
  const clock = new ManualClock();
  return {
    clock,
    network: new MemoryNetwork(clock),
    random: {
      u32: (stream, entity, ordinal) => (stream.length * 7919 + entity * 31 + ordinal * 104_729) >>> 0,
    },
    trace: { enabled: false, emit: () => undefined },
  };
}
