import type { Connection, ConnectionHandler, NetworkError } from "../../core/env/network.ts";

/** Received and not yet taken: beyond it the sender waits. */
const unreadBytesMax = 256 * 1024;

type Waiter = { readonly resolve: (chunk: Uint8Array | null) => void; readonly reject: (error: NetworkError) => void };

/**
 * Bytes in both directions, in order, until either side ends or the network breaks it. How they are cut into chunks
 * means nothing: one `write` may arrive as many chunks, and many as one.
 */
export class Stream implements AsyncIterable<Uint8Array> {
  readonly #opened: (stream: Stream) => void;
  #connection: Connection | null = null;
  #chunks: Uint8Array[] = [];
  #unreadBytes = 0;
  #isPaused = false;
  #isEnded = false;
  #error: NetworkError | null = null;
  #waiters: Waiter[] = [];

  /** `opened` is called once bytes can be written. */
  constructor(opened: (stream: Stream) => void = () => {}) {
    this.#opened = opened;
  }

  /** Who hears of the connection's events. */
  handler(): ConnectionHandler {
    return {
      onOpen: () => this.#opened(this),
      onData: (bytes) => this.#received(bytes),
      onEnd: () => this.#end(),
      onDrain: () => {},
      onClose: (error) => {
        this.#error ??= this.#isEnded ? null : error;
        this.#end();
      },
    };
  }

  carryOn(connection: Connection): this {
    this.#connection = connection;
    return this;
  }

  /** Queues bytes or text (as UTF-8). Whether they arrive, only an answer tells. */
  write(data: Uint8Array | string): void {
    this.#connection?.write(typeof data === "string" ? new TextEncoder().encode(data) : data);
  }

  /** Sends what is queued and says that nothing more comes. Reading goes on. */
  end(): void {
    this.#connection?.end();
  }

  /** Drops the connection; the other side sees it break. */
  destroy(): void {
    this.#connection?.destroy();
  }

  /** The next bytes; null once the other side has ended. Rejects with `NetworkError` when the connection broke. */
  read(): Promise<Uint8Array | null> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) {
      this.#unreadBytes -= chunk.length;
      this.#resume();
      return Promise.resolve(chunk);
    }
    if (this.#error !== null) return Promise.reject(this.#error);
    if (this.#isEnded) return Promise.resolve(null);
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  /** All that comes until the other side ends. Rejects as `read`. */
  async text(): Promise<string> {
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of this) text += decoder.decode(chunk, { stream: true });
    return text + decoder.decode();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (let chunk = await this.read(); chunk !== null; chunk = await this.read()) yield chunk;
  }

  #received(bytes: Uint8Array): void {
    const chunk = bytes.slice();
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) {
      waiter.resolve(chunk);
      return;
    }
    this.#chunks.push(chunk);
    this.#unreadBytes += chunk.length;
    if (this.#unreadBytes <= unreadBytesMax || this.#isPaused) return;
    this.#isPaused = true;
    this.#connection?.pause();
  }

  #resume(): void {
    if (!this.#isPaused || this.#unreadBytes > unreadBytesMax / 2) return;
    this.#isPaused = false;
    this.#connection?.resume();
  }

  #end(): void {
    this.#isEnded = true;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { resolve, reject } of waiters) {
      if (this.#error === null) resolve(null);
      else reject(this.#error);
    }
  }
}
