import type { Redis } from "ioredis";
import type { Xorshift } from "../xorshift.ts";

type State = string | null;

/**
 * What one key may hold: the state last known for certain, then the effect of each write sent since, in order.
 * An acknowledgement makes its write certain and forgets what was before it.
 */
class KeyModel {
  readonly key: string;
  #states: { readonly ticket: number; readonly state: State }[] = [{ ticket: 0, state: null }];
  #ticket = 0;

  constructor(key: string) {
    this.key = key;
  }

  sent(state: State): number {
    this.#states.push({ ticket: ++this.#ticket, state });
    return this.#ticket;
  }

  acknowledged(ticket: number): void {
    this.#states = this.#states.filter((possible) => possible.ticket >= ticket);
  }

  observed(state: State): void {
    if (!this.#states.some((possible) => possible.state === state)) {
      const expected = this.#states.map((possible) => JSON.stringify(possible.state)).join(" or ");
      throw new Error(`key ${this.key}: read ${JSON.stringify(state)}, expected ${expected}`);
    }
    this.#states = [{ ticket: this.#ticket, state }];
  }
}

/** The keys that one connection writes, and nobody else. */
export class ClientModel {
  readonly #keys: readonly KeyModel[];
  /** Written together by MSET only: they must always agree. */
  readonly #pair: readonly [KeyModel, KeyModel];
  readonly #id: number;
  readonly #random: Xorshift;
  #sequence = 0;

  constructor(id: number, random: Xorshift) {
    this.#id = id;
    this.#random = random;
    this.#keys = Array.from({ length: 20 }, (_, n) => new KeyModel(`client-${id}:key-${n}`));
    this.#pair = [new KeyModel(`client-${id}:left`), new KeyModel(`client-${id}:right`)];
  }

  get keys(): readonly string[] {
    return [...this.#keys, ...this.#pair].map((model) => model.key);
  }

  /** Sends one write; true once it is acknowledged, false when its outcome is unknown. */
  async operate(client: Redis): Promise<boolean> {
    const kind = this.#random.below(10);
    if (kind < 2) return this.#setPair(client);
    const model = this.#keys[this.#random.below(this.#keys.length)];
    if (model === undefined) throw new RangeError("a client has keys");
    const value = kind < 4 ? null : this.#value();
    const ticket = model.sent(value);
    try {
      await (value === null ? client.del(model.key) : client.set(model.key, value));
    } catch {
      return false;
    }
    model.acknowledged(ticket);
    return true;
  }

  observe(values: readonly State[]): void {
    const models = [...this.#keys, ...this.#pair];
    const left = values[this.#keys.length];
    const right = values[this.#keys.length + 1];
    if (left !== right) throw new Error(`MSET of client ${this.#id} is torn: ${left} and ${right}`);
    for (const [index, model] of models.entries()) model.observed(values[index] ?? null);
  }

  async #setPair(client: Redis): Promise<boolean> {
    const value = this.#value();
    const [left, right] = this.#pair;
    const tickets = [left.sent(value), right.sent(value)] as const;
    try {
      await client.mset(left.key, value, right.key, value);
    } catch {
      return false;
    }
    left.acknowledged(tickets[0]);
    right.acknowledged(tickets[1]);
    return true;
  }

  /** Unique, and of very different lengths. */
  #value(): string {
    const padding = "x".repeat(this.#random.below(this.#random.below(16) === 0 ? 5000 : 200));
    return `${this.#id}/${++this.#sequence}/${padding}`;
  }
}

/** One key that every connection increments. */
export class CounterModel {
  readonly key: string;
  #base = 0;
  #sent = 0;
  #acknowledged = 0;

  constructor(key: string) {
    this.key = key;
  }

  async increment(client: Redis): Promise<boolean> {
    this.#sent++;
    try {
      await client.incr(this.key);
    } catch {
      return false;
    }
    this.#acknowledged++;
    return true;
  }

  observe(text: string | null): void {
    const value = Number(text ?? "0");
    const least = this.#base + this.#acknowledged;
    const most = this.#base + this.#sent;
    if (value < least || value > most) {
      throw new Error(`counter ${this.key}: read ${value}, expected ${least} to ${most}`);
    }
    this.#base = value;
    this.#sent = 0;
    this.#acknowledged = 0;
  }
}
