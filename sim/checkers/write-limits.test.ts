// Goal: a limit that lets too much pass, or blocks for too long, is told from one that works.
// Method: histories of writes at given instants, also with refusals for other reasons.
import { expect, test } from "vitest";
import type { ModelBatch } from "./prefix-model.ts";
import { WriteLimits } from "./write-limits.ts";

function put(...keys: string[]): ModelBatch {
  return keys.map((key) => ({ key, value: "v", expiresAtMs: 0 }));
}

test("as many writes as the limit pass, one more does not", () => {
  const limits = new WriteLimits(2, true);
  expect(limits.taken(put("a"), 0)).toBeNull();
  expect(limits.taken(put("a", "b"), 10)).toBeNull();
  expect(limits.refusedAtLimit(put("a"), 20)).toBeNull();
  expect(limits.taken(put("a"), 899_999)).toContain("0/a was written again, after 2 times");
});

test("after a second the key is free again", () => {
  const limits = new WriteLimits(1, true);
  expect(limits.taken(put("a"), 0)).toBeNull();
  expect(limits.refusedAtLimit(put("a"), 950_000)).toBeNull();
  expect(limits.taken(put("a"), 950_000)).toBeNull();
  expect(limits.refusedAtLimit(put("b"), 950_000)).toContain("no key of it was written 1 times");
  expect(limits.refusedAtLimit(put("a"), 1_950_001)).toContain("no key of it was written 1 times");
});

test("refusals do not count, other keys of a refused batch do", () => {
  const limits = new WriteLimits(1, true);
  expect(limits.taken(put("a"), 0)).toBeNull();
  expect(limits.refusedAtLimit(put("b", "a", "c"), 1)).toBeNull();
  expect(limits.refusedAtLimit(put("b"), 2)).toBeNull();
  expect(limits.refusedAtLimit(put("c"), 3)).not.toBeNull();
});

test("a write refused for another reason may count or not", () => {
  const limits = new WriteLimits(1, true);
  limits.refused(put("a"), 0);
  expect(limits.refusedAtLimit(put("a"), 1)).toBeNull();
  expect(limits.taken(put("a"), 2)).toBeNull();
});

test("what a later range delete of the batch takes back does not count", () => {
  const limits = new WriteLimits(1, true);
  const batch = [...put("a", "b"), { from: "a", until: "b" }];
  expect(limits.taken(batch, 0)).toBeNull();
  expect(limits.taken(put("a"), 1)).toBeNull();
  expect(limits.taken(put("b"), 2)).not.toBeNull();
});

test("without room for every key more may pass", () => {
  const limits = new WriteLimits(1, false);
  expect(limits.taken(put("a"), 0)).toBeNull();
  expect(limits.taken(put("a"), 1)).toBeNull();
});
