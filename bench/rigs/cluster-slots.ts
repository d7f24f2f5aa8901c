import { append, type GatewayRequest, get, increment, put, remove, valueOf } from "../../scenarios/gateway-requests.ts";
import { type KeyOperation, keyModel } from "../../sim/checkers/key-model.ts";
import { checkLinearizability, type TimedOperation } from "../../sim/checkers/linearizability.ts";
import type { Xorshift } from "../xorshift.ts";

/** The search for an order grows with what overlaps and with what nobody knows: then the next key takes over. */
const operationsMax = 120;
const unknownMax = 6;

export type SlotKind = "mixed" | "counter" | "twins";

/** One key, or two that are only written together, and everything that clients asked of it and were told. */
export class KeyHistory {
  readonly keys: readonly string[];
  readonly kind: SlotKind;
  readonly #operations: TimedOperation<KeyOperation>[] = [];
  #unknown = 0;
  #inFlight = 0;

  constructor(kind: SlotKind, keys: readonly string[]) {
    this.kind = kind;
    this.keys = keys;
  }

  get name(): string {
    return this.keys.join("+");
  }

  get full(): boolean {
    return this.#operations.length >= operationsMax || this.#unknown >= unknownMax;
  }

  get idle(): boolean {
    return this.#inFlight === 0;
  }

  begin(): void {
    this.#inFlight++;
  }

  replied(operation: KeyOperation, calledUs: number, returnedUs: number): void {
    this.#inFlight--;
    this.#operations.push({ operation, calledUs, returnedUs, certain: true });
  }

  /** It did not happen and will not. */
  refused(): void {
    this.#inFlight--;
  }

  /** Nobody knows. Whatever dies meanwhile, the stores may still do it. */
  lost(unknown: KeyOperation | null, calledUs: number): void {
    this.#inFlight--;
    if (unknown === null) return;
    this.#unknown++;
    this.#operations.push({ operation: unknown, calledUs, returnedUs: Infinity, certain: false });
  }

  /** Null: there is an order that explains all of it. Else what is wrong, and everything that clients were told. */
  judge(): string | null {
    const verdict = checkLinearizability(keyModel, this.#operations);
    if (verdict.kind === "linearizable") return null;
    const told = this.#operations.toSorted((a, b) => a.calledUs - b.calledUs).map((each) => JSON.stringify(each));
    return `${this.name}: ${verdict.kind}: ${verdict.message}\n${told.join("\n")}`;
  }

  get count(): number {
    return this.#operations.length;
  }

  read(): GatewayRequest {
    const [first = ""] = this.keys;
    return this.kind === "twins" ? getTwins(this.keys) : get(first);
  }

  next(random: Xorshift, value: string): GatewayRequest {
    const [key = ""] = this.keys;
    const choice = random.below(100);
    if (choice < 40) return this.read();
    if (this.kind === "counter") return increment(key, 1 + random.below(5));
    if (this.kind === "twins") return choice < 95 ? putTwins(this.keys, value) : removeTwins(this.keys);
    if (choice < 60) return put(key, value, "always");
    if (choice < 75) return put(key, value, "absent");
    if (choice < 85) return put(key, value, "present");
    return choice < 93 ? append(key, value) : remove(key);
  }
}

/** Keys in use: when one has seen enough, the next of its kind takes its place. */
export class Slots {
  readonly #histories: KeyHistory[];
  readonly #over: KeyHistory[] = [];
  #judged = 0;
  #made = 0;

  /** `letters`: where keys begin, so that every region has some, and twins lie in two regions. */
  constructor(letters: readonly string[]) {
    const kinds: readonly SlotKind[] = ["mixed", "counter", "twins"];
    this.#histories = letters.flatMap((letter, i) => kinds.map((kind) => this.#make(kind, letter, letters[i + 1])));
    this.#letters = letters;
  }

  readonly #letters: readonly string[];

  pick(random: Xorshift): KeyHistory {
    const at = random.below(this.#histories.length);
    const history = this.#histories[at] as KeyHistory;
    if (!history.full) return history;
    this.#over.push(history);
    const letterAt = Math.floor(at / 3);
    const fresh = this.#make(history.kind, this.#letters[letterAt] ?? "a", this.#letters[letterAt + 1]);
    this.#histories[at] = fresh;
    return fresh;
  }

  /** Those that are over and were not judged yet: nothing is asked of their keys any more but the last reading. */
  *overAndIdle(): Generator<KeyHistory> {
    while (this.#over[this.#judged]?.idle === true) {
      yield this.#over[this.#judged] as KeyHistory;
      this.#judged++;
    }
  }

  all(): readonly KeyHistory[] {
    return [...this.#over, ...this.#histories];
  }

  #make(kind: SlotKind, letter: string, other: string | undefined): KeyHistory {
    const name = `${kind}:${++this.#made}`;
    const keys = kind === "twins" ? [`${letter}:${name}`, `${other ?? "a"}:${name}`] : [`${letter}:${name}`];
    return new KeyHistory(kind, keys);
  }
}

function putTwins(keys: readonly string[], value: string): GatewayRequest {
  const operation = { kind: "put", value, condition: "always" } as const;
  return {
    tokens: ["MSET", ...keys.flatMap((key) => [key, value])],
    parts: [
      {
        key: keys.join("+"),
        unknown: { ...operation, applied: undefined },
        known: (reply) => (reply.kind === "simple" ? { ...operation, applied: true } : `MSET replies ${reply.kind}`),
      },
    ],
  };
}

function removeTwins(keys: readonly string[]): GatewayRequest {
  return {
    tokens: ["DEL", ...keys],
    parts: [
      {
        key: keys.join("+"),
        unknown: { kind: "delete", existed: undefined },
        known: (reply) => {
          const count = reply.kind === "integer" ? Number(reply.value) : -1;
          if (count === 0 || count === keys.length) return { kind: "delete", existed: count > 0 };
          return `torn: ${count} of ${keys.length} keys that are written together were there`;
        },
      },
    ],
  };
}

function getTwins(keys: readonly string[]): GatewayRequest {
  return {
    tokens: ["MGET", ...keys],
    parts: [
      {
        key: keys.join("+"),
        unknown: null,
        known: (reply) => {
          const values = reply.kind === "array" ? reply.items.map(valueOf) : [];
          const [first] = values;
          if (first === undefined || values.length !== keys.length) return `MGET replies ${reply.kind}`;
          if (values.every((value) => value === first)) return { kind: "read", value: first };
          return `torn: half of a write shows, ${values.join(" beside ")}`;
        },
      },
    ],
  };
}
