import type { KeyOperation } from "../sim/checkers/key-model.ts";
import type { Reply } from "../net/redis/reply.ts";
import { textOf } from "../net/redis/reply.ts";
import type { Dice } from "../sim/dice.ts";

/** One command, and what it says about each key that it concerns. */
export interface GatewayRequest {
  readonly tokens: readonly string[];
  readonly parts: readonly RequestPart[];
}

export interface RequestPart {
  /** The key as the histories know it: keys that are only written together are one. */
  readonly key: string;
  /** What it may have done if no reply came; null when it only reads. */
  readonly unknown: KeyOperation | null;
  /** What it did, by its reply; a text when no correct server replies so. */
  known(reply: Reply): KeyOperation | string;
}

/** Two keys that are only ever written together: half of a write shows. */
export const twins = "twins";
const twinKeys: readonly [string, string] = ["twin:a", "twin:b"];

/** The keys that a history's key stands for. */
export function keysOf(key: string): readonly string[] {
  return key === twins ? twinKeys : [key];
}

/** Draws commands on few keys, every value unique. */
export class GatewayCommands {
  readonly #dice: Dice;
  readonly #nextValue: () => string;
  readonly #plain: readonly string[];
  readonly #mixed: readonly string[];
  readonly #counters: readonly string[];

  constructor(dice: Dice, keys: GatewayKeys, nextValue: () => string) {
    this.#dice = dice;
    this.#nextValue = nextValue;
    this.#plain = keys.plain;
    this.#mixed = keys.mixed;
    this.#counters = keys.counters;
  }

