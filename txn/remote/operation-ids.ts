import type { Clock } from "../../core/env/clock.ts";
import type { CoordinatorClient } from "../../coordinator/service/client.ts";

/** Older ids are thrown away: garbage collection refuses operations that began long ago. */
const keptUs = 250_000;
/** Ids that are taken ahead at most. */
const aheadMax = 256;
/** A question that takes longer is given up: whoever waits asks again. */
const askMs = 1_000;

/** Null: there is none now. */
export type IdReply = (id: number | null) => void;

/**
 * Names of operations, which a client takes ahead of them. An operation's id is a timestamp that nobody else has, and
 * its commit timestamp, which the region's leader asks for later, is larger; what else was given out between the two
 * does not matter. So one question to the Coordinator is enough for as many operations as came since the last one.
 * Nothing may *read* at such a timestamp: it is of the past.
 */
export class OperationIds {
  readonly #clock: Clock;
  readonly #source: Pick<CoordinatorClient, "timestamps">;
  #next = 0;
  #left = 0;
  #askedAtUs = 0;
  /** How many more than are waited for are asked for. */
  #ahead = 0;
  #waiting: IdReply[] = [];
  #asking = false;

  constructor(clock: Clock, source: Pick<CoordinatorClient, "timestamps">) {
    this.#clock = clock;
    this.#source = source;
  }

  /** One that was taken ahead; null: ask for more. */
  take(): number | null {
    if (this.#left === 0 || this.#isOld()) return null;
    this.#left--;
    return this.#next++;
  }

  /** Asks for one, and for as many more as will be wanted soon. `reply` comes on a later turn. */
  ask(reply: IdReply): void {
    this.#waiting.push(reply);
    this.#schedule();
  }

  /** Behind the present turn: what it asks for is one question. */
  #schedule(): void {
    if (this.#asking) return;
    this.#asking = true;
    this.#clock.soon(() => this.#ask());
  }

  #ask(): void {
    // All were wanted before they were old: twice as many. Else as many as were.
    this.#ahead = this.#isOld() ? this.#ahead - this.#left : Math.min(aheadMax, this.#ahead * 2 + 1);
    this.#left = 0;
    const askedAtUs = this.#clock.monotonicUs();
    const waiting = this.#waiting.splice(0);
    this.#source.timestamps(waiting.length + this.#ahead, askMs, (_, range) => {
      this.#asking = false;
      if (range === null) {
        for (const reply of [...waiting, ...this.#waiting.splice(0)]) reply(null);
        return;
      }
      this.#askedAtUs = askedAtUs;
      this.#next = range.first + waiting.length;
      this.#left = range.count - waiting.length;
      for (const [i, reply] of waiting.entries()) reply(range.first + i);
      this.#serve();
    });
  }

  /** Those who came while the question was under way. */
  #serve(): void {
    let served = 0;
    for (; served < this.#waiting.length; served++) {
      const id = this.take();
      if (id === null) break;
      this.#waiting[served]?.(id);
    }
    this.#waiting.splice(0, served);
    if (this.#waiting.length > 0) this.#schedule();
  }

  #isOld(): boolean {
    return this.#clock.monotonicUs() - this.#askedAtUs > keptUs;
  }
}
