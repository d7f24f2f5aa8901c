import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ModelState } from "./expected-state.ts";
import { exactly, judgeScan } from "./expected-state.ts";
import type { ModelBatch, StateJudge } from "./prefix-model.ts";
import { PrefixModel } from "./prefix-model.ts";

// Goal: exactly the states after an allowed prefix of the batches are accepted after a crash.
// Method: hand-made losses, and a random program whose every prefix is offered as the recovered state.

const put = (key: string, value: string, expiresAtMs = 0): ModelBatch => [{ key, value, expiresAtMs }];
const remove = (key: string): ModelBatch => [{ key, value: null, expiresAtMs: 0 }];
const now = exactly(1_000);

/** Judges against a full scan that returned these pairs. */
function holding(pairs: Readonly<Record<string, string>>, instant = now): StateJudge {
  const seen = Object.keys(pairs).sort().map((key) => ({ key, value: pairs[key] ?? "", expiresAtMs: 0 }));
  return (state) => judgeScan(state, {}, seen, instant);
}

function threeBatches(): PrefixModel {
  const model = new PrefixModel();
  model.issue(put("a", "1"));
  model.issue([...put("a", "2"), ...put("b", "2")]);
  model.issue(remove("a"));
  return model;
}

describe("a crash", () => {
  test("must leave what was acknowledged, and may leave more", () => {
    for (const [pairs, good] of [
      [{}, false],
      [{ a: "1" }, true],
      [{ a: "2", b: "2" }, true],
      [{ b: "2" }, true],
      [{ a: "2" }, false],
      [{ a: "1", b: "2" }, false],
      [{ a: "1", c: "1" }, false],
    ] as const) {
      const model = threeBatches();
      model.acknowledge(1);
      model.crash("acknowledged");
      expect([pairs, model.recover(holding(pairs)) === null]).toEqual([pairs, good]);
    }
  });

  test("of the power may take back what was not secured", () => {
    const model = threeBatches();
    model.acknowledge(3);
    model.crash("secured");
    expect(model.recover(holding({}))).toBeNull();
    const other = threeBatches();
    other.secure(2);
    other.crash("secured");
    expect(other.recover(holding({ a: "1" }))).toBe("only 1 of 3 batches survived, 2 had to");
  });

  test("before the recovery of another keeps the weaker promise", () => {
    const model = threeBatches();
    model.secure(1);
    model.acknowledge(2);
    model.crash("acknowledged");
    model.crash("secured");
    expect(model.recover(holding({ a: "1" }))).toBeNull();
  });

  test("that took nothing of a torn batch away is told", () => {
    const model = threeBatches();
    model.crash("secured");
    expect(model.recover(holding({ a: "2" }))).toMatch(/no prefix of 0 to 3/);
  });
});

test("a recovered state is the new beginning: it cannot be lost any more, nor what it lost come back", () => {
  const model = threeBatches();
  model.crash("secured");
  expect(model.recover(holding({ a: "1" }))).toBeNull();
  model.issue(put("c", "3"));
  model.crash("secured");
  expect(model.recover(holding({ b: "2" }))).not.toBeNull();
  expect(model.recover(holding({}))).not.toBeNull();
  expect(model.recover(holding({ a: "1" }))).toBeNull();
});

test("a refused batch must not show up, while those around it do", () => {
  for (const [pairs, good] of [
    [{ a: "1" }, true],
    [{ a: "1", b: "2" }, false],
    [{ a: "1", c: "3" }, true],
    [{ a: "1", b: "2", c: "3" }, false],
  ] as const) {
    const model = new PrefixModel();
    model.issue(put("a", "1"));
    expect(model.at(1)[0]?.size).toBe(1);
    model.refuse(model.issue(put("b", "2")));
    model.issue(put("c", "3"));
    expect(model.check(2, holding({ a: "1" }))).toBeNull();
    model.acknowledge(1);
    model.crash("acknowledged");
    expect([pairs, model.recover(holding(pairs)) === null]).toEqual([pairs, good]);
  }
});

test("a clone is judged alone", () => {
  const model = threeBatches();
  model.secure(1);
  model.crash("secured");
  const copy = model.clone();
  expect(copy.recover(holding({ a: "1" }))).toBeNull();
  copy.issue(put("z", "9"));
  expect(model.issuedCount).toBe(3);
  expect(model.clone().recover(holding({}))).not.toBeNull();
  expect(model.recover(holding({ b: "2" }))).toBeNull();
});

test("a clean reopen keeps everything", () => {
  const model = threeBatches();
  expect(model.recover(holding({ a: "1" }))).not.toBeNull();
  expect(model.recover(holding({ b: "2" }))).toBeNull();
});

test("running reads are judged against the state after the visible batches", () => {
  const model = threeBatches();
  expect(model.check(1, holding({ a: "1" }))).toBeNull();
  expect(model.check(2, holding({ a: "1" }))).not.toBeNull();
  expect(model.check(3, holding({ b: "2" }))).toBeNull();
  expect(model.check(0, holding({}))).toBeNull();
});

test("states that look alike after a crash stay possible until a read tells them apart", () => {
  const model = new PrefixModel();
  model.issue(put("a", "1", 500));
  model.issue(remove("a"));
  model.crash("secured");
  // At 1000 ms both the expired value and the delete look like nothing.
  expect(model.recover(holding({}))).toBeNull();
  expect(model.at(0).length).toBe(2);
  const back: StateJudge = (state: ModelState) => (state.has("a") ? null : "gone");
  expect(model.check(0, back)).toBeNull();
  expect(model.at(0).length).toBe(1);
});

test("every allowed prefix of a random program is accepted, every other state is not", () => {
  const write = fc.record({
    key: fc.constantFrom("a", "b", "c"),
    value: fc.option(fc.constantFrom("1", "2", "3"), { nil: null }),
    expiresAtMs: fc.constant(0),
  });
  const program = fc.array(fc.array(write, { minLength: 1, maxLength: 3 }), { maxLength: 8 });
  const property = fc.property(program, fc.nat(8), fc.nat(8), (batches, first, second) => {
    const durable = Math.min(first, batches.length);
    const survived = Math.min(second, batches.length);
    const content = new Map<string, string>();
    for (const { key, value } of batches.slice(0, survived).flat()) {
      if (value === null) content.delete(key);
      else content.set(key, value);
    }
    const model = new PrefixModel();
    for (const batch of batches) model.issue(batch);
    model.secure(durable);
    model.crash("secured");
    const verdict = model.recover(holding(Object.fromEntries(content)));
    if (survived >= durable) expect(verdict).toBeNull();
    else if (verdict === null) expect(sameLater(batches, survived, durable)).toBe(true);
  });
  fc.assert(property, { numRuns: 500 });
});

/** Is the state after `survived` batches also the state after some allowed number? */
function sameLater(batches: readonly ModelBatch[], survived: number, durable: number): boolean {
  const stateAfter = (count: number): string => {
    const content = new Map<string, string>();
    for (const write of batches.slice(0, count).flat()) {
      if ("from" in write) continue;
      const { key, value } = write;
      if (value === null) content.delete(key);
      else content.set(key, value);
    }
    return JSON.stringify([...content].sort(([a], [b]) => (a < b ? -1 : 1)));
  };
  const counts = Array.from({ length: batches.length - durable + 1 }, (_, i) => durable + i);
  return counts.some((count) => stateAfter(count) === stateAfter(survived));
}
