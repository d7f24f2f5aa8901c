// Goal: everything that is added either settles or expires at its time, in order; nothing stays behind.
// Method: a clock driven by hand, random programs, and a bound on what the heap keeps.
import fc from "fast-check";
import { expect, test } from "vitest";
import { ManualClock } from "../redis/memory-network.test-support.ts";
import { Deadlines, type Expiring } from "./deadlines.ts";
import { TokenBucket } from "./token-bucket.ts";

class Item implements Expiring {
  readonly deadlineUs: number;
  settled = false;
  expiredUs = -1;
  readonly #clock: ManualClock;

  constructor(clock: ManualClock, delayUs: number) {
    this.#clock = clock;
    this.deadlineUs = clock.nowUs + delayUs;
  }

  expire(): void {
    expect(this.settled).toBe(false);
    expect(this.expiredUs).toBe(-1);
    this.expiredUs = this.#clock.nowUs;
  }
}

test("each expires exactly at its time, unless it settled before", () => {
  const step = fc.record({ delayMs: fc.nat(50), passMs: fc.nat(10), settle: fc.nat(40) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const clock = new ManualClock();
      const deadlines = new Deadlines(clock);
      const items: Item[] = [];
      for (const { delayMs, passMs, settle } of steps) {
        const item = new Item(clock, delayMs * 1_000);
        items.push(item);
        deadlines.add(item);
        const chosen = items[settle];
        if (chosen !== undefined && !chosen.settled && chosen.expiredUs < 0) {
          chosen.settled = true;
          deadlines.settle();
        }
        clock.advance(passMs);
      }
      clock.advance(100);
      for (const { deadlineUs, settled, expiredUs } of items) expect(expiredUs).toBe(settled ? -1 : deadlineUs);
      expect(deadlines.pending).toBe(0);
    }),
  );
});

test("a million that settle leave nothing but a few", () => {
  const clock = new ManualClock();
  const deadlines = new Deadlines(clock);
  for (let i = 0; i < 20_000; i++) {
    const item = new Item(clock, 1e9);
    deadlines.add(item);
    item.settled = true;
    deadlines.settle();
    expect(deadlines.pending).toBe(0);
  }
});

test("a token bucket lets through what its rate says, over any length of time", () => {
  const takes = fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 200 }), passUs: fc.nat(50_000) }), {
    minLength: 50,
    maxLength: 200,
  });
  fc.assert(
    fc.property(takes, fc.integer({ min: 1_000, max: 100_000 }), (steps, rate) => {
      const clock = new ManualClock();
      const bucket = new TokenBucket(clock, rate, 200);
      const beganUs = clock.nowUs;
      let taken = 0;
      for (const { bytes, passUs } of steps) {
        const waitUs = bucket.take(bytes);
        if (waitUs > 0) {
          clock.nowUs += waitUs;
          expect(bucket.take(bytes)).toBe(0);
        }
        taken += bytes;
        clock.nowUs += passUs;
        const allowed = Math.max(200, Math.floor(rate / 20)) + ((clock.nowUs - beganUs) * rate) / 1e6;
        expect(taken).toBeLessThanOrEqual(allowed + 1);
      }
    }),
  );
});
