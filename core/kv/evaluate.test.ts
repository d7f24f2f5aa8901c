// Goal: `evaluate` is Redis's meaning of each mutation. Method: examples of every branch, and random
// sequences against a model written over plain strings, integers included.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { int64Max, int64Min } from "../bytes/decimal.ts";
import { evaluate, keysRead } from "./evaluate.ts";
import type { Expiry, ExpiryCondition, KvEntry, Mutation } from "./kv.ts";

const nowMs = 1000;
const conditions = { nowMs, valueBytesMax: 64 };
const encoder = new TextEncoder();
const decoder = new TextDecoder();

function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

function entry(text: string, expiresAtMs = 0): KvEntry {
  return { value: bytes(text), expiresAtMs };
}

/** Applies one mutation of key "k" and shows what became of it. */
function act(mutation: Mutation, ...present: (KvEntry | null)[]): unknown {
  const { outcome, writes } = evaluate(mutation, present, conditions);
  const shown = writes.map(({ key, value, expiresAtMs }) => {
    const target = `${decoder.decode(key)}=${value === null ? "removed" : decoder.decode(value)}`;
    return expiresAtMs === 0 ? target : `${target}@${expiresAtMs}`;
  });
  const facts: Record<string, unknown> = { applied: outcome.applied };
  if (outcome.rejected !== null) facts["rejected"] = outcome.rejected;
  if (outcome.previous !== null) facts["previous"] = decoder.decode(outcome.previous.value);
  if (outcome.count !== 0) facts["count"] = outcome.count;
  if (outcome.integer !== 0n) facts["integer"] = outcome.integer;
  return shown.length === 0 ? facts : { ...facts, writes: shown.join(" ") };
}

const k = bytes("k");

function put(
  condition: "always" | "absent" | "present",
  expiry: Expiry = { kind: "never" },
  returning = false,
): Mutation {
  return { kind: "put", key: k, value: bytes("new"), expiry, condition, returning };
}

describe("put", () => {
  test("conditions", () => {
    expect(act(put("always"), entry("old", 5000))).toEqual({ applied: true, writes: "k=new" });
    expect(act(put("absent"), null)).toEqual({ applied: true, writes: "k=new" });
    expect(act(put("absent"), entry("old"))).toEqual({ applied: false });
    expect(act(put("present"), entry("old"))).toEqual({ applied: true, writes: "k=new" });
    expect(act(put("present"), null)).toEqual({ applied: false });
  });

  test("returns the entry before, also when refused", () => {
    const never: Expiry = { kind: "never" };
    expect(act(put("always", never, true), null)).toEqual({ applied: true, writes: "k=new" });
    expect(act(put("always", never, true), entry("old"))).toEqual({
      applied: true,
      previous: "old",
      writes: "k=new",
    });
    expect(act(put("absent", never, true), entry("old"))).toEqual({ applied: false, previous: "old" });
  });

  test("lifetimes", () => {
    expect(act(put("always", { kind: "keep" }), entry("old", 5000))).toEqual({
      applied: true,
      writes: "k=new@5000",
    });
    expect(act(put("always", { kind: "keep" }), null)).toEqual({ applied: true, writes: "k=new" });
    expect(act(put("always", { kind: "after", ms: 1 }))).toEqual({ applied: true, writes: "k=new@1001" });
    expect(act(put("always", { kind: "at", atMs: 1001 }))).toEqual({ applied: true, writes: "k=new@1001" });
    expect(act(put("always", { kind: "at", atMs: 1000 }))).toEqual({ applied: true, writes: "k=removed" });
    expect(act(put("always", { kind: "at", atMs: -7 }))).toEqual({ applied: true, writes: "k=removed" });
    expect(act(put("always", { kind: "after", ms: 2 ** 60 }))).toEqual({
      applied: true,
      writes: `k=new@${Number.MAX_SAFE_INTEGER}`,
    });
  });

  test("only what needs the present entry reads it", () => {
    expect(keysRead(put("always"))).toEqual([]);
    expect(keysRead(put("always", { kind: "keep" }))).toEqual([k]);
    expect(keysRead(put("always", { kind: "never" }, true))).toEqual([k]);
    expect(keysRead(put("absent"))).toEqual([k]);
  });
});

test("put-many writes all or nothing", () => {
  const keys = [bytes("a"), bytes("b"), bytes("a")];
  const values = [bytes("1"), bytes("2"), bytes("3")];
  expect(act({ kind: "put-many", keys, values, condition: "always" })).toEqual({
    applied: true,
    writes: "a=1 b=2 a=3",
  });
  expect(act({ kind: "put-many", keys, values, condition: "all-absent" }, null, entry("x"), null)).toEqual({
    applied: false,
  });
  expect(keysRead({ kind: "put-many", keys, values, condition: "always" })).toEqual([]);
  expect(keysRead({ kind: "put-many", keys, values, condition: "all-absent" })).toEqual(keys);
});

