// Goal: replies leave in the order of the requests, whatever order the store answers in, and held bytes are
// counted. Method: random interleavings of immediate replies, pending ones and their completions, against a
// list of strings.
import fc from "fast-check";
import { expect, test } from "vitest";
import { latin, unlatin } from "./gateway.test-support.ts";
import type { PendingReply } from "./reply-queue.ts";
import { ReplyQueue } from "./reply-queue.ts";
import { WriterPool } from "./writer-pool.ts";

interface Slot {
  readonly text: string;
  readonly pending: PendingReply | null;
  settled: boolean;
}

function drain(queue: ReplyQueue): string {
  const { output } = queue;
  const text = output === null ? "" : unlatin(output.view());
  queue.releaseOutput();
  return text;
}

test("any order of completions", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("now" as const), size: fc.integer({ min: 0, max: 9 }) }),
    fc.record({ kind: fc.constant("later" as const), size: fc.integer({ min: 0, max: 9 }) }),
    fc.record({ kind: fc.constant("settle" as const), size: fc.nat() }),
    fc.record({ kind: fc.constant("flush" as const), size: fc.constant(0) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = new ReplyQueue(new WriterPool(), () => undefined);
      const slots: Slot[] = [];
      let sent = "";
      const wire = (slot: Slot): string => `$${slot.text.length}\r\n${slot.text}\r\n`;
      const settle = (slot: Slot): void => {
        slot.settled = true;
        slot.pending?.settle(null, (reply) => reply.bulk(latin(slot.text)));
      };
      for (const { kind, size } of steps) {
        const text = `${slots.length}${"x".repeat(kind === "settle" ? 0 : size)}`;
        const waiting = slots.filter(({ settled }) => !settled);
        if (kind === "now") {
          slots.push({ text, pending: null, settled: true });
          queue.writer(2).bulk(latin(text));
        } else if (kind === "later") {
          slots.push({ text, pending: queue.push(2, false), settled: false });
        } else if (kind === "flush") {
          sent += drain(queue);
        } else if (waiting.length > 0) {
          settle(waiting[size % waiting.length] as Slot);
        }
        const firstWaiting = slots.findIndex(({ settled }) => !settled);
        const ready = firstWaiting < 0 ? slots : slots.slice(0, firstWaiting);
        const all = slots
          .filter(({ settled }) => settled)
          .map(wire)
          .join("");
        const output = queue.output === null ? "" : unlatin(queue.output.view());
        expect(sent + output).toBe(ready.map(wire).join(""));
        expect(queue.heldBytes).toBe(all.length - sent.length);
      }
      for (const slot of slots) if (!slot.settled) settle(slot);
      expect(sent + drain(queue)).toBe(slots.map(wire).join(""));
      expect([queue.inFlight, queue.heldBytes]).toEqual([0, 0]);
    }),
    { numRuns: 300 },
  );
});

test("each reply has the protocol of its request, and muted ones have none", () => {
  const queue = new ReplyQueue(new WriterPool(), () => undefined);
  const first = queue.push(2, false);
  const second = queue.push(3, false);
  queue.muted = true;
  const third = queue.push(3, false);
  queue.writer(3).ok();
  queue.muted = false;
  queue.writer(3).null();
  for (const pending of [third, second, first]) pending.settle(null, (reply) => reply.null());
  expect(drain(queue)).toBe("$-1\r\n_\r\n_\r\n");
});

test("a barrier blocks until it is answered", () => {
  let replies = 0;
  const queue = new ReplyQueue(new WriterPool(), () => replies++);
  const barrier = queue.push(2, true);
  expect(queue.blocked).toBe(true);
  barrier.settle(null, (reply) => reply.ok());
  expect([queue.blocked, replies]).toEqual([false, 1]);
});

test("after close, answers go nowhere", () => {
  const queue = new ReplyQueue(new WriterPool(), () => expect.unreachable());
  const pending = queue.push(2, false);
  queue.close();
  expect(pending.abandoned).toBe(true);
  pending.settle(null, (reply) => reply.ok());
  queue.writer(2).ok();
  expect([queue.output, queue.inFlight, queue.heldBytes]).toEqual([null, 0, 0]);
});
