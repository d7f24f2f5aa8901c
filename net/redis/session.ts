import type { Address } from "../../core/env/network.ts";
import type { WatchedKey } from "../../core/kv/kv.ts";
import type { QueuedTransaction } from "./queued-transaction.ts";
import type { Protocol } from "./reply-writer.ts";

/** What a gateway remembers of one client. */
export class Session {
  readonly id: number;
  readonly remote: Address;
  readonly createdUs: number;
  protocol: Protocol = 2;
  authenticated: boolean;
  name = "";
  libraryName = "";
  libraryVersion = "";
  noEvict = false;
  noTouch = false;
  /** CLIENT REPLY OFF. */
  silent = false;
  /** CLIENT REPLY SKIP: the reply to this request, and to the one after it. */
  skips = false;
  skipsNext = false;
  /** After the reply to the present request the connection is closed. */
  leaving = false;
  /** Since MULTI; null outside. */
  transaction: QueuedTransaction | null = null;
  /** What the next EXEC rests on. */
  watched: readonly WatchedKey[] = [];
  activeUs: number;
  /** The command executed last, by name. */
  lastCommand = "NULL";

  constructor(id: number, remote: Address, nowUs: number, authenticated: boolean) {
    this.id = id;
    this.remote = remote;
    this.createdUs = nowUs;
    this.activeUs = nowUs;
    this.authenticated = authenticated;
  }

  /** RESET: as if it had just connected. */
  reset(authenticated: boolean): void {
    this.protocol = 2;
    this.authenticated = authenticated;
    this.name = "";
    this.noEvict = false;
    this.noTouch = false;
    this.silent = false;
    this.skips = false;
    this.skipsNext = false;
    this.endTransaction();
  }

  /** Outside of MULTI, watching nothing. */
  endTransaction(): void {
    this.transaction = null;
    this.watched = [];
  }
}
