// Goal: while every key has room the counts are exactly those of a list of all touches; memory stays bounded when keys
// have none; and rotation forgets nothing of the present window. Method: fast-check against that list.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HotRing, hotRingDefault } from "./hot-ring.ts";
import { RotatingHotRing } from "./rotating-hot-ring.ts";

const options = { ...hotRingDefault, buckets: 4, windowSlots: 5, slotMs: 10, decayMs: 1_000, keysMax: 100 };
const touches = fc.array(fc.record({ key: fc.nat(6), afterMs: fc.constantFrom(0, 0, 1, 7, 10, 49, 60, 900) }), {
  maxLength: 200,
});
const keyOf = (n: number): Uint8Array => Uint8Array.of(n, n * 31);

/** Touches of `key` whose slot is among the last five. */
function model(log: readonly { key: number; slot: number }[], key: number, slot: number): number {
  return log.filter((touch) => touch.key === key && slot - touch.slot < options.windowSlots).length;
}

describe("a hot ring", () => {
  test("counts exactly what was touched within the window", () => {
    fc.assert(
      fc.property(touches, (steps) => {
        const ring = new HotRing(options, 0);
        const log: { key: number; slot: number }[] = [];
        let nowMs = 0;
        for (const { key, afterMs } of steps) {
          nowMs += afterMs;
          const slot = Math.floor(nowMs / options.slotMs);
          log.push({ key, slot });
          expect(ring.touch(0, keyOf(key), nowMs)).toBe(model(log, key, slot));
        }
        const slot = Math.floor(nowMs / options.slotMs);
        for (let key = 0; key <= 6; key++) expect(ring.count(0, keyOf(key), nowMs)).toBe(model(log, key, slot));
        const top = ring.top(3, nowMs).map(({ recent }) => recent);
        const expected = [...new Set(log.map(({ key }) => key))].map((key) => model(log, key, slot));
        expect(top).toEqual(expected.sort((a, b) => b - a).slice(0, 3));
      }),
    );
  });

  test("clamps a key at its limit, and lets go when the window has passed", () => {
    for (const ring of [new HotRing(options, 0), new RotatingHotRing(options, 25, 0)]) {
      const limited = [0, 5, 10, 15, 30, 49, 55].map((nowMs) => ring.touchAndClamp(0, keyOf(1), 3, nowMs));
      expect(limited).toEqual([false, false, false, true, true, true, false]);
      expect(ring.touchAndClamp(0, keyOf(2), 3, 55)).toBe(false);
      expect(ring.touchAndClamp(1, keyOf(1), 3, 55)).toBe(false);
      expect(ring.clamps).toBeGreaterThan(0);
    }
  });

  test("totals are halved with time", () => {
    const ring = new HotRing(options, 0);
    for (let i = 0; i < 64; i++) ring.touch(0, keyOf(1), 0);
    expect(ring.top(1, 2_000)[0]).toMatchObject({ total: 16, recent: 0 });
    expect(ring.top(1, 60_000)[0]?.total).toBe(0);
  });

  test("remembers a bounded number of keys, and hot ones through a flood of others", () => {
    const ring = new HotRing({ ...options, keysMax: 20, sampleEvery: 4 }, 0);
    let nowMs = 0;
    for (let i = 0; i < 5_000; i++) {
      nowMs += 1;
      if (i % 5 === 0) ring.touch(0, keyOf(1), nowMs);
      ring.touch(0, Uint8Array.of(9, i >> 8, i), nowMs);
      expect(ring.keyCount).toBeLessThanOrEqual(20);
    }
    expect(ring.top(1, nowMs)[0]?.key).toEqual(keyOf(1));
    expect(ring.drops).toBeGreaterThan(0);
  });

  test("rotation forgets what was hot before the last one", () => {
    const ring = new RotatingHotRing(options, 1_000, 0);
    ring.touch(0, keyOf(1), 0);
    expect(ring.top(9, 1_000).map(({ key }) => key)).toEqual([keyOf(1)]);
    ring.touch(0, keyOf(2), 1_000);
    expect(ring.top(9, 1_001).map(({ key }) => key)).toEqual([keyOf(2), keyOf(1)]);
    expect(ring.top(9, 2_000).map(({ key }) => key)).toEqual([keyOf(2)]);
    expect(ring.rotations).toBe(2);
    expect(ring.keyCount).toBe(1);
  });
});
