// Goal: whatever implements `Kv` means the same by it. Method: stories in which each operation completes before the
// next begins, and random ones that are compared with MapKv. A store's clock may be off by a second.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keyOfText, keyText } from "../bytes/key-text.ts";
import type { NokvError } from "../errors.ts";
import type { Kv, KvEntry, Mutation, Operation, OperationResult, Outcome, WatchedKey } from "./kv.ts";
import { MapKv } from "./map-kv.ts";

/** A store, and the world around it. */
export interface KvStage {
  readonly kv: Kv;
  /** Lets happen whatever it takes until `isDone`. */
  settle(isDone: () => boolean): Promise<void> | void;
  /** Lets time pass. */
  pass(ms: number): Promise<void> | void;
  readonly nowMs: () => number;
}

const never = { kind: "never" } as const;
const soon = { kind: "after", ms: 50_000 } as const;

function put(key: string, value: string, more: Partial<Extract<Mutation, { kind: "put" }>> = {}): Mutation {
  const facts = { expiry: never, condition: "always", returning: false } as const;
  return { kind: "put", key: keyOfText(key), value: keyOfText(value), ...facts, ...more };
}

function shown(entry: KvEntry | null): string {
  if (entry === null) return "-";
  return `${keyText(entry.value)}${entry.expiresAtMs === 0 ? "" : "~"}`;
}

function facts({ applied, rejected, previous, count, integer }: Outcome): string {
  return `${applied ? "applied" : "refused"} ${rejected ?? ""} ${shown(previous)} ${count} ${integer}`;
}

function said(result: OperationResult): string {
  return result.kind === "read" ? result.entries.map(shown).join(" ") : facts(result.outcome);
}

/** Makes a stage and tells a story on it. */
export type OnStage = (tell: (stage: KvStage) => Promise<void>) => Promise<unknown>;

/** Asks one thing at a time. */
export class KvUser {
  readonly stage: KvStage;

  constructor(stage: KvStage) {
    this.stage = stage;
  }

  async #ask<T>(ask: (done: (answer: T) => void) => void): Promise<T> {
    const answers: T[] = [];
    ask((answer) => answers.push(answer));
    await this.stage.settle(() => answers.length > 0);
    expect(answers.length).toBe(1);
    return answers[0] as T;
  }

  read(...keys: string[]): Promise<string> {
    return this.#ask((done) => {
      this.stage.kv.read(keys.map(keyOfText), (error, entries) => {
        done(error === null ? entries.map(shown).join(" ") : error.code);
      });
    });
  }

  mutate(mutation: Mutation): Promise<string> {
    return this.#ask((done) => {
      this.stage.kv.mutate(mutation, (error, outcome) => {
        done(outcome === null ? String(error?.code) : facts(outcome));
      });
    });
  }

  scan(after: string | null, limit: number): Promise<string> {
    return this.#ask((done) => {
      this.stage.kv.scan({ after: after === null ? null : keyOfText(after), limit }, (error, page) => {
        if (page === null) return done(String(error?.code));
        done(`${page.keys.map(keyText).join(" ")}${page.exhausted ? "." : "…"}`);
      });
    });
  }

  count(): Promise<number> {
    return this.#ask((done) => this.stage.kv.count((_, count) => done(count)));
  }

  clear(): Promise<NokvError | null> {
    return this.#ask((done) => this.stage.kv.clear(done));
  }

  watch(...keys: string[]): Promise<readonly WatchedKey[]> {
    return this.#ask((done) => this.stage.kv.watch(keys.map(keyOfText), (_, watched) => done(watched)));
  }

  transact(operations: readonly Operation[], watched: readonly WatchedKey[] = []): Promise<string> {
    return this.#ask((done) => {
      this.stage.kv.transact({ operations, watched }, (error, results) => {
        done(error?.code ?? results?.map(said).join(" | ") ?? "changed");
      });
    });
  }
}

export function conformance(name: string, onStage: OnStage, numRuns = 40): void {
  describe(`as a Kv: ${name}`, () => {
    stories(onStage);
    test("random operations agree with the map", async () => {
      await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        await onStage((stage) => compare(stage, steps));
      }), { numRuns });
    });
  });
}

