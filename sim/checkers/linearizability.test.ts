import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { KeyOperation, KeyState } from "./key-model.ts";
import { keyModel } from "./key-model.ts";
import type { TimedOperation } from "./linearizability.ts";
import { checkLinearizability } from "./linearizability.ts";

// Goal: histories that some order explains pass, all others fail and name an operation.
// Method: small histories by hand, one per anomaly; then random ones, compared with a brute-force search
// over all orders and all subsets of the operations of unknown outcome.

type Timed = TimedOperation<KeyOperation>;

function sure(operation: KeyOperation, calledUs: number, returnedUs: number): Timed {
  return { operation, calledUs, returnedUs, certain: true };
}

function unsure(operation: KeyOperation, calledUs: number, untilUs = Infinity): Timed {
  return { operation, calledUs, returnedUs: untilUs, certain: false };
}

const read = (value: string | null): KeyOperation => ({ kind: "read", value });
const put = (value: string, applied?: boolean): KeyOperation => ({
  kind: "put",
  value,
  condition: "always",
  applied,
});
const putIfAbsent = (value: string, applied: boolean): KeyOperation => ({
  kind: "put",
  value,
  condition: "absent",
  applied,
});
const remove = (existed?: boolean): KeyOperation => ({ kind: "delete", existed });
const append = (suffix: string): KeyOperation => ({ kind: "append", suffix, length: undefined });
const add = (result?: number): KeyOperation => ({ kind: "increment", delta: 1, result });

/** The same, sent on one connection behind operation `follows` of the history. */
function behind(follows: number, timed: Timed): Timed {
  return { ...timed, follows };
}

function verdict(history: readonly Timed[]): string {
  return checkLinearizability(keyModel, history).kind;
}

describe("good histories", () => {
  const good: readonly (readonly [string, readonly Timed[]])[] = [
    ["nothing happened", []],
    ["one after the other", [sure(put("a"), 0, 1), sure(read("a"), 2, 3), sure(remove(true), 4, 5)]],
    ["overlap explains an old read", [sure(put("a"), 0, 10), sure(read(null), 5, 6)]],
    ["overlap explains a new read", [sure(put("a"), 0, 10), sure(read("a"), 5, 6)]],
    ["touching operations overlap", [sure(put("a"), 0, 5), sure(read(null), 5, 6)]],
    ["unknown, and it happened", [unsure(put("a"), 0), sure(read("a"), 5, 6)]],
    ["unknown, and it never happened", [unsure(put("a"), 0), sure(read(null), 5, 6)]],
    [
      "unknown, and it happened late",
      [unsure(put("a"), 0), sure(read(null), 1, 2), sure(read("a"), 5, 6)],
    ],
    ["unknown alone", [unsure(put("a"), 0), unsure(remove(), 0, 4)]],
    ["pipelined in order", [sure(put("a"), 0, 9), behind(0, sure(read("a"), 0, 9))]],
    [
      "pipelined, the end of it lost",
      [sure(put("a"), 0, 9), behind(0, unsure(put("b"), 0, 9)), sure(read("a"), 20, 21)],
    ],
    ["counting", [sure(add(1), 0, 9), sure(add(3), 0, 9), sure(add(2), 0, 9)]],
    ["counting over a gap", [sure(add(1), 0, 1), unsure(add(), 2, 9), sure(add(3), 3, 9)]],
    [
      "a refused condition",
      [sure(put("a"), 0, 1), sure(putIfAbsent("b", false), 2, 3), sure(read("a"), 4, 5)],
    ],
  ];
  for (const [name, history] of good) {
    test(`${name}`, () => {
      expect(verdict(history)).toBe("linearizable");
    });
  }
});

describe("bad histories", () => {
  const bad: readonly (readonly [string, readonly Timed[]])[] = [
    ["a lost write", [sure(put("a"), 0, 1), sure(read(null), 2, 3)]],
    ["an invented value", [sure(put("a"), 0, 1), sure(read("b"), 2, 3)]],
    ["a stale read", [sure(put("a"), 0, 1), sure(put("b"), 2, 3), sure(read("a"), 4, 5)]],
    ["a resurrected delete", [sure(put("a"), 0, 1), sure(remove(), 2, 3), sure(read("a"), 4, 5)]],
    ["a read from the future", [sure(read("a"), 0, 1), sure(put("a"), 2, 3)]],
    [
      "a read that goes back",
      [sure(put("a"), 0, 9), sure(read("a"), 1, 2), sure(read(null), 3, 4)],
    ],
    [
      "unknown, but it cannot happen after its bound",
      [unsure(put("a"), 0, 4), sure(read(null), 5, 6), sure(read("a"), 7, 8)],
    ],
    ["pipelined, read before the write", [sure(put("a"), 0, 9), behind(0, sure(read(null), 0, 9))]],
    [
      "pipelined, the last write wins",
      [sure(put("a"), 0, 9), behind(0, sure(put("b"), 0, 9)), sure(read("a"), 20, 21)],
    ],
    ["twice the same count", [sure(add(1), 0, 9), sure(add(1), 0, 9)]],
    ["a lost increment", [sure(add(1), 0, 1), sure(add(1), 2, 3)]],
    ["an increment too many", [sure(add(1), 0, 1), sure(add(3), 2, 3)]],
    ["a condition that did not hold", [sure(put("a"), 0, 1), sure(putIfAbsent("b", true), 2, 3)]],
    ["a delete of nothing that says it did", [sure(remove(true), 0, 1)]],
    [
      "one unknown write that happened twice",
      [
        unsure(put("a"), 0),
        sure(read("a"), 1, 2),
        sure(remove(true), 3, 4),
        sure(read(null), 5, 6),
        sure(read("a"), 7, 8),
      ],
    ],
  ];
  for (const [name, history] of bad) {
    test(`${name}`, () => {
      expect(verdict(history)).toBe("violation");
    });
  }
});

