import type { Reply } from "../net/redis/reply.ts";
import type { KeyOperation } from "../sim/checkers/key-model.ts";
import type { Dice } from "../sim/dice.ts";
import type { GatewayCommands, GatewayKeys, GatewayRequest, RequestPart } from "./gateway-requests.ts";
import { keysOf, twins, valueOf } from "./gateway-requests.ts";

/** What a client queues, and what the reply to EXEC says about each key. */
export interface GatewayTransaction {
  readonly queued: readonly (readonly string[])[];
  /** EXEC itself. */
  readonly request: GatewayRequest;
}

/** A watched key and what it was. */
export interface Watched {
  readonly key: string;
  readonly value: string | null;
}

/** What one part of the queue does to one key; `items` are the replies of the whole transaction. */
interface Effect {
  readonly key: string;
  readonly unknown: KeyOperation | null;
  readonly known: (items: readonly Reply[]) => KeyOperation | string;
}

/** Draws transactions of a few commands: what they do to one key is one step of that key. */
export class GatewayTransactions {
  readonly #dice: Dice;
  readonly #commands: GatewayCommands;
  readonly #keys: GatewayKeys;
  readonly #nextValue: () => string;

  // oxlint-disable-next-line max-params -- where choices, requests, keys and values come from
  constructor(dice: Dice, commands: GatewayCommands, keys: GatewayKeys, nextValue: () => string) {
    this.#dice = dice;
    this.#commands = commands;
    this.#keys = keys;
    this.#nextValue = nextValue;
  }

  /** A key to watch: values of such keys are unique, so that one that is there again was not touched. */
  watchable(): string {
    return this.#dice.pick(this.#keys.plain);
  }

  next(watched: Watched | null): GatewayTransaction {
    const queued: (readonly string[])[] = [];
    const effects: Effect[] = [];
    const used = new Set<string>();
    if (watched !== null) {
      used.add(watched.key);
      effects.push(this.#swap(watched, queued));
    }
    for (let left = this.#dice.between(1, 5); left > 0; left--) {
      if (this.#dice.chance(1, 4) && !used.has(twins)) {
        used.add(twins);
        effects.push(this.#twins(queued));
      } else {
        this.#add(this.#commands.next(), used, { queued, effects });
      }
    }
    return { queued, request: { tokens: ["EXEC"], parts: partsOf(effects) } };
  }

  /** Keys of which histories know single steps only are met once. */
  #add(
    request: GatewayRequest,
    used: Set<string>,
    into: { readonly queued: (readonly string[])[]; readonly effects: Effect[] },
  ): void {
    const isOften = (key: string): boolean => this.#keys.mixed.includes(key);
    if (request.parts.some(({ key }) => used.has(key) && !isOften(key))) return;
    const index = into.queued.length;
    into.queued.push(request.tokens);
    for (const part of request.parts) {
      used.add(part.key);
      const { key, unknown } = part;
      into.effects.push({ key, unknown, known: (items) => part.known(items[index] as Reply) });
    }
  }

  /** Two SETs that only together are one write of the twins, or two GETs that must agree. */
  #twins(queued: (readonly string[])[]): Effect {
    const names = keysOf(twins);
    const index = queued.length;
    if (this.#dice.chance(1, 2)) {
      queued.push(...names.map((name) => ["GET", name]));
      return { key: twins, unknown: null, known: (items) => pair(items[index], items[index + 1]) };
    }
    const value = this.#nextValue();
    queued.push(...names.map((name) => ["SET", name, value]));
    const operation = { kind: "put", value, condition: "always" } as const;
    const unknown = { ...operation, applied: undefined };
    return { key: twins, unknown, known: () => ({ ...operation, applied: true }) };
  }

  #swap({ key, value: expected }: Watched, queued: (readonly string[])[]): Effect {
    const value = this.#nextValue();
    queued.push(["SET", key, value]);
    const operation = { kind: "swap", expected, value } as const;
    return { key, unknown: { ...operation, applied: undefined }, known: () => ({ ...operation, applied: true }) };
  }
}

function pair(a: Reply | undefined, b: Reply | undefined): KeyOperation | string {
  const [first, second] = [valueOf(a), valueOf(b)];
  if (first === undefined || second === undefined) return "a GET in a transaction has a value or none";
  return first === second ? { kind: "read", value: first } : `torn: half of a write shows, ${first} beside ${second}`;
}

/** One part per key, in order. */
function partsOf(effects: readonly Effect[]): readonly RequestPart[] {
  const byKey = new Map<string, Effect[]>();
  for (const effect of effects) {
    const some = byKey.get(effect.key);
    if (some === undefined) byKey.set(effect.key, [effect]);
    else some.push(effect);
  }
  return [...byKey].map(([key, some]) => ({ key, unknown: unknownOf(some), known: (reply) => knownOf(some, reply) }));
}

function unknownOf(effects: readonly Effect[]): KeyOperation | null {
  const steps = effects.flatMap(({ unknown }) => (unknown === null ? [] : [unknown]));
  const [only] = steps;
  if (only === undefined) return null;
  return steps.length === 1 ? only : { kind: "steps", steps };
}

function knownOf(effects: readonly Effect[], reply: Reply): KeyOperation | string {
  if (reply.kind !== "array") return `EXEC replies no array but ${reply.kind}`;
  const steps: KeyOperation[] = [];
  for (const { known } of effects) {
    const step = known(reply.items);
    if (typeof step === "string") return step;
    steps.push(step);
  }
  const [only] = steps;
  return steps.length === 1 && only !== undefined ? only : { kind: "steps", steps };
}
