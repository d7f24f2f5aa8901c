// HOT: every byte of every real connection.
import type * as net from "node:net";
import { assert } from "../core/assert.ts";
import {
  type Address,
  type Connection,
  type ConnectionHandler,
  NetworkError,
} from "../core/env/network.ts";
import { toNetworkError } from "./network-error.ts";

/** Above this many bytes not taken by the kernel, `write` says so. */
export const highWaterBytes = 64 * 1024;

/**
 * Writes of one turn gather in a buffer of this size, so that a pipeline's replies leave in one system call.
 */
const gatherBytes = 16 * 1024;

/**
 * One TCP connection. What is written within a turn is gathered and leaves at its end; longer writes go out
 * at once, behind what was gathered.
 */
export class HostConnection implements Connection {
  readonly #socket: net.Socket;
  #remote: Address;
  #handler: ConnectionHandler | null = null;
  #gathered: Uint8Array | null = null;
  #gatheredBytes = 0;
  #flushDue = false;
  /** A write was told that the queue is full. */
  #full = false;
  /** `end` or `destroy` was called, or the connection is closed. */
  #ending = false;
  #destroyed = false;
  #ended = false;
  #error: NetworkError | null = null;

  constructor(socket: net.Socket, remote: Address) {
    this.#socket = socket;
    this.#remote = remote;
  }

  /** Before the turn ends in which it was made; nothing is delivered earlier. */
  attach(handler: ConnectionHandler): void {
    this.#handler = handler;
    const socket = this.#socket;
    socket.on("connect", () => this.#opened());
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("end", () => this.#readEnd());
    socket.on("error", (error) => {
      this.#error = toNetworkError(error);
    });
    socket.on("close", () => this.#closed());
  }

  get remote(): Address {
    return this.#remote;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#ending) return true;
    if (bytes.length > gatherBytes - this.#gatheredBytes) this.#flush();
    if (bytes.length > gatherBytes) {
      this.#socket.write(bytes.slice());
    } else {
      this.#gathered ??= new Uint8Array(gatherBytes);
      this.#gathered.set(bytes, this.#gatheredBytes);
      this.#gatheredBytes += bytes.length;
    }
    if (!this.#flushDue) this.#flushSoon();
    if (this.pendingBytes() < highWaterBytes) return true;
    this.#full = true;
    return false;
  }

  pendingBytes(): number {
    return this.#gatheredBytes + this.#socket.writableLength;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#flush();
    this.#socket.end();
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#ending = true;
    this.#gatheredBytes = 0;
    this.#error = new NetworkError("ECONNRESET", "destroyed here");
    if (this.#socket.connecting) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  #flushSoon(): void {
    this.#flushDue = true;
    process.nextTick(() => {
      this.#flushDue = false;
      if (this.#destroyed) return;
      this.#flush();
      if (this.#full && !this.#ending) this.#drainLater();
    });
  }

  #flush(): void {
    const gathered = this.#gathered;
    if (this.#gatheredBytes === 0 || gathered === null) return;
    this.#socket.write(gathered.subarray(0, this.#gatheredBytes));
    this.#gatheredBytes = 0;
    // Bytes that the kernel did not take at once are still read from this memory later.
    if (this.#socket.writableLength > 0) this.#gathered = null;
  }

  /** An empty write completes behind everything that is queued. */
  #drainLater(): void {
    this.#full = false;
    this.#socket.write(noBytes, (error) => {
      if (this.#ending || error) return;
      if (this.pendingBytes() > 0) this.#drainLater();
      else this.#handling().onDrain();
    });
  }

  #opened(): void {
    if (this.#destroyed) return;
    const { remoteAddress, remotePort } = this.#socket;
    this.#remote = { host: remoteAddress ?? "", port: remotePort ?? this.#remote.port };
    this.#handling().onOpen();
  }

  #read(chunk: Buffer): void {
    if (this.#destroyed) return;
    // Not a Buffer: its `slice` does not copy, and a receiver may rely on the one that does.
    this.#handling().onData(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
  }

  #readEnd(): void {
    this.#ended = true;
    if (!this.#destroyed) this.#handling().onEnd();
  }

  #closed(): void {
    const inOrder = this.#ended && this.#socket.writableFinished;
    const error = this.#error ?? (inOrder ? null : new NetworkError("ECONNRESET", "closed early"));
    this.#ending = true;
    this.#destroyed = true;
    this.#gatheredBytes = 0;
    this.#handling().onClose(error);
  }

  #handling(): ConnectionHandler {
    assert(this.#handler !== null, "a handler is attached before anything happens");
    return this.#handler;
  }
}

const noBytes = new Uint8Array(0);
