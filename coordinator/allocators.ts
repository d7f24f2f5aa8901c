import { assert } from "../core/assert.ts";
import { versionMax } from "../core/bytes/record.ts";
import type { Clock } from "../core/env/clock.ts";
import { CoordinatorError, type CoordinatorErrorCode } from "./coordinator-error.ts";
import type { Grant } from "./fenced-counter.ts";
import { IdAllocator, idsMax } from "./id-allocator.ts";
import type { RootJournal } from "./journal.ts";
import { type ClockLimits, TimestampOracle, timestampsMax } from "./timestamp-oracle.ts";

/** `first` and the `count - 1` after it. */
export interface NumberRange {
  readonly first: number;
  readonly count: number;
}

/** Exactly one of the two is null. */
export type RangeReply = (error: CoordinatorError | null, range: NumberRange | null) => void;

/** Requests under way at most, of each kind. */
const allocationsMax = 10_000;

interface Waiting {
  readonly replies: Map<number, RangeReply>;
  readonly unavailable: CoordinatorErrorCode;
  readonly what: string;
}

/**
 * Timestamps and ids for whoever asks: the requests of one turn are served together, fences go through the journal,
 * and nothing is told before the journal has confirmed that nobody else could decide meanwhile.
 */
export class Allocators {
  readonly #clock: Clock;
  readonly #journal: RootJournal;
  readonly #oracle: TimestampOracle;
  readonly #ids: IdAllocator;
  readonly #timestamps: Waiting = { replies: new Map(), unavailable: "TSO_UNAVAILABLE", what: "timestamp" };
  readonly #identities: Waiting = { replies: new Map(), unavailable: "ID_UNAVAILABLE", what: "id" };
  #tickets = 0;
  #scheduled = false;

  /** `mayBeOld`: the newest timestamp of all before may have been given out long ago. */
  // oxlint-disable-next-line max-params
  constructor(clock: Clock, journal: RootJournal, limits: ClockLimits, mayBeOld: boolean) {
    this.#clock = clock;
    this.#journal = journal;
    this.#oracle = new TimestampOracle(journal.state.tsoFence, limits, mayBeOld);
    this.#ids = new IdAllocator(journal.state.idFence);
  }

  get lastTimestamp(): number {
    return this.#oracle.last;
  }

  get lastId(): number {
    return this.#ids.last;
  }

  /** Ids up to `id` were taken without asking. */
  passById(id: number): void {
    this.#ids.passBy(id);
  }

  timestamps(count: number, reply: RangeReply): void {
    const ticket = this.#admit(this.#timestamps, count, timestampsMax, reply);
    if (ticket > 0) this.#oracle.request(ticket, count);
  }

  /**
   * Those of this incarnation begin above `through` at once. Those of later ones do when the fence is durable, which
   * `reply(null)` tells.
   */
  fenceTimestamps(through: number, reply: (error: CoordinatorError | null) => void): void {
    if (!Number.isSafeInteger(through) || through < 0 || through + 2 * timestampsMax > versionMax) {
      this.#clock.soon(() => reply(new CoordinatorError("INVALID", `${through} leaves no timestamp above it`)));
      return;
    }
    const reading = { wallMs: this.#clock.wallMs(), monotonicUs: this.#clock.monotonicUs() };
    const fence = this.#oracle.passBy(through, reading);
    this.#journal.propose({ kind: "TSOAllocatorFenced", fence }, ({ error }) => reply(error));
  }

  allocateIds(count: number, reply: RangeReply): void {
    const ticket = this.#admit(this.#identities, count, idsMax, reply);
    if (ticket > 0) this.#ids.request(ticket, count);
  }

  /** Everybody who waits hears `error`. */
  stop(error: CoordinatorError): void {
    this.#oracle.drain();
    this.#ids.drain();
    for (const { replies } of [this.#timestamps, this.#identities]) {
      const told = [...replies.values()];
      replies.clear();
      for (const reply of told) reply(error, null);
    }
  }

  /** The ticket of the request, or 0: it was refused. */
  #admit(waiting: Waiting, count: number, countMax: number, reply: RangeReply): number {
    const { replies, what } = waiting;
    const refuse = (code: CoordinatorErrorCode, message: string): number => {
      this.#clock.soon(() => reply(new CoordinatorError(code, message), null));
      return 0;
    };
    if (!Number.isSafeInteger(count) || count < 1 || count > countMax) {
      return refuse("INVALID", `${count} ${what}s were asked for: 1 to ${countMax} can be had at once`);
    }
    if (replies.size >= allocationsMax) return refuse("BUSY", `${allocationsMax} requests for ${what}s are waiting`);
    const ticket = ++this.#tickets;
    replies.set(ticket, reply);
    this.#schedule();
    return ticket;
  }

  /** Behind the present turn: what it asks for is one batch. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#clock.soon(() => {
      this.#scheduled = false;
      this.#turn();
    });
  }

  #turn(): void {
    const ids = this.#ids.turn();
    if (ids.fence > 0) this.#fenceIds(ids.fence);
    this.#confirmed(this.#identities, ids.grants);
    if (this.#oracle.waiting === 0) return;
    const wallMs = this.#clock.wallMs();
    const turn = this.#oracle.turn({ wallMs, monotonicUs: this.#clock.monotonicUs() });
    if (turn.fence > 0) this.#fenceTimestamps(turn.fence);
    this.#confirmed(this.#timestamps, turn.grants);
    if (turn.refused.length === 0) return;
    this.#refuse(this.#timestamps, turn.refused, new CoordinatorError("CLOCK_AHEAD", turn.problem));
  }

  #fenceTimestamps(fence: number): void {
    this.#journal.propose({ kind: "TSOAllocatorFenced", fence }, ({ error }) => {
      if (error !== null) return this.#unavailable(this.#timestamps, this.#oracle.unfenced(), error);
      this.#oracle.fenced(fence);
      this.#schedule();
    });
  }

  #fenceIds(fence: number): void {
    this.#journal.propose({ kind: "IDAllocatorFenced", fence }, ({ error }) => {
      if (error !== null) return this.#unavailable(this.#identities, this.#ids.unfenced(), error);
      this.#ids.fenced(fence);
      this.#schedule();
    });
  }

  /** The batch is closed: only now the round begins that vouches for it. */
  #confirmed(waiting: Waiting, grants: readonly Grant[]): void {
    if (grants.length === 0) return;
    this.#journal.confirm((error) => {
      if (error !== null) return this.#unavailable(waiting, grants.map(({ ticket }) => ticket), error);
      for (const { ticket, first, count } of grants) this.#take(waiting, ticket)?.(null, { first, count });
    });
  }

  #unavailable(waiting: Waiting, tickets: readonly number[], cause: CoordinatorError): void {
    const message = `no ${waiting.what} now: ${cause.message}`;
    const elsewhere = cause.code === "NOT_LEADER";
    this.#refuse(waiting, tickets, elsewhere ? cause : new CoordinatorError(waiting.unavailable, message));
  }

  #refuse(waiting: Waiting, tickets: readonly number[], error: CoordinatorError): void {
    for (const ticket of tickets) this.#take(waiting, ticket)?.(error, null);
  }

  /** Null: it was told otherwise when the Coordinator stopped. */
  #take(waiting: Waiting, ticket: number): RangeReply | null {
    const reply = waiting.replies.get(ticket) ?? null;
    const was = waiting.replies.delete(ticket);
    assert(was === (reply !== null), "a reply is given once");
    return reply;
  }
}
