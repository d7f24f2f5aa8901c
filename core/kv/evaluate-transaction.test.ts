// Goal: a transaction means what its operations mean one after the other. Method: random operations, evaluated
// together and one by one by `evaluate` over a plain map; and what is read and written is said exactly.
import fc from "fast-check";
import { expect, test } from "vitest";
import { keyOfText, keyText } from "../bytes/key-text.ts";
import { evaluateTransaction, keysReadBy } from "./evaluate-transaction.ts";
import { evaluate, keysRead } from "./evaluate.ts";
import type { KvEntry, Mutation, Operation, OperationResult } from "./kv.ts";

const conditions = { nowMs: 1000, valueBytesMax: 8 };

const never = { kind: "never" } as const;
const key = fc.constantFrom("a", "b", "c").map(keyOfText);
const value = fc.constantFrom("", "7", "word", "12345678").map(keyOfText);
const expiry = fc.constantFrom(never, { kind: "keep" } as const, { kind: "after", ms: 5 } as const, {
  kind: "at",
  atMs: 999,
} as const);
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({
    kind: fc.constant("put" as const),
    key,
    value,
    expiry,
    condition: fc.constantFrom("always" as const, "absent" as const, "present" as const),
    returning: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("delete" as const), keys: fc.array(key, { minLength: 1, maxLength: 3 }) }),
  fc.record({ kind: fc.constant("take" as const), key }),
  fc.record({ kind: fc.constant("increment" as const), key, delta: fc.constantFrom(1n, -9n) }),
  fc.record({ kind: fc.constant("append" as const), key, suffix: value }),
  fc.record({
    kind: fc.constant("expire" as const),
    key,
    expiry,
    condition: fc.constantFrom("always" as const, "none" as const),
  }),
  fc.array(fc.tuple(key, value), { minLength: 1, maxLength: 3 }).map((pairs) => ({
    kind: "put-many" as const,
    keys: pairs.map(([each]) => each),
    values: pairs.map(([, each]) => each),
    condition: "all-absent" as const,
  })),
);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  mutation.map((each) => ({ kind: "mutate" as const, mutation: each })),
  fc.array(key, { maxLength: 3 }).map((keys) => ({ kind: "read" as const, keys })),
);
const entry: fc.Arbitrary<KvEntry | null> = fc.option(
  fc.record({ value, expiresAtMs: fc.constantFrom(0, 2000) }),
  { nil: null },
);

test("steps see what the steps before them did", () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 8 }), fc.tuple(entry, entry, entry), (operations, [a, b, c]) => {
      const map = new Map<string, KvEntry | null>([["a", a], ["b", b], ["c", c]]);
      const before = new Map(map);
      const present = keysReadBy(operations).map((each) => before.get(keyText(each)) ?? null);
      const results = operations.map((each): OperationResult => {
        const find = (name: Uint8Array): KvEntry | null => map.get(keyText(name)) ?? null;
        if (each.kind === "read") return { kind: "read", entries: each.keys.map(find) };
        const decision = evaluate(each.mutation, keysRead(each.mutation).map(find), conditions);
        for (const write of decision.writes) {
          const { value: after, expiresAtMs } = write;
          map.set(keyText(write.key), after === null ? null : { value: after, expiresAtMs });
        }
        return { kind: "mutate", outcome: decision.outcome };
      });
      const decision = evaluateTransaction(operations, present, conditions);
      expect(decision.results).toEqual(results);
      for (const write of decision.writes) {
        const { value: after, expiresAtMs } = write;
        before.set(keyText(write.key), after === null ? null : { value: after, expiresAtMs });
      }
      expect([...before]).toEqual([...map]);
      const names = decision.writes.map((write) => keyText(write.key));
      expect(names).toEqual([...new Set(names)].toSorted());
    }),
  );
});

test("keys are read once, in order, and only where a step rests on them", () => {
  const put = (name: string, condition: "always" | "absent"): Operation => ({
    kind: "mutate",
    mutation: { kind: "put", key: keyOfText(name), value: keyOfText(""), expiry: never, condition, returning: false },
  });
  const operations: Operation[] = [
    put("z", "always"),
    put("m", "absent"),
    { kind: "read", keys: ["m", "b", "\xff"].map(keyOfText) },
  ];
  expect(keysReadBy(operations).map(keyText)).toEqual(["b", "m", "\xff"]);
});

test("a key of any length has a text, and order is byte order", () => {
  const long = Uint8Array.from({ length: 10_000 }, (_, i) => i % 256);
  expect(keyOfText(keyText(long))).toEqual(long);
  expect(keyText(new Uint8Array(0))).toBe("");
  expect(keyText(Uint8Array.of(0x7f)) < keyText(Uint8Array.of(0x80))).toBe(true);
});
