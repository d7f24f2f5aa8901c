import type { RequestOutcome } from "../net/redis/client.ts";
import type { ClockReadings, Deadline } from "../sim/checkers/lifetime.ts";
import { deadlineAfter, judgeLifetime } from "../sim/checkers/lifetime.ts";
import type { Dice } from "../sim/dice.ts";
import type { World } from "../sim/world.ts";
import { countOf, valueOf } from "./gateway-requests.ts";

export type Ask = (tokens: readonly string[]) => Promise<RequestOutcome>;

interface Timed {
  readonly outcome: RequestOutcome;
  /** Lowest reading of the node's clock while the request was under way; null when it was not read. */
  readonly lowestMs: number | null;
  /** Highest reading until the reply. */
  readonly highestMs: number;
}

/** Values are numbers, so that they can be incremented, of so many digits at most. */
const valuesFrom = 1_000;
const digitsMax = 12;

/** A command that changes the value only, and its reply when the key is there and when it is gone. */
interface Rewrite {
  readonly tokens: readonly string[];
  readonly value: string;
  readonly present: string | number;
  readonly absent: number | null;
}

/**
 * Keys with a deadline that only one client uses, one request at a time: each is followed from its SET until
 * its outcome is in doubt or it is gone, and then given up for a new one.
 */
export class LifetimeProbe {
  readonly #world: World;
  readonly #readings: ClockReadings;
  readonly #dice: Dice;
  readonly #prefix: string;
  readonly #written: (key: string) => void;
  #count = 0;
  #key = "";
  #value = "";
  /** Null: none. Meaningful while `#key` is not "". */
  #deadline: Deadline | null = null;

  constructor(world: World, readings: ClockReadings, prefix: string, written: (key: string) => void) {
    this.#world = world;
    this.#readings = readings;
    this.#prefix = prefix;
    this.#dice = world.dice(prefix);
    this.#written = written;
  }

  async step(ask: Ask): Promise<void> {
    if (this.#key === "") return this.#start(ask);
    const choice = this.#dice.below(10);
    if (choice < 4) return this.#get(ask);
    if (choice < 6) return this.#rewrite(ask);
    if (choice < 8) return this.#expire(ask);
    if (choice < 9) return this.#remaining(ask);
    return this.#persist(ask);
  }

  async #start(ask: Ask): Promise<void> {
    const key = `${this.#prefix}:${++this.#count}`;
    const value = String(valuesFrom + this.#count);
    const ttlMs = this.#dice.skewed(1, 5_000);
    this.#written(key);
    const inSeconds = this.#dice.chance(1, 4);
    const words = inSeconds ? ["EX", String(Math.ceil(ttlMs / 1_000))] : ["PX", String(ttlMs)];
    const timed = await this.#timed(ask, ["SET", key, value, ...words]);
    if (timed.outcome.kind !== "reply" || timed.lowestMs === null) return;
    const grantedMs = inSeconds ? Math.ceil(ttlMs / 1_000) * 1_000 : ttlMs;
    this.#key = key;
    this.#value = value;
    this.#deadline = deadlineAfter(grantedMs, timed.lowestMs, timed.highestMs);
  }

  async #get(ask: Ask): Promise<void> {
    const timed = await this.#timed(ask, ["GET", this.#key]);
    if (timed.outcome.kind !== "reply") return;
    const value = valueOf(timed.outcome.reply);
    if (value !== null && value !== this.#value) this.#fail(`reads as ${String(value)}`);
    this.#judge(value !== null, timed);
  }

  async #expire(ask: Ask): Promise<void> {
    const ttlMs = this.#dice.skewed(1, 5_000);
    const timed = await this.#change(ask, ["PEXPIRE", this.#key, String(ttlMs)]);
    if (timed.outcome.kind !== "reply") return;
    if (timed.lowestMs === null) {
      this.#key = "";
      return;
    }
    const present = countOf(timed.outcome.reply) === 1;
    this.#judge(present, timed);
    if (present) this.#deadline = deadlineAfter(ttlMs, timed.lowestMs, timed.highestMs);
  }

