// HOT: every transaction waits here for its timestamps.
import { assert } from "../../core/assert.ts";
import type { Clock } from "../../core/env/clock.ts";
import { Deadlines, type Expiring } from "../../net/rpc/deadlines.ts";
import type { NumberRange, RangeReply } from "../allocators.ts";
import { CoordinatorError } from "../coordinator-error.ts";
import { timestampsMax } from "../timestamp-oracle.ts";

/** Asks once for `count` timestamps. `done` comes later, exactly once, with one of the two null. */
export type AskTimestamps = (count: number, timeoutMs: number, done: RangeReply) => void;

/** Callers that wait at most. */
const timestampCallersMax = 65_536;
/** An attempt that is not answered by then is repeated: its connection may be dead without anybody knowing. */
const attemptMs = 1_000;
const backoffMsMin = 5;
const backoffMsMax = 200;

/** Somebody who waits for timestamps. */
class Caller implements Expiring {
  readonly count: number;
  readonly deadlineUs: number;
  readonly #queue: TimestampQueue;
  readonly #done: RangeReply;
  settled = false;

  // oxlint-disable-next-line max-params
  constructor(queue: TimestampQueue, count: number, deadlineUs: number, done: RangeReply) {
    this.#queue = queue;
    this.count = count;
    this.deadlineUs = deadlineUs;
    this.#done = done;
  }

  expire(): void {
    this.#queue.expired(this);
  }

  finish(error: CoordinatorError | null, range: NumberRange | null): void {
    this.settled = true;
    this.#done(error, range);
  }
}

/**
 * One request for timestamps is under way, and whoever comes meanwhile goes together with the next one. So a caller's
 * timestamps are made after it has asked, and a busy process asks once per round trip. What fails for a while is tried
 * again until the caller's deadline.
 */
export class TimestampQueue {
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #ask: AskTimestamps;
  /** In the order of the calls; those whose time was up are still there, settled. */
  #waiting: Caller[] = [];
  /** Callers that are not settled. */
  #unsettled = 0;
  #asking = false;
  #scheduled = false;
  #failures = 0;
  #problem: CoordinatorError | null = null;
  #closed = false;

  constructor(clock: Clock, ask: AskTimestamps) {
    this.#clock = clock;
    this.#deadlines = new Deadlines(clock);
    this.#ask = ask;
  }

  get waiting(): number {
    return this.#unsettled;
  }

  take(count: number, timeoutMs: number, done: RangeReply): void {
    const refused = this.#refusal(count);
    if (refused !== null) {
      this.#clock.soon(() => done(refused, null));
      return;
    }
    const deadlineUs = this.#clock.monotonicUs() + Math.max(0, timeoutMs) * 1_000;
    const caller = new Caller(this, count, deadlineUs, done);
    this.#waiting.push(caller);
    this.#unsettled++;
    this.#deadlines.add(caller);
    this.#schedule();
  }

  /** Everybody hears that it is over. */
  close(): void {
    this.#closed = true;
    this.#clock.soon(() => this.#fail(this.#waiting.splice(0), closedHere()));
  }

  expired(caller: Caller): void {
    this.#unsettled--;
    const why = this.#problem === null ? "" : `: ${this.#problem.message}`;
    const code = this.#problem?.code === "CLOCK_AHEAD" ? "CLOCK_AHEAD" : "TSO_UNAVAILABLE";
    caller.finish(new CoordinatorError(code, `no timestamp in time${why}`), null);
  }

  #refusal(count: number): CoordinatorError | null {
    if (this.#closed) return closedHere();
    if (!Number.isSafeInteger(count) || count < 1 || count > timestampsMax) {
      const message = `${count} timestamps were asked for: 1 to ${timestampsMax} can be had at once`;
      return new CoordinatorError("INVALID", message);
    }
    if (this.#unsettled < timestampCallersMax) return null;
    return new CoordinatorError("BUSY", `${timestampCallersMax} requests for timestamps are waiting`);
  }

  /** Behind the present turn: what it asks for is one request. */
  #schedule(): void {
    if (this.#scheduled || this.#asking) return;
    this.#scheduled = true;
    this.#clock.soon(() => {
      this.#scheduled = false;
      this.#next();
    });
  }

  #next(): void {
    if (this.#asking || this.#closed) return;
    const { callers, count } = this.#batch();
    if (callers.length === 0) return;
    this.#asking = true;
    this.#ask(count, attemptMs, (error, range) => {
      this.#asking = false;
      if (this.#closed) this.#fail(callers, closedHere());
      else if (range !== null) this.#give(callers, count, range);
      else this.#refused(callers, error);
    });
  }

  /** The first ones that fit into one request. */
  #batch(): { readonly callers: Caller[]; readonly count: number } {
    const callers: Caller[] = [];
    let count = 0;
    let taken = 0;
    for (const caller of this.#waiting) {
      if (!caller.settled) {
        if (count + caller.count > timestampsMax) break;
        count += caller.count;
        callers.push(caller);
      }
      taken++;
    }
    this.#waiting.splice(0, taken);
    return { callers, count };
  }

  #give(callers: readonly Caller[], count: number, range: NumberRange): void {
    assert(range.count === count, "an answer holds as many timestamps as were asked for");
    this.#failures = 0;
    this.#problem = null;
    let first = range.first;
    for (const caller of callers) {
      // The share of one whose time is up is never used.
      if (!caller.settled) {
        this.#settle(caller);
        caller.finish(null, { first, count: caller.count });
      }
      first += caller.count;
    }
    if (this.#waiting.length > 0) this.#schedule();
  }

  #refused(callers: readonly Caller[], error: CoordinatorError | null): void {
    assert(error !== null, "an answer is an error or a range");
    if (!error.retriable) {
      this.#fail(callers, error);
      if (this.#waiting.length > 0) this.#schedule();
      return;
    }
    this.#problem = error;
    this.#waiting = [...callers, ...this.#waiting];
    const delayMs = Math.min(backoffMsMax, backoffMsMin << Math.min(this.#failures, 10));
    this.#failures++;
    // Until then nothing is asked, whoever comes.
    this.#scheduled = true;
    this.#clock.after(delayMs * 1_000, () => {
      this.#scheduled = false;
      this.#next();
    });
  }

  #fail(callers: readonly Caller[], error: CoordinatorError): void {
    for (const caller of callers) {
      if (caller.settled) continue;
      this.#settle(caller);
      caller.finish(error, null);
    }
  }

  #settle(caller: Caller): void {
    caller.settled = true;
    this.#unsettled--;
    this.#deadlines.settle();
  }
}

function closedHere(): CoordinatorError {
  return new CoordinatorError("STOPPED", "the client of the Coordinator is closed");
}
