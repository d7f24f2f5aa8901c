// Goal: versions go up whatever the wall clock does, and the present never goes back.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { versionMax } from "../bytes/record.ts";
import type { Clock } from "../env/clock.ts";
import { NokvError } from "../errors.ts";
import { versionEpochMs, versionMs } from "../lsm/drop-rules.ts";
import { HybridClock, versionsPerMs } from "./hybrid-clock.ts";

class WallClock {
  ms: number;

  constructor(ms: number) {
    this.ms = ms;
  }

  get clock(): Clock {
    return { wallMs: () => this.ms } as unknown as Clock;
  }
}

describe("hybrid clock", () => {
  test("follows the wall clock, and counts within a millisecond", () => {
    const wall = new WallClock(versionEpochMs + 1000);
    const hybrid = new HybridClock(wall.clock, 0);
    expect(hybrid.next()).toBe(1000 * versionsPerMs);
    expect(hybrid.next()).toBe(1000 * versionsPerMs + 1);
    wall.ms += 5;
    expect(hybrid.next()).toBe(1005 * versionsPerMs);
    expect(versionMs(hybrid.last)).toBe(wall.ms);
  });

  test("goes on from what was recovered", () => {
    const last = 5000 * versionsPerMs;
    const hybrid = new HybridClock(new WallClock(versionEpochMs + 1).clock, last);
    expect(hybrid.next()).toBe(last + 1);
    expect(hybrid.nowMs()).toBe(versionEpochMs + 5000);
  });

  test.each([
    ["1970", 0],
    ["before 2024", versionEpochMs - 1],
    ["beyond 2093", versionEpochMs + 2 ** 41],
    ["far beyond", Number.MAX_SAFE_INTEGER],
    ["negative", -5],
    ["no number", Number.NaN],
  ])("a wall clock that shows %s only makes the count run on", (_, ms) => {
    const hybrid = new HybridClock(new WallClock(ms).clock, 41);
    expect(hybrid.next()).toBe(42);
    expect(hybrid.next()).toBe(43);
    expect(hybrid.nowMs()).toBe(versionEpochMs);
  });

  test("refuses when no version is left, and stays where it is", () => {
    const hybrid = new HybridClock(new WallClock(0).clock, versionMax - 1);
    expect(hybrid.next()).toBe(versionMax);
    for (let i = 0; i < 2; i++) {
      expect(() => hybrid.next()).toThrow(NokvError);
      expect(hybrid.last).toBe(versionMax);
    }
  });

  test("whatever the wall clock does, versions go up and the present does not go back", () => {
    const step = fc.record({ ms: fc.integer({ min: -1e12, max: 4e12 }), ask: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const wall = new WallClock(0);
        const hybrid = new HybridClock(wall.clock, 0);
        let version = 0;
        let nowMs = 0;
        for (const { ms, ask } of steps) {
          wall.ms = ms;
          if (ask) {
            const present = hybrid.nowMs();
            expect(present).toBeGreaterThanOrEqual(nowMs);
            nowMs = present;
          } else {
            const next = hybrid.next();
            expect(next).toBeGreaterThan(version);
            // A version given out after a look at the present is not before it.
            expect(versionMs(next)).toBeGreaterThanOrEqual(nowMs);
            version = next;
          }
        }
      }),
    );
  });
});
