// HOT: every request whose answer comes from the store passes here twice.
import { assert } from "../../core/assert.ts";
import type { NokvError } from "../../core/errors.ts";
import type { KvEntry, MutateDone, Outcome, ReadDone } from "../../core/kv/kv.ts";
import { storeErrorText } from "./error-text.ts";
import { type Protocol, ReplyWriter } from "./reply-writer.ts";
import type { WriterPool } from "./writer-pool.ts";

/** How the store's answer becomes a reply; `context` is what `push` was given. */
export type RenderOutcome = (reply: ReplyWriter, outcome: Outcome, context: number) => void;
export type RenderEntries = (
  reply: ReplyWriter,
  entries: readonly (KvEntry | null)[],
  context: number,
) => void;
export type Render = (reply: ReplyWriter) => void;

function noOutcome(): void {
  assert(false, "an outcome has a renderer");
}

/** One request that waits for the store. Reused: its callbacks are made once. */
export class PendingReply {
  /** The client hung up: there is nobody to answer. */
  abandoned = false;
  previous: PendingReply | null = null;
  next: PendingReply | null = null;
  settled = false;
  muted = false;
  barrier = false;
  protocol: Protocol = 2;
  context = 0;
  /** Its own bytes, when it was settled before its turn. */
  own: ReplyWriter | null = null;
  /** Bytes of later requests that did not have to wait, up to the next pending one. */
  after: ReplyWriter | null = null;
  renderOutcome: RenderOutcome = noOutcome;
  renderEntries: RenderEntries = noOutcome;
  readonly onMutated: MutateDone;
  readonly onRead: ReadDone;
  readonly #queue: ReplyQueue;

  constructor(queue: ReplyQueue) {
    this.#queue = queue;
    this.onMutated = (error, outcome): void => this.#mutated(error, outcome);
    this.onRead = (error, entries): void => this.#read(error, entries);
  }

  /** For answers that neither `onMutated` nor `onRead` receives. Must not be used after it. */
  settle(error: NokvError | null, render: Render): void {
    const reply = this.#queue.begin(this);
    if (error === null) render(reply);
    else reply.error(storeErrorText(error));
    this.#queue.end(this);
  }

  #mutated(error: NokvError | null, outcome: Outcome | null): void {
    const reply = this.#queue.begin(this);
    if (error !== null) {
      reply.error(storeErrorText(error));
    } else {
      assert(outcome !== null, "a mutation that did not fail has an outcome");
      this.renderOutcome(reply, outcome, this.context);
    }
    this.#queue.end(this);
  }

  #read(error: NokvError | null, entries: readonly (KvEntry | null)[]): void {
    const reply = this.#queue.begin(this);
    if (error === null) this.renderEntries(reply, entries, this.context);
    else reply.error(storeErrorText(error));
    this.#queue.end(this);
  }
}

const keptPendingMax = 256;

/**
 * The replies of one connection in the order of its requests, whatever order the store answers in.
 *
 *     output | pending, after | pending, after | ...
 *
 * `output` may be sent. What is written at once goes to `output`, or behind the last pending request. A
 * request that is answered first in line writes into `output` and moves everything up to the next pending one
 * there.
 */
export class ReplyQueue {
  /** Requests that wait for the store. */
  inFlight = 0;
  /** A pending request behind which nothing may be executed. */
  blocked = false;
  /** Replies to the present request are not wanted. */
  muted = false;
  readonly #pool: WriterPool;
  readonly #replied: () => void;
  readonly #free: PendingReply[] = [];
  readonly #discard = new ReplyWriter(64);
  #output: ReplyWriter | null = null;
  #head: PendingReply | null = null;
  #tail: PendingReply | null = null;
  /** Bytes held behind pending requests, but for those behind the last. */
  #sealedBytes = 0;
  #closed = false;

  /** `replied` is called after each answer from the store, when `output` and `blocked` are up to date. */
  constructor(pool: WriterPool, replied: () => void) {
    this.#pool = pool;
    this.#replied = replied;
  }

  /** Bytes that wait in memory for their turn or to be sent. */
  get heldBytes(): number {
    const output = this.#output === null ? 0 : this.#output.length;
    const last = this.#tail === null || this.#tail.after === null ? 0 : this.#tail.after.length;
    return output + this.#sealedBytes + last;
  }

  /** What may be sent; null when there is nothing. */
  get output(): ReplyWriter | null {
    return this.#output;
  }