  next(): GatewayRequest {
    const dice = this.#dice;
    const choice = dice.below(100);
    if (choice < 35) return this.#onPlain(dice.pick(this.#plain));
    if (choice < 65) return this.#onMixed(dice.pick(this.#mixed));
    if (choice < 80) return this.#onCounter(dice.pick(this.#counters));
    if (choice < 95) return this.#onTwins();
    return mget([dice.pick(this.#plain), dice.pick(this.#mixed), dice.pick(this.#counters)]);
  }

  /** Only SET, GET and DEL: what the ledger can follow. */
  #onPlain(key: string): GatewayRequest {
    const choice = this.#dice.below(10);
    if (choice < 5) return put(key, this.#nextValue(), "always");
    if (choice < 9) return get(key);
    return remove(key);
  }

  #onMixed(key: string): GatewayRequest {
    const dice = this.#dice;
    switch (dice.below(10)) {
      case 0:
        return put(key, this.#nextValue(), "always");
      case 1:
        return put(key, this.#nextValue(), "absent");
      case 2:
        return put(key, this.#nextValue(), "present");
      case 3:
        return putAndGet(key, this.#nextValue());
      case 4:
        return remove(key);
      case 5:
        return append(key, this.#nextValue());
      case 6:
        return exists(key);
      case 7:
        return increment(key, dice.between(1, 9));
      case 8:
        return put(key, String(dice.below(1_000)), "always");
      default:
        return get(key);
    }
  }

  #onCounter(key: string): GatewayRequest {
    return this.#dice.chance(3, 4) ? increment(key, 1) : get(key);
  }

  #onTwins(): GatewayRequest {
    const choice = this.#dice.below(10);
    if (choice < 4) return putTwins(this.#nextValue(), "always");
    if (choice < 5) return putTwins(this.#nextValue(), "absent");
    if (choice < 6) return removeTwins();
    return getTwins();
  }
}

/** Every key belongs to one group, which decides what is done to it and how it is judged. */
export interface GatewayKeys {
  readonly plain: readonly string[];
  readonly mixed: readonly string[];
  readonly counters: readonly string[];
}

export function get(key: string): GatewayRequest {
  return one(["GET", key], key, null, (reply) => {
    const value = valueOf(reply);
    return value === undefined ? unlike(reply) : { kind: "read", value };
  });
}

export function mget(keys: readonly string[]): GatewayRequest {
  return {
    tokens: ["MGET", ...keys],
    parts: keys.map((key, index) => ({
      key,
      unknown: null,
      known: (reply) => {
        const value = reply.kind === "array" ? valueOf(reply.items[index]) : undefined;
        return value === undefined ? unlike(reply) : { kind: "read", value };
      },
    })),
  };
}

export function put(
  key: string,
  value: string,
  condition: "always" | "absent" | "present",
): GatewayRequest {
  const words = { always: [], absent: ["NX"], present: ["XX"] }[condition];
  const operation = { kind: "put", value, condition } as const;
  return one(["SET", key, value, ...words], key, { ...operation, applied: undefined }, (reply) => {
    if (reply.kind === "simple" && reply.text === "OK") return { ...operation, applied: true };
    const refused = reply.kind === "null" && condition !== "always";
    return refused ? { ...operation, applied: false } : unlike(reply);
  });
}

export function increment(key: string, delta: number): GatewayRequest {
  const tokens = delta === 1 ? ["INCR", key] : ["INCRBY", key, String(delta)];
  const operation = { kind: "increment", delta } as const;
  return one(tokens, key, { ...operation, result: undefined }, (reply) => {
    if (reply.kind === "error") return { ...operation, result: "rejected" };
    return reply.kind === "integer" ? { ...operation, result: Number(reply.value) } : unlike(reply);
  });
}

function putAndGet(key: string, value: string): GatewayRequest {
  const operation = { kind: "put", value, condition: "always", applied: true } as const;
  const unknown = { ...operation, applied: undefined };
  return one(["SET", key, value, "GET"], key, unknown, (reply) => {
    const previous = valueOf(reply);
    return previous === undefined ? unlike(reply) : { ...operation, previous };
  });
}

export function remove(key: string): GatewayRequest {
  return one(["DEL", key], key, { kind: "delete", existed: undefined }, (reply) => {
    const count = countOf(reply);
    return count === 0 || count === 1 ? { kind: "delete", existed: count === 1 } : unlike(reply);
  });
}

export function append(key: string, suffix: string): GatewayRequest {
  const operation = { kind: "append", suffix } as const;
  return one(["APPEND", key, suffix], key, { ...operation, length: undefined }, (reply) => {
    const length = countOf(reply);
    return length === undefined ? unlike(reply) : { ...operation, length };
  });
}

function exists(key: string): GatewayRequest {
  return one(["EXISTS", key], key, null, (reply) => {
    const count = countOf(reply);
    return count === 0 || count === 1 ? { kind: "exists", present: count === 1 } : unlike(reply);
  });
}

function putTwins(value: string, condition: "always" | "absent"): GatewayRequest {
  const [a, b] = twinKeys;
  const operation = { kind: "put", value, condition } as const;
  const command = condition === "always" ? "MSET" : "MSETNX";
  const unknown = { ...operation, applied: undefined };
  return one([command, a, value, b, value], twins, unknown, (reply) => {
    if (condition === "always") {
      const done = reply.kind === "simple" && reply.text === "OK";
      return done ? { ...operation, applied: true } : unlike(reply);
    }
    const count = countOf(reply);
    return count === 0 || count === 1 ? { ...operation, applied: count === 1 } : unlike(reply);
  });
}

function removeTwins(): GatewayRequest {
  return one(["DEL", ...twinKeys], twins, { kind: "delete", existed: undefined }, (reply) => {
    const count = countOf(reply);
    return count === 0 || count === 2 ? { kind: "delete", existed: count === 2 } : unlike(reply);
  });
}

export function getTwins(): GatewayRequest {
  return one(["MGET", ...twinKeys], twins, null, (reply) => {
    if (reply.kind !== "array" || reply.items.length !== 2) return unlike(reply);
    const [a, b] = [valueOf(reply.items[0]), valueOf(reply.items[1])];
    if (a === undefined || b === undefined) return unlike(reply);
    return a === b ? { kind: "read", value: a } : `torn: half of a write shows, ${a} beside ${b}`;
  });
}

function one(
  tokens: readonly string[],
  key: string,
  unknown: KeyOperation | null,
  known: (reply: Reply) => KeyOperation | string,
): GatewayRequest {
  return { tokens, parts: [{ key, unknown, known }] };
}

/** Undefined: not a value. */
export function valueOf(reply: Reply | undefined): string | null | undefined {
  if (reply === undefined) return undefined;
  if (reply.kind === "null") return null;
  return reply.kind === "bulk" ? textOf(reply.bytes) : undefined;
}

/** Undefined: not a number. */
export function countOf(reply: Reply): number | undefined {
  return reply.kind === "integer" ? Number(reply.value) : undefined;
}

function unlike(reply: Reply): string {
  return `no such command replies ${reply.kind}`;
}