  /** A new value, and the lifetime stays. Where the key is gone INCR and APPEND make a new one, and say so. */
  async #rewrite(ask: Ask): Promise<void> {
    const rewrite = this.#drawRewrite();
    const timed = await this.#change(ask, rewrite.tokens);
    if (timed.outcome.kind !== "reply") return;
    const { reply } = timed.outcome;
    const answer = reply.kind === "simple" ? reply.text : (countOf(reply) ?? null);
    const present = answer === rewrite.present;
    if (!present && answer !== rewrite.absent) this.#fail(`${rewrite.tokens.join(" ")} replies ${answer}`);
    this.#value = rewrite.value;
    this.#judge(present, timed);
  }

  #drawRewrite(): Rewrite {
    const key = this.#key;
    const choice = this.#value.length < digitsMax ? this.#dice.below(3) : 0;
    if (choice === 0) {
      const value = String(valuesFrom + this.#dice.below(valuesFrom));
      return { tokens: ["SET", key, value, "XX", "KEEPTTL"], value, present: "OK", absent: null };
    }
    if (choice === 1) {
      const sum = Number(this.#value) + 1;
      return { tokens: ["INCR", key], value: String(sum), present: sum, absent: 1 };
    }
    const value = `${this.#value}5`;
    return { tokens: ["APPEND", key, "5"], value, present: value.length, absent: 1 };
  }

  async #persist(ask: Ask): Promise<void> {
    const timed = await this.#change(ask, ["PERSIST", this.#key]);
    if (timed.outcome.kind !== "reply") return;
    const removed = countOf(timed.outcome.reply) === 1;
    if (this.#deadline === null && removed) this.#fail("had no deadline, but PERSIST removed one");
    if (this.#deadline === null) return;
    this.#judge(removed, timed);
    if (removed) this.#deadline = null;
  }

  async #remaining(ask: Ask): Promise<void> {
    const timed = await this.#timed(ask, ["PTTL", this.#key]);
    if (timed.outcome.kind !== "reply") return;
    const leftMs = countOf(timed.outcome.reply) ?? 0;
    const deadline = this.#deadline;
    if ((leftMs === -1) !== (deadline === null && leftMs !== -2)) {
      this.#fail(`PTTL ${leftMs}, deadline ${deadline === null ? "none" : deadline.latestMs}`);
    }
    this.#judge(leftMs !== -2, timed);
    if (deadline === null || leftMs < 0 || timed.lowestMs === null) return;
    if (leftMs > deadline.latestMs - timed.lowestMs) {
      this.#fail(`PTTL ${leftMs} at ${timed.lowestMs}ms, gone by ${deadline.latestMs}ms`);
    }
  }

  #judge(present: boolean, timed: Timed): void {
    const deadline = this.#deadline;
    const problem =
      deadline !== null
        ? judgeLifetime(deadline, present, timed.lowestMs, timed.highestMs)
        : present
          ? null
          : "gone without a deadline";
    if (problem !== null) this.#fail(problem);
    // What is gone stays gone, as far as a clock that may go back lets anybody say: start anew.
    if (!present) this.#key = "";
  }

  /** Without a reply, also because this client died meanwhile, nobody knows what became of the key. */
  async #change(ask: Ask, tokens: readonly string[]): Promise<Timed> {
    const key = this.#key;
    this.#key = "";
    const timed = await this.#timed(ask, tokens);
    if (timed.outcome.kind === "reply") this.#key = key;
    return timed;
  }

  async #timed(ask: Ask, tokens: readonly string[]): Promise<Timed> {
    const calledUs = this.#world.nowUs;
    const outcome = await ask(tokens);
    const lowestMs = this.#readings.lowestMs(calledUs, this.#world.nowUs);
    return { outcome, lowestMs, highestMs: this.#readings.highestMs };
  }

  #fail(problem: string): never {
    this.#world.fail("lifetime", `${this.#key}: ${problem}`);
  }
}
