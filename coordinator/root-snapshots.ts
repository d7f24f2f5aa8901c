import { blob, decode, encode, type Layout, struct, u53 } from "../core/bytes/layout.ts";
import type { CallOrder } from "../net/rpc/call.ts";
import type { IncomingRequest } from "../net/rpc/incoming-request.ts";
import { messageClass } from "../net/rpc/wire.ts";
import type { LogIndex, PeerId } from "../raft/entry.ts";
import type { Message } from "../raft/message.ts";
import type { SnapshotMeta } from "../raft/snapshot-meta.ts";
import type { ConfState } from "../raft/conf-state.ts";
import { CoordinatorError } from "./coordinator-error.ts";
import { noToken, type RootToken } from "./journal.ts";
import { checkpointLayout, type RootCheckpoint } from "./root-checkpoint.ts";
import { toRpcError } from "./service/errors.ts";
import type { Caller } from "./service/group-caller.ts";
import { coordinatorIdOf, coordinatorMethod } from "./service/methods.ts";

/** Which bytes of the snapshot as of `index`. */
export interface PartRequest {
  readonly index: LogIndex;
  readonly offset: number;
}

export interface Part {
  readonly totalBytes: number;
  readonly bytes: Uint8Array;
}

export const partRequestLayout: Layout<PartRequest> = struct({ index: u53, offset: u53 });
export const partLayout: Layout<Part> = struct({ totalBytes: u53, bytes: blob });

interface Wanted {
  readonly to: PeerId;
  ticksLeft: number;
}

/** What a snapshot is made of, and behind which index the leader's log begins. */
export interface SnapshotSource {
  readonly checkpoint: RootCheckpoint;
  readonly conf: ConfState;
  readonly base: LogIndex;
}

/**
 * What a leader gives to members whose next entry its log no longer holds: the state as it is applied, encoded once
 * for all who want it just now. A member is told that there is one, and fetches it in parts.
 */
export class SnapshotsOut {
  readonly #partBytesMax: number;
  readonly #ticks: number;
  #token: RootToken = noToken;
  #bytes: Uint8Array = new Uint8Array(0);
  #wanted: Wanted[] = [];

  constructor(partBytesMax: number, ticks: number) {
    this.#partBytesMax = partBytesMax;
    this.#ticks = ticks;
  }

  /**
   * For the machine: a snapshot for `to`. While another member fetches one, it is that one, if the log goes on from
   * there: to make another would void what the other has fetched.
   */
  begin(to: PeerId, { checkpoint, conf, base }: SnapshotSource): SnapshotMeta {
    const others = this.#wanted.filter((other) => other.to !== to);
    const isShared = others.length > 0 && this.#token.index >= base;
    if (!isShared && this.#token.index !== checkpoint.token.index) {
      this.#token = checkpoint.token;
      this.#bytes = encode(checkpointLayout, checkpoint);
    }
    this.#wanted = [...others, { to, ticksLeft: this.#ticks }];
    const { index, term } = this.#token;
    return { index, term, conf, historyHash: [0, 0], context: new Uint8Array(0) };
  }

  answer({ index, offset }: PartRequest, to: PeerId, request: Pick<IncomingRequest, "respond" | "fail">): void {
    const wanted = this.#wanted.find((other) => other.to === to);
    if (index !== this.#token.index || offset > this.#bytes.length || wanted === undefined) {
      request.fail(toRpcError(new CoordinatorError("INVALID", `there is no snapshot as of ${index} any more`)));
      return;
    }
    wanted.ticksLeft = this.#ticks;
    const bytes = this.#bytes.slice(offset, offset + this.#partBytesMax);
    request.respond(encode(partLayout, { totalBytes: this.#bytes.length, bytes }));
  }

  /** Those who have it, or who fetch it no more. `isWaiting`: the machine still waits for it. */
  tick(isWaiting: (to: PeerId) => boolean): PeerId[] {
    const late: PeerId[] = [];
    for (const wanted of this.#wanted) if (--wanted.ticksLeft <= 0 && isWaiting(wanted.to)) late.push(wanted.to);
    this.#wanted = this.#wanted.filter(({ to, ticksLeft }) => ticksLeft > 0 && isWaiting(to));
    if (this.#wanted.length === 0 && this.#token !== noToken) this.clear();
    return late;
  }

  clear(): void {
    this.#token = noToken;
    this.#bytes = new Uint8Array(0);
    this.#wanted = [];
  }
}

const partMs = 2_000;

/** No state is larger: what says so is not believed. */
const snapshotBytesMax = 0x1000_0000;

/** A snapshot that is being fetched: one at a time, from the member that told of it. */
export class SnapshotIn {
  readonly #caller: Caller;
  readonly #arrived: (message: Message, checkpoint: RootCheckpoint) => void;
  #message: Message | null = null;
  #bytes = new Uint8Array(0);
  #filled = 0;

  constructor(caller: Caller, arrived: (message: Message, checkpoint: RootCheckpoint) => void) {
    this.#caller = caller;
    this.#arrived = arrived;
  }

  /** As of which event; 0: none. */
  get index(): LogIndex {
    return this.#message?.snapshot?.index ?? 0;
  }

  /** Told again while it is on its way, nothing changes; an older one makes place for a newer. */
  begin(message: Message): void {
    const index = message.snapshot?.index ?? 0;
    if (index <= this.index) return;
    this.#message = message;
    this.#bytes = new Uint8Array(0);
    this.#filled = 0;
    this.#next(message);
  }

  #next(message: Message): void {
    const payload = encode(partRequestLayout, { index: message.snapshot?.index ?? 0, offset: this.#filled });
    const order: CallOrder = {
      method: coordinatorMethod.snapshotPart, payload, timeoutMs: partMs, cls: messageClass.coordinator, traceId: 0,
      region: null,
    };
    this.#caller.call(coordinatorIdOf(message.from), order, (error, answer) => {
      if (this.#message !== message) return;
      const part = error === null ? decode(partLayout, answer) : "no answer";
      // Its leader tells of it again, or of another one.
      if (typeof part === "string" || !this.#take(part.value)) this.#message = null;
      else if (this.#filled < this.#bytes.length) this.#next(message);
      else this.#finish(message);
    });
  }

  #take({ totalBytes, bytes }: Part): boolean {
    if (totalBytes > snapshotBytesMax) return false;
    if (this.#filled === 0) this.#bytes = new Uint8Array(totalBytes);
    const fits = totalBytes === this.#bytes.length && this.#filled + bytes.length <= totalBytes;
    if (!fits || bytes.length === 0) return false;
    this.#bytes.set(bytes, this.#filled);
    this.#filled += bytes.length;
    return true;
  }

  #finish(message: Message): void {
    this.#message = null;
    const read = decode(checkpointLayout, this.#bytes);
    this.#bytes = new Uint8Array(0);
    if (typeof read === "string" || read.value.token.index !== message.snapshot?.index) return;
    this.#arrived(message, read.value);
  }
}
