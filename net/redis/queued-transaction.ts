import type { Arguments } from "./arguments.ts";
import type { Entry } from "./command-table.ts";

/** A request that waits for EXEC. */
export interface QueuedRequest {
  readonly entry: Entry;
  readonly args: Arguments;
}

/** What a request takes in memory beside its bytes, about, and each of its tokens. */
const requestBytes = 256;
const tokenBytes = 8;

/** What a client has asked for since MULTI. */
export class QueuedTransaction {
  readonly requests: QueuedRequest[] = [];
  /** A request was refused: EXEC will refuse them all. */
  broken = false;
  #heldBytes = 0;

  /** About what it takes in memory. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** False: there would be more than `bytesMax`. */
  add(entry: Entry, args: Arguments, bytesMax: number): boolean {
    let bytes = requestBytes + args.count * tokenBytes;
    for (let i = 0; i < args.count; i++) bytes += args.length(i);
    if (this.#heldBytes + bytes > bytesMax) return false;
    this.#heldBytes += bytes;
    this.requests.push({ entry, args: args.copy() });
    return true;
  }
}