function stories(onStage: OnStage): void {
  const story = (name: string, tell: (user: KvUser) => Promise<void>): void => {
    test(`story of ${name}`, async () => {
      let told = false;
      await onStage(async (stage) => {
        await tell(new KvUser(stage));
        told = true;
      });
      expect(told).toBe(true);
    });
  };

  story("entries", async (user) => {
    expect(await user.read("a")).toBe("-");
    expect(await user.mutate(put("a", "1"))).toBe("applied  - 0 0");
    expect(await user.mutate(put("b", "", { returning: true }))).toBe("applied  - 0 0");
    expect(await user.mutate(put("a", "2", { returning: true }))).toBe("applied  1 0 0");
    expect(await user.mutate(put("a", "3", { condition: "absent" }))).toBe("refused  - 0 0");
    expect(await user.read("b", "none", "a", "b")).toBe(" - 2 ");
    expect(await user.read()).toBe("");
  });

  story("several keys", async (user) => {
    const keys = ["k1", "k9", "x", "\xff\0"].map(keyOfText);
    const values = ["1", "2", "3", "4"].map(keyOfText);
    expect(await user.mutate({ kind: "put-many", keys, values, condition: "all-absent" })).toBe("applied  - 0 0");
    expect(await user.mutate({ kind: "put-many", keys, values, condition: "all-absent" })).toBe("refused  - 0 0");
    expect(await user.read("k1", "k9", "x", "\xff\0")).toBe("1 2 3 4");
    expect(await user.mutate({ kind: "delete", keys: [...keys, ...keys, keyOfText("none")] })).toBe("applied  - 4 0");
    expect(await user.mutate({ kind: "delete", keys })).toBe("refused  - 0 0");
    expect(await user.count()).toBe(0);
  });

  story("lifetimes", async (user) => {
    await user.mutate(put("t", "1", { expiry: soon }));
    expect(await user.read("t", "t")).toBe("1~ 1~");
    expect(await user.mutate({ kind: "expire", key: keyOfText("t"), expiry: soon, condition: "none" })).toBe(
      "refused  1~ 0 0",
    );
    expect(await user.read("t")).toBe("1~");
    await user.stage.pass(60_000);
    expect(await user.read("t")).toBe("-");
    expect(await user.read("t", "t")).toBe("- -");
    expect(await user.mutate(put("t", "2", { condition: "present" }))).toBe("refused  - 0 0");
    expect(await user.scan(null, 9)).toBe(".");
    expect(await user.mutate(put("t", "3", { expiry: { kind: "at", atMs: 1 } }))).toBe("applied  - 0 0");
    expect(await user.read("t")).toBe("-");
  });

  story("walks", async (user) => {
    for (const key of ["a", "a\0", "b", "m", "z"]) await user.mutate(put(key, "v"));
    expect(await user.scan(null, 2)).toBe("a a\0…");
    expect(await user.scan("a\0", 2)).toBe("b m…");
    expect(await user.scan("b", 2)).toBe("m z.");
    expect(await user.scan("z", 2)).toBe(".");
    expect(await user.count()).toBe(5);
    expect(await user.clear()).toBeNull();
    expect(await user.scan(null, 9)).toBe(".");
    expect(await user.count()).toBe(0);
    expect(await user.clear()).toBeNull();
  });

  story("transactions", async (user) => {
    const steps: Operation[] = [
      { kind: "mutate", mutation: put("a", "1") },
      { kind: "mutate", mutation: { kind: "increment", key: keyOfText("a"), delta: 4n } },
      { kind: "read", keys: [keyOfText("a"), keyOfText("z")] },
      { kind: "mutate", mutation: put("z", "x", { condition: "absent" }) },
      { kind: "mutate", mutation: { kind: "increment", key: keyOfText("z"), delta: 1n } },
    ];
    expect(await user.transact(steps)).toBe(
      "applied  - 0 0 | applied  1 0 5 | 5 - | applied  - 0 0 | refused not-an-integer - 0 0",
    );
    expect(await user.read("a", "z")).toBe("5 x");
    expect(await user.transact([])).toBe("");
    expect(await user.transact([{ kind: "read", keys: ["a", "m", "z"].map(keyOfText) }])).toBe("5 - x");
  });

  story("watched keys", async (user) => {
    const write: Operation[] = [{ kind: "mutate", mutation: put("result", "r") }];
    await user.mutate(put("a", "1"));
    await user.mutate(put("t", "1", { expiry: soon }));
    expect(await user.transact(write, await user.watch("a", "none", "z"))).toBe("applied  - 0 0");
    const changes: [string, () => unknown][] = [
      ["a", () => user.mutate(put("a", "1"))],
      ["none", () => user.mutate(put("none", "1"))],
      ["none", () => user.mutate({ kind: "delete", keys: [keyOfText("none")] })],
      ["fleeting", async () => {
        await user.mutate(put("fleeting", "1"));
        await user.mutate({ kind: "take", key: keyOfText("fleeting") });
      }],
      ["t", () => user.stage.pass(60_000)],
      ["a", () => user.clear()],
    ];
    for (const [key, change] of changes) {
      const watched = await user.watch("b", key);
      await change();
      expect([key, await user.transact(write, watched)]).toEqual([key, "changed"]);
    }
    expect(await user.read("result")).toBe("-");
    const watched = await user.watch("t", "a");
    await user.mutate({ kind: "delete", keys: ["t", "a"].map(keyOfText) });
    await user.mutate(put("t", "x", { condition: "present" }));
    expect(await user.transact([], watched)).toBe("");
    expect(await user.transact(write, [...watched, ...(await user.watch("m"))])).toBe("applied  - 0 0");
    expect(await user.read("result")).toBe("r");
  });

  story("arguments are the caller's again when the call has returned", async (user) => {
    const { kv } = user.stage;
    const bytes = (text: string): Uint8Array => keyOfText(text);
    const answers: string[] = [];
    const given: Uint8Array[] = [];
    const give = (text: string): Uint8Array => {
      const key = bytes(text);
      given.push(key);
      return key;
    };
    kv.mutate(put("x", "", { key: give("key"), value: give("value") }), () => answers.push("put"));
    for (const each of given.splice(0)) each.fill(0x21);
    await user.stage.settle(() => answers.length === 1);
    kv.read([give("key")], (_, entries) => answers.push(entries.map(shown).join()));
    for (const each of given.splice(0)) each.fill(0x21);
    await user.stage.settle(() => answers.length === 2);
    kv.scan({ after: give("a"), limit: 1 }, (_, page) => answers.push(String(page?.keys.map(keyText).join())));
    for (const each of given.splice(0)) each.fill(0x21);
    await user.stage.settle(() => answers.length === 3);
    expect(answers).toEqual(["put", "value", "key"]);
  });
}

