// Goal: everybody who waits is told exactly once, in the order of versions, whatever the callbacks do.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NokvError } from "../errors.ts";
import { Waiters } from "./waiters.ts";

const failure = new NokvError("NOKV_UNDETERMINED", "lost");

describe("waiters", () => {
  test("are told up to a version, in order, and the rest later", () => {
    const waiters = new Waiters();
    const told: string[] = [];
    for (const [version, name] of [[5, "a"], [7, "c"], [5, "b"], [9, "d"]] as const) {
      waiters.add(version, () => told.push(name));
    }
    waiters.tell(4);
    expect(told).toEqual([]);
    waiters.tell(7);
    expect(told).toEqual(["a", "b", "c"]);
    expect(waiters.count).toBe(1);
    waiters.fail(failure);
    expect(told).toEqual(["a", "b", "c", "d"]);
  });

  test("a callback may wait again, and tell", () => {
    const waiters = new Waiters();
    const told: number[] = [];
    waiters.add(1, () => {
      told.push(1);
      waiters.add(2, () => told.push(2));
      waiters.add(3, () => told.push(3));
      waiters.tell(2);
    });
    waiters.tell(1);
    expect(told).toEqual([1, 2]);
    waiters.tell(3);
    expect(told).toEqual([1, 2, 3]);
  });

  test("a callback that throws is not told again, and the others still are", () => {
    const waiters = new Waiters();
    const told: number[] = [];
    waiters.add(1, () => {
      throw new Error("thrown by a callback");
    });
    waiters.add(1, () => told.push(1));
    expect(() => waiters.tell(1)).toThrow("thrown by a callback");
    waiters.tell(1);
    expect(told).toEqual([1]);
  });

  test("many are told once each, in order", () => {
    const wait = fc.record({ wait: fc.integer({ min: 1, max: 50 }) });
    const step = fc.oneof(wait, fc.record({ tell: fc.nat(50) }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 3000 }), (steps) => {
        const waiters = new Waiters();
        const waiting: { version: number; id: number }[] = [];
        let told: number[] = [];
        let id = 0;
        for (const taken of steps) {
          if ("wait" in taken) {
            const mine = id++;
            waiting.push({ version: taken.wait, id: mine });
            waiters.add(taken.wait, (error) => {
              expect(error).toBe(null);
              told.push(mine);
            });
          } else {
            told = [];
            waiters.tell(taken.tell);
            const due = waiting.filter(({ version }) => version <= taken.tell);
            due.sort((a, b) => a.version - b.version || a.id - b.id);
            expect(told).toEqual(due.map((waiter) => waiter.id));
            for (const waiter of due) waiting.splice(waiting.indexOf(waiter), 1);
          }
        }
        expect(waiters.count).toBe(waiting.length);
      }),
      { numRuns: 50 },
    );
  });
});
