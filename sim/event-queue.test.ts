// Goal: events leave in the order of (time, tiebreak, sequence), whatever the order in which they came.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EventQueue, SimEvent } from "./event-queue.ts";
import { Life, Processor } from "./life.ts";

const life = new Life(new Processor(0), false);

describe("EventQueue", () => {
  test("pops in key order, interleaved with pushes", () => {
    const step = fc.oneof(
      fc.record({ atUs: fc.nat(5), tiebreak: fc.nat(2) }),
      fc.constant("pop" as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = new EventQueue();
        const model: SimEvent[] = [];
        for (const [sequence, what] of steps.entries()) {
          if (what === "pop") {
            model.sort(order);
            expect(queue.pop()).toBe(model.shift() ?? null);
          } else {
            const event = new SimEvent(what.atUs, what.tiebreak, sequence, life);
            queue.push(event);
            model.push(event);
          }
          expect(queue.length).toBe(model.length);
        }
        model.sort(order);
        for (const event of model) expect(queue.pop()).toBe(event);
        expect(queue.pop()).toBeNull();
      }),
    );
  });
});

function order(a: SimEvent, b: SimEvent): number {
  return a.atUs - b.atUs || a.tiebreak - b.tiebreak || a.sequence - b.sequence;
}
