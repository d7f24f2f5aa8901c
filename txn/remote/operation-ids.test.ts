// Goal: names of operations are taken ahead as many as are wanted, are nobody else's, and are thrown away when old.
// Method: a source of timestamps in memory that answers when the clock of the test says so.
import { beforeEach, expect, test } from "vitest";
import { CoordinatorError } from "../../coordinator/coordinator-error.ts";
import { ManualClock } from "../../net/redis/memory-network.test-support.ts";
import { OperationIds } from "./operation-ids.ts";

const tripMs = 1;
let clock: ManualClock;
let asked: number[];
let isDown: boolean;
let ids: OperationIds;

beforeEach(() => {
  clock = new ManualClock();
  asked = [];
  isDown = false;
  let last = 0;
  ids = new OperationIds(clock, {
    timestamps: (count, _, done) => {
      asked.push(count);
      clock.after(tripMs * 1_000, () => {
        if (isDown) return done(new CoordinatorError("TSO_UNAVAILABLE", "down"), null);
        done(null, { first: last + 1, count });
        last += count;
      });
    },
  });
});

/** What `count` operations that begin now are called. */
function wanted(count: number): (number | null)[] {
  const named: (number | null)[] = [];
  for (let i = 0; i < count; i++) {
    const id = ids.take();
    if (id === null) ids.ask((answer) => named.push(answer));
    else named.push(id);
  }
  clock.advance(tripMs * 10);
  return named;
}

test("one after the other: the questions become rare, and no name is given twice", () => {
  const named = Array.from({ length: 500 }, () => wanted(1)[0] ?? 0);
  expect(new Set(named).size).toBe(500);
  expect(named).toEqual(named.toSorted((a, b) => a - b));
  expect(asked.slice(0, 5)).toEqual([1, 2, 4, 8, 16]);
  // At a name per 10 ms some 25 are wanted before they are old.
  expect(asked.length).toBeLessThan(30);
  expect(Math.max(...asked)).toBeLessThanOrEqual(64);
});

test("those who come together ask once, and those who come meanwhile go together with the next question", () => {
  const named: (number | null)[] = [];
  const want = (): void => ids.ask((id) => named.push(id));
  for (let i = 0; i < 3; i++) want();
  clock.advance(0);
  for (let i = 0; i < 2; i++) want();
  clock.advance(tripMs * 10);
  expect(named).toEqual([1, 2, 3, 4, 5]);
  // The second one takes one more ahead.
  expect(asked).toEqual([3, 2 + 1]);
  expect(ids.take()).toBe(6);
});

test("old names are thrown away, and fewer are taken ahead next time", () => {
  for (let i = 0; i < 20; i++) wanted(1);
  const before = asked.at(-1) ?? 0;
  clock.advance(1_000);
  expect(ids.take()).toBeNull();
  wanted(1);
  expect(asked.at(-1)).toBeLessThan(before);
  clock.advance(1_000);
  wanted(1);
  clock.advance(1_000);
  wanted(1);
  expect(asked.at(-1)).toBe(1);
});

test("a Coordinator that is silent leaves everybody without a name, and nobody waiting", () => {
  isDown = true;
  expect(wanted(3)).toEqual([null, null, null]);
  isDown = false;
  expect(wanted(2).every((id) => id !== null)).toBe(true);
});
