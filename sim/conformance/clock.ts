import { assert } from "../../core/assert.ts";
import type { Clock } from "../../core/env/clock.ts";

/**
 * One promise of `core/env/clock.ts`, checked by what a caller can see. Throws AssertionError when broken.
 */
export interface ClockCase {
  readonly name: string;
  readonly run: (clock: Clock) => Promise<void>;
}

/** 2020-01-01 and 2100-01-01: no healthy machine believes to be elsewhere. */
const wallMsMin = 1_577_836_800_000;
const wallMsMax = 4_102_444_800_000;

const readings: readonly ClockCase[] = [
  {
    name: "monotonic time is a safe integer that never goes back",
    run: async (clock) => {
      let last = clock.monotonicUs();
      for (let i = 0; i < 2_000; i++) {
        if (i % 500 === 0) await elapse(clock, 100);
        const now = clock.monotonicUs();
        assert(Number.isSafeInteger(now), "microseconds are a safe integer");
        assert(now >= last, "monotonic time does not go back");
        last = now;
      }
    },
  },
  {
    name: "wall time is Unix milliseconds with a bounded error",
    run: async (clock) => {
      const ms = clock.wallMs();
      assert(Number.isSafeInteger(ms), "milliseconds are a safe integer");
      assert(ms >= wallMsMin && ms <= wallMsMax, "the year is plausible");
      const uncertaintyMs = clock.wallUncertaintyMs();
      assert(Number.isSafeInteger(uncertaintyMs), "the uncertainty is a safe integer");
      assert(uncertaintyMs >= 0, "the uncertainty is not negative");
    },
  },
  {
    name: "a timer comes no earlier than asked, by the clock that set it",
    run: async (clock) => {
      for (const delayUs of [0, 1, 999, 1_000, 1_500, 20_000]) {
        const beganUs = clock.monotonicUs();
        await elapse(clock, delayUs);
        assert(clock.monotonicUs() - beganUs >= delayUs, "the delay has passed");
      }
    },
  },
];

const turns: readonly ClockCase[] = [
  {
    name: "neither a timer nor soon runs inside the call that set it",
    run: async (clock) => {
      let inside = true;
      const early: string[] = [];
      const note = (name: string) => (): void => {
        if (inside) early.push(name);
      };
      const timer = elapse(clock, 0, note("after"));
      const soon = soonAfter(clock, note("soon"));
      inside = false;
      await Promise.all([timer, soon]);
      assert(early.length === 0, "callbacks wait for a turn of their own");
    },
  },
  {
    name: "a timer runs once",
    run: async (clock) => {
      let runs = 0;
      clock.after(100, () => runs++);
      await elapse(clock, 5_000);
      assert(runs === 1, "the callback ran exactly once");
    },
  },
  {
    name: "a cancelled timer does not run, and cancelling late is harmless",
    run: async (clock) => {
      let runs = 0;
      const cancelled = clock.after(100, () => runs++);
      cancelled.cancel();
      cancelled.cancel();
      const late = clock.after(50, () => runs++);
      await elapse(clock, 5_000);
      late.cancel();
      assert(runs === 1, "only the timer that was not cancelled ran");
    },
  },
  {
    name: "a timer may be cancelled by another, and cancel itself",
    run: async (clock) => {
      let runs = 0;
      const victim = clock.after(4_000, () => runs++);
      const self = clock.after(100, () => {
        self.cancel();
        victim.cancel();
      });
      await elapse(clock, 10_000);
      assert(runs === 0, "the victim did not run");
    },
  },
  {
    name: "timers far apart run in the order in which they are due",
    run: async (clock) => {
      const order: number[] = [];
      const timers = [40_000, 5_000, 20_000].map((us) => elapse(clock, us, () => order.push(us)));
      await Promise.all(timers);
      assert(order.join() === "5000,20000,40000", "the earlier one ran first");
    },
  },
  {
    name: "soon runs before a timer that is not due",
    run: async (clock) => {
      const order: string[] = [];
      const timer = elapse(clock, 50_000, () => order.push("timer"));
      await soonAfter(clock, () => order.push("soon"));
      await timer;
      assert(order.join() === "soon,timer", "soon came first");
    },
  },
  {
    name: "soon used again and again starves no timer",
    run: async (clock) => {
      let over = false;
      const timer = elapse(clock, 1_000, () => {
        over = true;
      });
      let turnCount = 0;
      while (!over) {
        await soonAfter(clock);
        turnCount++;
        assert(turnCount < turnsMax, "the timer comes through");
      }
      await timer;
    },
  },
];

const turnsMax = 10_000_000;

export const clockCases: readonly ClockCase[] = [...readings, ...turns];

function elapse(clock: Clock, delayUs: number, run: () => void = () => {}): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayUs, () => {
      run();
      resolve();
    });
  });
}

function soonAfter(clock: Clock, run: () => void = () => {}): Promise<void> {
  return new Promise((resolve) => {
    clock.soon(() => {
      run();
      resolve();
    });
  });
}
