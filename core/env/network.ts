/**
 * Byte streams between processes. A connection carries bytes in order and unchanged, and can break anywhere:
 * after any byte, in one direction only, or silently. Nothing is said about how bytes are cut into `onData`
 * calls. No call blocks; no callback runs inside the call that registered it.
 */
export interface Network {
  /** Starts accepting at `address`; port 0 picks a free one, reported to `onListening`. */
  listen(address: Address, handler: ListenHandler): Listener;
  /** Returns at once; `onOpen` or `onClose` tells the outcome. */
  connect(address: Address, handler: ConnectionHandler): Connection;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface ListenHandler {
  onListening(address: Address): void;
  /** Called before any byte of `connection` is delivered; returns who takes its events. */
  onConnection(connection: Connection): ConnectionHandler;
  /** The address could not be taken, or was lost. Nothing more is accepted. */
  onError(error: NetworkError): void;
}

export interface Listener {
  /** Stops accepting. Connections already accepted live on. */
  close(): void;
}

export interface Connection {
  /** The other side. The host is "" until the connection is open. */
  readonly remote: Address;
  /**
   * Queues `bytes`, which are copied before it returns. False: the queue is above its high-water mark and
   * `onDrain` will follow once it is empty; nothing was dropped. Ignored after `end` or `destroy`.
   */
  write(bytes: Uint8Array): boolean;
  /** Bytes queued and not yet taken by the network. */
  pendingBytes(): number;
  /** No more `onData` until `resume`; back-pressure reaches the sender. */
  pause(): void;
  resume(): void;
  /** Sends what is queued, then half-closes. Reading goes on. */
  end(): void;
  /** Drops the connection now: queued bytes are lost, the other side sees a reset. `onClose` follows. */
  destroy(): void;
}

export interface ConnectionHandler {
  /** Only for `connect`: an accepted connection is open from the start. */
  onOpen(): void;
  /** `bytes` is valid only during the call. */
  onData(bytes: Uint8Array): void;
  /** The other side will send no more. Writing may go on. */
  onEnd(): void;
  onDrain(): void;
  /** Last call of a connection, exactly once. Null only when both sides ended in order; ECONNRESET after `destroy`. */
  onClose(error: NetworkError | null): void;
}

export type NetworkErrorCode =
  | "ECONNREFUSED"
  | "ECONNRESET"
  | "ETIMEDOUT"
  | "EADDRINUSE"
  | "EADDRNOTAVAIL"
  | "EACCES"
  | "EUNKNOWN";

export class NetworkError extends Error {
  override readonly name = "NetworkError";
  readonly code: NetworkErrorCode;

  constructor(code: NetworkErrorCode, what: string) {
    super(`${code}: ${what}`);
    this.code = code;
  }
}