const key = fc.constantFrom("a", "m", "z").map(keyOfText);
const value = fc.constantFrom("", "7", "word").map(keyOfText);
const expiry = fc.constantFrom(never, soon, { kind: "keep" } as const);
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({
    kind: fc.constant("put" as const),
    key,
    value,
    expiry,
    condition: fc.constantFrom("always" as const, "absent" as const, "present" as const),
    returning: fc.boolean(),
  }),
  fc.array(fc.tuple(key, value), { minLength: 1, maxLength: 3 }).map((pairs) => ({
    kind: "put-many" as const,
    keys: pairs.map(([each]) => each),
    values: pairs.map(([, each]) => each),
    condition: "always" as const,
  })),
  fc.record({ kind: fc.constant("delete" as const), keys: fc.array(key, { minLength: 1, maxLength: 4 }) }),
  fc.record({ kind: fc.constant("take" as const), key }),
  fc.record({ kind: fc.constant("increment" as const), key, delta: fc.constantFrom(1n, -9n) }),
  fc.record({ kind: fc.constant("append" as const), key, suffix: value }),
  fc.record({
    kind: fc.constant("expire" as const),
    key,
    expiry,
    condition: fc.constantFrom("always" as const, "none" as const, "some" as const),
  }),
);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  mutation.map((each) => ({ kind: "mutate" as const, mutation: each })),
  fc.array(key, { maxLength: 3 }).map((keys) => ({ kind: "read" as const, keys })),
);
const step = fc.oneof(
  { weight: 6, arbitrary: mutation.map((each) => ({ kind: "mutate" as const, mutation: each })) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("transact" as const),
      watched: fc.subarray(["a", "m"]),
      between: fc.array(mutation, { maxLength: 1 }),
      operations: fc.array(operation, { maxLength: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.constantFrom({ kind: "read" as const }, { kind: "walk" as const }) },
  { weight: 1, arbitrary: fc.constantFrom({ kind: "clear" as const }, { kind: "pass" as const }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function compare(stage: KvStage, steps: readonly Step[]): Promise<void> {
  const map = new MapKv(stage.nowMs);
  const users = [
    new KvUser(stage),
    new KvUser({ kv: map, settle: () => {}, pass: () => {}, nowMs: stage.nowMs }),
  ] as const;
  for (const each of steps) {
    if (each.kind === "pass") {
      await stage.pass(30_000);
      continue;
    }
    const actual = await perform(users[0], each);
    expect([each.kind, actual]).toEqual([each.kind, await perform(users[1], each)]);
  }
}

async function perform(user: KvUser, each: Exclude<Step, { kind: "pass" }>): Promise<unknown> {
  switch (each.kind) {
    case "mutate":
      return user.mutate(each.mutation);
    case "read":
      return user.read("a", "m", "z");
    case "walk":
      return [await user.scan(null, 2), await user.scan("a", 9), await user.count()];
    case "clear":
      return user.clear();
    case "transact": {
      const watched = await user.watch(...each.watched);
      const between: string[] = [];
      for (const every of each.between) between.push(await user.mutate(every));
      return [between, await user.transact(each.operations, watched), await user.read("a", "m", "z")];
    }
  }
}