test("delete counts a key once, however often it is named", () => {
  const keys = [bytes("b"), bytes("a"), bytes("b"), bytes("none")];
  expect(act({ kind: "delete", keys }, entry("x"), entry("y"), entry("x"), null)).toEqual({
    applied: true,
    count: 2,
    writes: "a=removed b=removed",
  });
  expect(act({ kind: "delete", keys: [k] }, null)).toEqual({ applied: false });
});

test("take removes and returns", () => {
  expect(act({ kind: "take", key: k }, entry("v"))).toEqual({
    applied: true,
    previous: "v",
    writes: "k=removed",
  });
  expect(act({ kind: "take", key: k }, null)).toEqual({ applied: false });
});

test("increments keep the lifetime and refuse what is no integer", () => {
  const add = (delta: bigint): Mutation => ({ kind: "increment", key: k, delta });
  expect(act(add(5n), null)).toEqual({ applied: true, integer: 5n, writes: "k=5" });
  expect(act(add(-7n), entry("5", 9000))).toMatchObject({ integer: -2n, writes: "k=-2@9000" });
  for (const text of ["", "1.5", "01", " 1", "9223372036854775808"]) {
    expect(act(add(1n), entry(text))).toEqual({ applied: false, rejected: "not-an-integer" });
  }
  expect(act(add(1n), entry("9223372036854775807"))).toEqual({ applied: false, rejected: "overflow" });
  expect(act(add(-1n), entry("-9223372036854775808"))).toEqual({ applied: false, rejected: "overflow" });
});

test("append creates, extends and has a limit", () => {
  const append = (text: string): Mutation => ({ kind: "append", key: k, suffix: bytes(text) });
  expect(act(append("ab"), null)).toEqual({ applied: true, count: 2, writes: "k=ab" });
  expect(act(append(""), null)).toEqual({ applied: true, writes: "k=" });
  expect(act(append("cd"), entry("ab", 7000))).toMatchObject({ count: 4, writes: "k=abcd@7000" });
  expect(act(append(""), entry("ab"))).toMatchObject({ count: 2, applied: false });
  expect(act(append("x".repeat(62)), entry("abc"))).toMatchObject({ rejected: "too-long" });
  expect(act(append("x".repeat(65)), null)).toMatchObject({ rejected: "too-long" });
});

describe("expire", () => {
  const expire = (atMs: number, condition: ExpiryCondition = "always"): Mutation => ({
    kind: "expire",
    key: k,
    expiry: { kind: "at", atMs },
    condition,
  });
  const persist: Mutation = { kind: "expire", key: k, expiry: { kind: "never" }, condition: "always" };

  test("sets, replaces, removes", () => {
    expect(act(expire(5000), null)).toEqual({ applied: false });
    expect(act(expire(5000), entry("v"))).toEqual({ applied: true, previous: "v", writes: "k=v@5000" });
    expect(act(expire(1000), entry("v"))).toEqual({ applied: true, previous: "v", writes: "k=removed" });
    expect(act(persist, entry("v", 5000))).toEqual({ applied: true, previous: "v", writes: "k=v" });
    expect(act(persist, entry("v"))).toEqual({ applied: false, previous: "v" });
  });

  test.each<[ExpiryCondition, number, boolean]>([
    ["none", 0, true],
    ["none", 3000, false],
    ["some", 0, false],
    ["some", 3000, true],
    ["later", 0, false],
    ["later", 3000, true],
    ["later", 5000, false],
    ["later", 6000, false],
    ["sooner", 0, true],
    ["sooner", 3000, false],
    ["sooner", 5000, false],
    ["sooner", 6000, true],
    ["some-sooner", 0, false],
    ["some-sooner", 6000, true],
    ["some-sooner", 3000, false],
  ])("%s with a present deadline of %i", (condition, current, applied) => {
    expect(act(expire(5000, condition), entry("v", current))).toMatchObject({ applied });
  });
});

test("increments agree with 64-bit arithmetic everywhere", () => {
  const int64 = fc.bigInt({ min: int64Min, max: int64Max });
  const near = fc.constantFrom(int64Min, int64Max, 0n, 10n ** 15n - 1n, 10n ** 15n, 2n ** 53n, -(2n ** 53n));
  fc.assert(
    fc.property(fc.oneof(int64, near), fc.oneof(int64, near), (present, delta) => {
      const sum = present + delta;
      const { outcome, writes } = evaluate(
        { kind: "increment", key: k, delta },
        [entry(present.toString())],
        conditions,
      );
      if (sum > int64Max || sum < int64Min) {
        expect(outcome.rejected).toBe("overflow");
        expect(writes).toEqual([]);
      } else {
        expect(outcome.integer).toBe(sum);
        expect(decoder.decode(writes[0]?.value ?? bytes("?"))).toBe(sum.toString());
      }
    }),
  );
});
