// Goal: of every anomaly that the levels forbid a planted history is told, and what they allow passes.
import { describe, expect, test } from "vitest";
import { type IsolationLevel, ListHistory, type ListStep, type ListTxn } from "./list-append.ts";

const a = (key: string, token: string): ListStep => ({ kind: "append", key, token });
const r = (key: string, ...list: string[]): ListStep => ({ kind: "read", key, list });

interface Written extends Partial<Omit<ListTxn, "steps">> {
  readonly steps: readonly ListStep[];
}

/** All at once, unless they say when. */
function verdict(txns: readonly Written[], level: IsolationLevel = "serializable"): string {
  const all = txns.map((txn, at) => ({
    name: `T${at + 1}`, level, calledUs: 0, returnedUs: 100, outcome: "committed" as const, ...txn,
  }));
  const found = new ListHistory(all).judge();
  return found === null ? "" : `${found.oracle}: ${found.message}`;
}

const skew: readonly Written[] = [
  { steps: [r("x"), r("y"), a("x", "1")] },
  { steps: [r("x"), r("y"), a("y", "2")] },
  { steps: [r("x", "1"), r("y", "2")], calledUs: 200, returnedUs: 300 },
];

/** One reader sees the first writer only, the other one the second only. */
const longFork: readonly Written[] = [
  { steps: [a("x", "1")] },
  { steps: [a("y", "2")] },
  { steps: [r("x", "1"), r("y")] },
  { steps: [r("x"), r("y", "2")] },
];

describe("what one order explains", () => {
  test("passes: reads before and after, own appends among them, aborted and unknown ones", () => {
    expect(
      verdict([
        { steps: [a("x", "1"), r("x", "1"), a("x", "2")] },
        { steps: [r("x", "1", "2"), a("y", "3")], calledUs: 200, returnedUs: 300 },
        { steps: [a("x", "4")], outcome: "aborted" },
        { steps: [a("x", "5"), a("y", "6")], outcome: "unknown", returnedUs: Infinity },
        { steps: [a("x", "7"), a("y", "8")], outcome: "unknown", returnedUs: Infinity },
        { steps: [r("x", "1", "2", "7"), r("y", "3", "8")], calledUs: 400, returnedUs: 500 },
      ]),
    ).toBe("");
  });
});

describe("whatever the level, a history is told in which", () => {
  const cases: Record<string, [readonly Written[], RegExp]> = {
    "an append is lost": [
      [{ steps: [a("x", "1")] }, { steps: [r("x")] }],
      /list-append: T1 appended 1 to x, and it is/,
    ],
    "a refused append is read": [
      [{ steps: [a("x", "1")], outcome: "aborted" }, { steps: [r("x", "1")] }],
      /list-append: T2 reads 1 in x, of T1, which was refused/,
    ],
    "half of a transaction is read": [
      [{ steps: [a("x", "1"), a("x", "2")] }, { steps: [r("x", "1")] }, { steps: [r("x", "1", "2")] }],
      /list-append: T2 reads half of T1/,
    ],
    "half of an unknown one stays": [
      [{ steps: [a("x", "1"), a("y", "2")], outcome: "unknown" }, { steps: [r("x", "1"), r("y")] }],
      /list-append: T1 appended 2 to y, and it is not there/,
    ],
    "two read different orders": [
      [
        { steps: [a("x", "1")] },
        { steps: [a("x", "2")] },
        { steps: [r("x", "1", "2")] },
        { steps: [r("x", "2", "1")] },
      ],
      /list-append: T4 reads x = 2,1, others 1,2/,
    ],
    "an append happens twice": [[{ steps: [a("x", "1")] }, { steps: [r("x", "1", "1")] }], /x has something twice/],
    "something is read that nobody wrote": [[{ steps: [r("x", "9")] }], /nobody appended/],
    "a read misses what had returned before it": [
      [
        { steps: [a("x", "1")] },
        { steps: [r("x")], calledUs: 200, returnedUs: 300 },
        { steps: [r("x", "1")], calledUs: 400, returnedUs: 500 },
      ],
      /snapshot-isolation: .*-rw-> /s,
    ],
    "a read sees one of two keys before and one after a write of both": [
      [{ steps: [a("x", "1"), a("y", "2")] }, { steps: [r("x", "1"), r("y")] }, { steps: [r("x", "1"), r("y", "2")] }],
      /snapshot-isolation: /,
    ],
    "an update is lost": [
      [{ steps: [r("x"), a("x", "1")] }, { steps: [r("x"), a("x", "2")] }, { steps: [r("x", "1", "2")] }],
      /snapshot-isolation: /,
    ],
    "there is a long fork": [[...longFork, { steps: [r("x", "1"), r("y", "2")] }], /snapshot-isolation: /],
  };
  for (const [name, [history, told]] of Object.entries(cases)) {
    for (const level of ["snapshot", "serializable"] as const) {
      test(`${name} (${level})`, () => expect(verdict(history, level)).toMatch(told));
    }
  }
});

describe("write skew", () => {
  test("is told of transactions that asked for one order", () => {
    expect(verdict(skew, "serializable")).toMatch(/^serializability: T1 .*-rw-> \nT2 .*-rw-> $/s);
  });

  test("is what snapshots allow, and is known", () => {
    expect(verdict(skew, "snapshot")).toBe("");
    const all = skew.map((txn, at) => ({
      name: `T${at}`, level: "snapshot" as const, calledUs: 0, returnedUs: 100, outcome: "committed" as const, ...txn,
    }));
    const history = new ListHistory(all);
    expect(history.judge()).toBe(null);
    expect(history.isSkewed()).toBe(true);
  });

  test("of which one side asked for snapshots only is its own affair", () => {
    expect(verdict([{ ...(skew[0] as Written), level: "snapshot" }, ...skew.slice(1)])).toBe("");
  });
});