  /** After `output` was sent. */
  releaseOutput(): void {
    if (this.#output === null) return;
    this.#pool.release(this.#output);
    this.#output = null;
  }

  /** Where the reply to the present request goes when it is known at once. Not to be kept. */
  writer(protocol: Protocol): ReplyWriter {
    const writer = this.#place();
    writer.protocol = protocol;
    return writer;
  }

  #place(): ReplyWriter {
    if (this.muted || this.#closed) return this.#emptied();
    const tail = this.#tail;
    if (tail === null) return (this.#output ??= this.#pool.borrow());
    return (tail.after ??= this.#pool.borrow());
  }

  /** Takes the place of the present request's reply. */
  push(protocol: Protocol, barrier: boolean): PendingReply {
    const pending = this.#free.pop() ?? new PendingReply(this);
    pending.protocol = protocol;
    pending.muted = this.muted;
    pending.barrier = barrier;
    pending.settled = false;
    pending.previous = this.#tail;
    pending.next = null;
    if (this.#tail === null) {
      this.#head = pending;
    } else {
      if (this.#tail.after !== null) this.#sealedBytes += this.#tail.after.length;
      this.#tail.next = pending;
    }
    this.#tail = pending;
    this.inFlight++;
    if (barrier) this.blocked = true;
    return pending;
  }

  /** Where the answer to `pending` is to be written; `end` follows in the same turn. */
  begin(pending: PendingReply): ReplyWriter {
    assert(!pending.settled, "a request is answered once");
    pending.settled = true;
    if (this.#closed) return this.#emptied();
    const writer = this.#placeOf(pending);
    writer.protocol = pending.protocol;
    return writer;
  }

  #placeOf(pending: PendingReply): ReplyWriter {
    if (pending.muted) return this.#emptied();
    if (pending.previous === null) return (this.#output ??= this.#pool.borrow());
    return (pending.own = this.#pool.borrow());
  }

  end(pending: PendingReply): void {
    if (this.#closed) return;
    this.inFlight--;
    if (pending.barrier) this.blocked = false;
    if (pending.previous === null) {
      this.#advance();
    } else if (pending.next === null && pending.after === null) {
      this.#foldTail(pending);
    } else if (pending.own !== null) {
      this.#sealedBytes += pending.own.length;
    }
    this.#replied();
  }

  /** The client is gone: what is pending is answered to nobody. */
  close(): void {
    this.#closed = true;
    this.blocked = false;
    for (let pending = this.#head; pending !== null; pending = pending.next) pending.abandoned = true;
    this.#head = null;
    this.#tail = null;
    this.#output = null;
    this.inFlight = 0;
  }

  /** The first in line was answered into `output`: so are those behind it, up to one that still waits. */
  #advance(): void {
    let head = this.#head;
    while (head !== null && head.settled) {
      const isLast = head.next === null;
      if (head.own !== null) this.#sealedBytes -= this.#emit(head.own);
      if (head.after !== null) {
        const bytes = this.#emit(head.after);
        if (!isLast) this.#sealedBytes -= bytes;
      }
      const next: PendingReply | null = head.next;
      this.#recycle(head);
      head = next;
    }
    this.#head = head;
    if (head === null) this.#tail = null;
    else head.previous = null;
    assert(this.#sealedBytes >= 0, "held bytes are counted once");
  }

  #emit(writer: ReplyWriter): number {
    const bytes = writer.length;
    this.#output ??= this.#pool.borrow();
    this.#output.append(writer);
    this.#pool.release(writer);
    return bytes;
  }

  /** The last in line is answered: its bytes join those behind the one before it, and it need not wait. */
  #foldTail(pending: PendingReply): void {
    const previous = pending.previous;
    assert(previous !== null && this.#tail === pending, "a tail with a predecessor");
    if (previous.after !== null) this.#sealedBytes -= previous.after.length;
    if (pending.own !== null) {
      if (previous.after === null) {
        previous.after = pending.own;
      } else {
        previous.after.append(pending.own);
        this.#pool.release(pending.own);
      }
    }
    previous.next = null;
    this.#tail = previous;
    this.#recycle(pending);
  }

  #recycle(pending: PendingReply): void {
    pending.own = null;
    pending.after = null;
    pending.previous = null;
    pending.next = null;
    if (this.#free.length < keptPendingMax) this.#free.push(pending);
  }

  #emptied(): ReplyWriter {
    this.#discard.clear();
    return this.#discard;
  }
}
