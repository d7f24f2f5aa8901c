// HOT: what a command sees of the request it answers.
import { assert } from "../../core/assert.ts";
import type { Mutation } from "../../core/kv/kv.ts";
import type { Arguments } from "./arguments.ts";
import type { Gateway } from "./gateway.ts";
import type { PendingReply, RenderEntries, RenderOutcome, ReplyQueue } from "./reply-queue.ts";
import type { ReplyWriter } from "./reply-writer.ts";
import type { Session } from "./session.ts";
import type { TransactionRecorder } from "./transaction-recorder.ts";

/**
 * One request on its way through a command. Reused by its connection: a command may keep neither it nor its
 * arguments beyond `run`. A command answers exactly once: into `reply` before it returns, or by way of
 * `read`, `mutate` or `defer`.
 */
export class Call {
  readonly gateway: Gateway;
  readonly session: Session;
  readonly args: Arguments;
  /** Not null: this is a request of a transaction, and its answers go there. */
  recorder: TransactionRecorder | null = null;
  readonly #queue: ReplyQueue;

  constructor(gateway: Gateway, session: Session, args: Arguments, queue: ReplyQueue) {
    this.gateway = gateway;
    this.session = session;
    this.args = args;
    this.#queue = queue;
  }

  /** The place of this reply. Asked for again after every step that may settle other requests. */
  get reply(): ReplyWriter {
    const { recorder, session } = this;
    return recorder === null ? this.#queue.writer(session.protocol) : recorder.writer(session.protocol);
  }

  error(text: string): void {
    this.reply.error(text);
  }

  /** Asks the store; `render` writes the reply when it knows. `context` is handed through. */
  read(keys: readonly Uint8Array[], render: RenderEntries, context = 0): void {
    if (this.recorder !== null) return this.recorder.read(keys, render, context);
    const pending = this.#queue.push(this.session.protocol, false);
    pending.renderEntries = render;
    pending.context = context;
    this.gateway.kv.read(keys, pending.onRead);
  }

  mutate(mutation: Mutation, render: RenderOutcome, context = 0): void {
    if (this.recorder !== null) return this.recorder.mutate(mutation, render, context);
    const pending = this.#queue.push(this.session.protocol, false);
    pending.renderOutcome = render;
    pending.context = context;
    this.gateway.kv.mutate(mutation, pending.onMutated);
  }

  /** Takes the place of this reply, to be settled later. A barrier keeps the client's later requests back. */
  defer(order: "concurrent" | "barrier"): PendingReply {
    assert(this.recorder === null, "what takes more than one question to the store is in no transaction");
    return this.#queue.push(this.session.protocol, order === "barrier");
  }

  /** Tokens `from` and on, with strides of `step`. */
  keysFrom(from: number, step: number): Uint8Array[] {
    assert(from < this.args.count, "the arity was checked");
    const keys: Uint8Array[] = [];
    for (let i = from; i < this.args.count; i += step) keys.push(this.args.bytes(i));
    return keys;
  }

  /** CLIENT REPLY: replies to this and the following requests are wanted, or are not. */
  mute(silent: boolean): void {
    // Of a transaction there is one reply, and whether it is wanted was settled when EXEC came.
    if (this.recorder === null) this.#queue.muted = silent;
  }

  /** The call of a queued request. */
  queued(args: Arguments): Call {
    return new Call(this.gateway, this.session, args, this.#queue);
  }

  wallMs(): number {
    return this.gateway.clock.wallMs();
  }
}
