import { type Db, openDb, type SignalOptions } from "../../core/engine/db.ts";
import type { EngineOptions } from "../../core/engine/options.ts";
import type { Timer } from "../../core/env/clock.ts";
import type { Env } from "../../core/env/env.ts";
import { NetworkError } from "../../core/env/network.ts";
import { Stream } from "./stream.ts";

/** As `open` of `nokv` takes them. */
export interface ProcessOpenOptions extends Partial<EngineOptions>, SignalOptions {}

/** A port that is listened at. */
export interface ListenedPort {
  readonly port: number;
  /** Accepts nothing more; connections that are there live on. */
  close(): void;
}

/**
 * All that a program may know of the world around it: time, chance, the disk, the network. In a simulation it is
 * those of a simulated machine, from the start of one process to its end; `realProcess` makes one of this machine's, so
 * that the same program runs on both.
 *
 * When a simulated process ends, what it waits for never comes, and what it calls throws an error that is no
 * `NokvError`: catch errors by class and let the others pass, and rely on no `finally`.
 */
export class Process {
  /** The machine's name, by which others reach it. */
  readonly name: string;
  /** The injected world itself, for parts of NoKV that take one. */
  readonly env: Env;
  readonly #engine: Partial<EngineOptions>;
  #draws = 0;

  /** `engine`: what `open` takes where its caller says nothing. */
  constructor(env: Env, name: string, engine: Partial<EngineOptions>) {
    this.env = env;
    this.name = name;
    this.#engine = engine;
  }

  /** In place of `Date.now()`: what this machine takes for Unix milliseconds. */
  nowMs(): number {
    return this.env.clock.wallMs();
  }

  /** In place of `performance.now()`: whole milliseconds since whenever, never going back. For durations. */
  monotonicMs(): number {
    return Math.floor(this.env.clock.monotonicUs() / 1_000);
  }

  /** In place of `setTimeout`; what it returns has `cancel`. */
  after(ms: number, run: () => void): Timer {
    return this.env.clock.after(Math.ceil(ms * 1_000), run);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  /** In place of `Math.random()`: from 0 on and below 1. */
  random(): number {
    return this.env.random.u32("program/random", 0, this.#draws++) / 0x1_0000_0000;
  }

  /** As `open` of `nokv`, on this machine's disk. */
  async open(directory: string, options: ProcessOpenOptions = {}): Promise<Db> {
    const { signal, ...engine } = options;
    return await openDb(this.env, directory, { ...this.#engine, ...engine }, { signal });
  }

  /**
   * Hands every connection to `port` to `serve`; what it rejects with is nobody's fault where it is a `NetworkError`,
   * and ends the connection. Port 0: any that is free. Rejects with `NetworkError` when the port is taken.
   */
  listen(port: number, serve: (stream: Stream) => Promise<void> | void): Promise<ListenedPort> {
    return new Promise((resolve, reject) => {
      const listener = this.env.network.listen({ host: "0.0.0.0", port }, {
        onListening: (address) => resolve({ port: address.port, close: () => listener.close() }),
        onError: reject,
        onConnection: (connection) => {
          const stream = new Stream().carryOn(connection);
          void serving(stream, serve);
          return stream.handler();
        },
      });
    });
  }

  /** Rejects with `NetworkError` when nobody listens there, or the network is in the way. */
  connect(host: string, port: number): Promise<Stream> {
    return new Promise((resolve, reject) => {
      const stream = new Stream(resolve);
      const handler = stream.handler();
      const connection = this.env.network.connect({ host, port }, {
        ...handler,
        onClose: (error) => {
          handler.onClose(error);
          reject(error ?? new NetworkError("ECONNRESET", `connect ${host}:${port}`));
        },
      });
      stream.carryOn(connection);
    });
  }
}

async function serving(stream: Stream, serve: (stream: Stream) => Promise<void> | void): Promise<void> {
  try {
    await serve(stream);
  } catch (error) {
    if (!(error instanceof NetworkError)) throw error;
    stream.destroy();
  }
}
