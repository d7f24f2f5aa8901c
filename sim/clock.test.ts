// Goal: whatever happens to a machine's clocks, monotonic time never goes back and wall time heals.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MachineClock, trueEpochMs } from "./clock.ts";
import { inSimulation } from "./in-simulation.test-support.ts";

const fault = fc.oneof(
  fc.record({ kind: fc.constant("drift" as const), value: fc.integer({ min: -100_000, max: 100_000 }) }),
  fc.record({ kind: fc.constant("jump" as const), value: fc.integer({ min: -3_600_000, max: 3_600_000 }) }),
  fc.constantFrom(
    { kind: "freeze" as const, value: 0 },
    { kind: "thaw" as const, value: 0 },
    { kind: "none" as const, value: 0 },
  ),
);

describe("MachineClock", () => {
  test("monotonic time never goes back and is always an integer", () => {
    const step = fc.record({ fault, elapsedUs: fc.nat(5_000_000), aheadUs: fc.nat(1_000) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const clock = new MachineClock(12_345, 0);
        let nowUs = 0;
        let last = clock.monotonicUs(nowUs);
        for (const { fault: what, elapsedUs, aheadUs } of steps) {
          if (what.kind === "drift") clock.drift(nowUs, what.value);
          else if (what.kind === "jump") clock.jumpWall(what.value);
          else if (what.kind === "freeze") clock.freeze(nowUs);
          else if (what.kind === "thaw") clock.thaw(nowUs);
          nowUs += elapsedUs;
          // A process that has worked in this turn reads a little ahead of the loop.
          for (const readUs of [nowUs, nowUs + aheadUs, nowUs]) {
            const value = clock.monotonicUs(readUs);
            expect(Number.isSafeInteger(value)).toBe(true);
            expect(value).toBeGreaterThanOrEqual(last);
            expect(Number.isSafeInteger(clock.wallMs(readUs))).toBe(true);
            last = value;
          }
        }
      }),
    );
  });

  test("drift is what it says", () => {
    const clock = new MachineClock(0, 0);
    clock.drift(0, 500);
    expect(clock.monotonicUs(1_000_000_000)).toBe(1_000_500_000);
    expect(clock.wallMs(1_000_000_000) - trueEpochMs).toBe(1_000_500);
  });

  test("a frozen clock stands, and goes on from there", () => {
    const clock = new MachineClock(100, 0);
    clock.freeze(1_000);
    expect(clock.monotonicUs(9_000_000)).toBe(1_100);
    expect(clock.wallMs(9_000_000)).toBe(trueEpochMs + 1);
    clock.thaw(9_000_000);
    expect(clock.monotonicUs(9_000_500)).toBe(1_600);
  });

  test("wall time jumps either way, alone, and is set right again", () => {
    const clock = new MachineClock(0, 0);
    clock.jumpWall(-10_000);
    expect(clock.wallMs(0)).toBe(trueEpochMs - 10_000);
    expect(clock.monotonicUs(5)).toBe(5);
    clock.setWall(2_000_000, 0);
    expect(clock.wallMs(3_000_000)).toBe(trueEpochMs + 3_000);
  });
});

describe("timers of a machine", () => {
  test("wait while its clock is frozen, and no longer", async () => {
    const result = await inSimulation({
      seed: 4,
      run: async (world) => {
        const machine = world.machine("node");
        const env = machine.boot();
        machine.clock.freeze(world.nowUs);
        world.after(60_000_000, () => machine.clock.thaw(world.nowUs));
        await new Promise<void>((resolve) => env.clock.after(1_000_000, resolve));
        if (world.nowUs < 61_000_000) world.fail("clock", "the timer ran while its clock stood still");
        if (world.nowUs > 61_100_000) world.fail("clock", "the timer overslept");
      },
    });
    expect(result.verdict).toBe("clean");
  });
});
