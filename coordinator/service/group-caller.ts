import { assert } from "../../core/assert.ts";
import type { Clock } from "../../core/env/clock.ts";
import type { CallDone, CallHandle, CallOrder } from "../../net/rpc/call.ts";
import type { RpcError } from "../../net/rpc/rpc-error.ts";
import { mayDoElsewhere, mayHaveHappened } from "./errors.ts";

/** The part of a transport that asks. */
export interface Caller {
  call(storeId: number, order: CallOrder, done: CallDone): CallHandle;
}

/**
 * `mayHaveHappened`: an attempt before this answer ended without one, so a refusal says nothing about the request as a
 * whole. `payload` is valid only during the call.
 */
export type GroupDone = (error: RpcError | null, payload: Uint8Array, mayHaveHappened: boolean) => void;

/**
 * A member that says nothing for so long may be paused or cut off: another one is asked. Where it takes as long to and
 * fro, no answer would ever come in time: each round of silence doubles it.
 */
export const memberAttemptMs = 500;
const doublingsMax = 4;
const backoffMsMin = 10;
const backoffMsMax = 100;
const noPayload = new Uint8Array(0);

/**
 * Asks the member of the Coordinator's group that decides, wherever it is just now: a member that does not lead says
 * who does, and one that is silent is passed over. Everything the Coordinator answers may be asked twice, so it is,
 * until the deadline. A Coordinator that is alone is asked once.
 */
export class GroupCaller {
  readonly #clock: Clock;
  readonly #caller: Caller;
  readonly #members: readonly number[];
  /** Whom the next request goes to first. */
  #current: number;
  #closed = false;

  /** `members`: where each is reached. */
  constructor(clock: Clock, caller: Caller, members: readonly number[]) {
    const [first] = members;
    assert(first !== undefined, "a Coordinator has a member");
    this.#clock = clock;
    this.#caller = caller;
    this.#members = members;
    this.#current = first;
  }

  /** Where requests go first. */
  get current(): number {
    return this.#current;
  }

  /** `anyMember`: also one that does not lead may answer, and a route that one refuses another may have. */
  call(order: CallOrder, anyMember: boolean, done: GroupDone): void {
    if (this.#members.length === 1) {
      this.#caller.call(this.#current, order, (error, payload) => done(error, payload, false));
      return;
    }
    new GroupCall(this, this.#clock, order, anyMember, done).begin();
  }

  /** What waits for its next attempt ends with what is known. */
  close(): void {
    this.#closed = true;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get size(): number {
    return this.#members.length;
  }

  ask(order: CallOrder, done: (error: RpcError | null, payload: Uint8Array, asked: number) => void): void {
    const asked = this.#current;
    this.#caller.call(asked, order, (error, payload) => done(error, payload, asked));
  }

  /** `asked` was of no use; `hint`: who is said to lead, 0: nobody knows. Others may have found out meanwhile. */
  moveOn(asked: number, hint: number): void {
    if (this.#current !== asked) return;
    const at = this.#members.indexOf(asked);
    const next = this.#members[(at + 1) % this.#members.length];
    this.#current = this.#members.includes(hint) ? hint : (next ?? asked);
  }
}

/** One request, from the call to its answer. */
class GroupCall {
  readonly #group: GroupCaller;
  readonly #clock: Clock;
  readonly #order: CallOrder;
  readonly #anyMember: boolean;
  readonly #done: GroupDone;
  readonly #deadlineUs: number;
  /** Attempts since the last pause. */
  #round = 0;
  #pauses = 0;
  /** Rounds in which somebody was asked and said nothing in time. */
  #silentRounds = 0;
  #wasSilent = false;
  /** Said nothing when it was asked last: whoever names it as the leader may not know yet. */
  #silent = 0;
  #mayHaveHappened = false;

  // oxlint-disable-next-line max-params
  constructor(group: GroupCaller, clock: Clock, order: CallOrder, anyMember: boolean, done: GroupDone) {
    this.#group = group;
    this.#clock = clock;
    this.#order = order;
    this.#anyMember = anyMember;
    this.#done = done;
    this.#deadlineUs = clock.monotonicUs() + order.timeoutMs * 1_000;
  }

  begin(): void {
    this.#attempt(this.#order.timeoutMs);
  }

  #attempt(leftMs: number): void {
    const timeoutMs = Math.min(leftMs, memberAttemptMs * 2 ** Math.min(this.#silentRounds, doublingsMax));
    this.#group.ask({ ...this.#order, timeoutMs }, (error, payload, asked) => {
      if (error === null) this.#done(null, payload, this.#mayHaveHappened);
      else this.#failed(error, asked);
    });
  }

  #failed(error: RpcError, asked: number): void {
    const goesOn = mayDoElsewhere(error) || (this.#anyMember && error.kind === "route-unavailable");
    if (!goesOn) return this.#done(error, noPayload, this.#mayHaveHappened);
    this.#mayHaveHappened ||= mayHaveHappened(error);
    const refused = error.kind === "not-leader";
    this.#wasSilent ||= error.kind === "deadline-exceeded";
    if (!refused) this.#silent = asked;
    const hint = refused && error.leaderStore !== this.#silent ? error.leaderStore : 0;
    this.#group.moveOn(asked, hint);
    this.#round++;
    // A hint is followed at once, and so is every other member asked once; then it takes time until one leads.
    if (this.#round < this.#group.size) return this.#again(error);
    this.#round = 0;
    this.#silent = 0;
    if (this.#wasSilent) this.#silentRounds++;
    this.#wasSilent = false;
    const delayMs = Math.min(backoffMsMax, backoffMsMin << Math.min(this.#pauses, 10));
    this.#pauses++;
    this.#clock.after(delayMs * 1_000, () => this.#again(error));
  }

  #again(error: RpcError): void {
    const leftMs = Math.floor((this.#deadlineUs - this.#clock.monotonicUs()) / 1_000);
    if (leftMs > 0 && !this.#group.closed) this.#attempt(leftMs);
    else this.#done(error, noPayload, this.#mayHaveHappened);
  }
}
