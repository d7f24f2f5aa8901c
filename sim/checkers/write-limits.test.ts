// Goal: a limit that lets too much pass, or blocks for too long, is told from one that works.
// Method: histories of writes at given instants, also with refusals for other reasons.
import { expect, test } from "vitest";
import type { ModelBatch } from "./prefix-model.ts";
import { type CallSpan, WriteLimits } from "./write-limits.ts";

function put(...keys: string[]): ModelBatch {
  return keys.map((key) => ({ key, value: "v", expiresAtMs: 0 }));
}

function at(us: number): CallSpan {
  return { fromUs: us, untilUs: us };
}

test("as many writes as the limit pass, one more does not", () => {
  const limits = new WriteLimits(2, true);
  expect(limits.taken(put("a"), at(0))).toBeNull();
  expect(limits.taken(put("a", "b"), at(10))).toBeNull();
  expect(limits.refusedAtLimit(put("a"), at(20))).toBeNull();
  expect(limits.taken(put("a"), at(899_999))).toContain("0/a was written again, after 2 times");
});

test("after a second the key is free again", () => {
  const limits = new WriteLimits(1, true);
  expect(limits.taken(put("a"), at(0))).toBeNull();
  expect(limits.refusedAtLimit(put("a"), at(950_000))).toBeNull();
  expect(limits.taken(put("a"), at(950_000))).toBeNull();
  expect(limits.refusedAtLimit(put("b"), at(950_000))).toContain("no key of it was written 1 times");
  expect(limits.refusedAtLimit(put("a"), at(1_950_001))).toContain("no key of it was written 1 times");
});

test("refusals do not count, other keys of a refused batch do", () => {
  const limits = new WriteLimits(1, true);
  expect(limits.taken(put("a"), at(0))).toBeNull();
  expect(limits.refusedAtLimit(put("b", "a", "c"), at(1))).toBeNull();
  expect(limits.refusedAtLimit(put("b"), at(2))).toBeNull();
  expect(limits.refusedAtLimit(put("c"), at(3))).not.toBeNull();
});

test("a write refused for another reason may count or not", () => {
  const limits = new WriteLimits(1, true);
  limits.refused(put("a"), at(0));
  expect(limits.refusedAtLimit(put("a"), at(1))).toBeNull();
  expect(limits.taken(put("a"), at(2))).toBeNull();
});

test("what a later range delete of the batch takes back does not count", () => {
  const limits = new WriteLimits(1, true);
  const batch = [...put("a", "b"), { from: "a", until: "b" }];
  expect(limits.taken(batch, at(0))).toBeNull();
  expect(limits.taken(put("a"), at(1))).toBeNull();
  expect(limits.taken(put("b"), at(2))).not.toBeNull();
});

test("a call that stands still counts somewhere between its beginning and its end", () => {
  const limits = new WriteLimits(1, true);
  expect(limits.taken(put("a"), at(0))).toBeNull();
  expect(limits.taken(put("a"), { fromUs: 100_000, untilUs: 950_000 })).toBeNull();
  expect(limits.refusedAtLimit(put("a"), at(1_940_000))).toBeNull();
  expect(limits.taken(put("a"), at(999_000))).not.toBeNull();
});

test("without room for every key more may pass", () => {
  const limits = new WriteLimits(1, false);
  expect(limits.taken(put("a"), at(0))).toBeNull();
  expect(limits.taken(put("a"), at(1))).toBeNull();
});