test("the message names the operation and the state that refuses it", () => {
  const history = [sure(put("a"), 0, 1), sure(put("b"), 2, 3), sure(read("a"), 4, 5)];
  expect(checkLinearizability(keyModel, history)).toEqual({
    kind: "violation",
    message:
      'read "a" [4..5] has no place: after put "a" [0..1], then put "b" [2..3] the state is "b"',
  });
});

test("a search that outgrows its bound says so instead of passing", () => {
  const history: Timed[] = [];
  for (let i = 0; i < 40; i++) history.push(unsure(append(`${i}.`), 0));
  history.push(sure(read("other"), 1, 2));
  expect(verdict(history)).toBe("exhausted");
});

test("many writes of unknown outcome that overlap are decided, in either way", () => {
  const history: Timed[] = [];
  for (let i = 0; i < 200; i++) history.push(unsure(put(`v${i}`), 0));
  for (const [at, seen] of [7, 150, 3].entries()) history.push(sure(read(`v${seen}`), 10 * at, 10 * at + 5));
  expect(verdict(history)).toBe("linearizable");
  expect(verdict([...history, sure(read("v3"), 40, 41), sure(read("v7"), 50, 51)])).toBe("violation");
});

test("many clients that read and write at once are decided", () => {
  const history: Timed[] = [];
  for (let at = 0; at < 1_000; at += 10) {
    for (let i = 0; i < 12; i++) history.push(sure(read(`v${at - 10}`), at, at + 9));
    history.push(sure(put(`v${at}`), at, at + 9), unsure(put(`lost${at}`), at), unsure(remove(), at));
  }
  expect(verdict([sure(put("v-10"), -10, -5), ...history])).toBe("linearizable");
  expect(verdict([sure(put("v-10"), -10, -5), ...history, sure(read("v0"), 2_000, 2_001)])).toBe("violation");
});

test("random histories: the same verdict as trying every order", () => {
  const operation: fc.Arbitrary<KeyOperation> = fc.oneof(
    fc.constantFrom("1", "2", null).map(read),
    fc.constantFrom("1", "2").map((value) => put(value)),
    fc.constantFrom(true, false, undefined).map(remove),
    fc.constantFrom(1, 2, 3, undefined).map(add),
    fc.tuple(fc.constantFrom("1", "2"), fc.boolean()).map(([v, applied]) => putIfAbsent(v, applied)),
  );
  const timed = fc
    .record({
      operation,
      follows: fc.option(fc.nat(5), { nil: undefined, freq: 2 }),
      calledUs: fc.nat(12),
      lasts: fc.nat(6),
      certain: fc.boolean(),
      open: fc.boolean(),
    })
    .map(({ operation, calledUs, lasts, certain, open, follows }) => {
      const returnedUs = !certain && open ? Infinity : calledUs + lasts;
      return { timed: { operation, calledUs, returnedUs, certain }, follows };
    });
  const property = fc.property(fc.array(timed, { maxLength: 6 }), (drawn) => {
    const history = drawn.map(({ timed, follows }, index): Timed => {
      if (follows === undefined || follows >= index) return timed;
      return drawn[follows]?.timed.certain === true ? { ...timed, follows } : timed;
    });
    const all = history.map((_, index) => index);
    const expected = bruteForce(history, all, null) ? "linearizable" : "violation";
    expect(verdict(history)).toBe(expected);
  });
  fc.assert(property, { numRuns: 3000 });
});

/** Can the operations `left` follow from `state`? Tries each that nothing unplaced precedes. */
function bruteForce(history: readonly Timed[], left: readonly number[], state: KeyState): boolean {
  if (!left.some((index) => history[index]?.certain === true)) return true;
  return left.some((index) => {
    const timed = history[index] as Timed;
    const others = left.filter((other) => other !== index);
    if (!timed.certain && bruteForce(history, others, state)) return true;
    // What is over by now, and neither placed nor dropped, can only be dropped: another branch does that.
    if (others.some((other) => (history[other] as Timed).returnedUs < timed.calledUs)) return false;
    if (timed.follows !== undefined && left.includes(timed.follows)) return false;
    const after = keyModel.step(state, timed.operation);
    return after !== undefined && bruteForce(history, others, after);
  });
}
