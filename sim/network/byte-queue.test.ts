// Goal: what goes in comes out, in order and in pieces of any length.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteQueue } from "./byte-queue.ts";

describe("ByteQueue", () => {
  test("is a queue of bytes", () => {
    const step = fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.integer({ min: 1, max: 30 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const queue = new ByteQueue();
        const model: number[] = [];
        for (const what of steps) {
          if (typeof what !== "number") {
            queue.push(what);
            model.push(...what);
            what.fill(0);
          } else if (model.length > 0) {
            const length = Math.min(what, model.length);
            expect([...queue.take(length)]).toEqual(model.splice(0, length));
          }
          expect(queue.length).toBe(model.length);
        }
      }),
    );
  });
});
