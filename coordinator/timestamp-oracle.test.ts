import fc from "fast-check";
import { expect, test } from "vitest";
import { versionMs } from "../core/lsm/drop-rules.ts";
import { IdAllocator, idWindow } from "./id-allocator.ts";
import {
  clockLimitsDefault,
  timestampAt,
  TimestampOracle,
  windowAheadMs,
  windowMs,
} from "./timestamp-oracle.ts";

const anyClock = { leadMsMax: 0, stoppedMsMax: 0 };

// Goal: whatever the clock does and wherever the process ends, no timestamp comes twice or goes back.
// Method: the machine is driven by hand; "durable" is a number that survives it.

const startMs = 1_748_736_000_000;
const hourMs = 3_600_000;

type Step =
  | { readonly kind: "ask"; readonly count: number }
  | { readonly kind: "turn" }
  /** The fence that was proposed becomes durable; told to the machine, or lost on the way to it. */
  | { readonly kind: "durable"; readonly told: boolean }
  | { readonly kind: "clock"; readonly byMs: number }
  | { readonly kind: "crash" };

const counts = fc.integer({ min: 1, max: 9_000 });
const jumps = fc.integer({ min: -hourMs, max: hourMs });
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("ask" as const), count: counts }) },
    { weight: 4, arbitrary: fc.constant({ kind: "turn" as const }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("durable" as const), told: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("clock" as const), byMs: jumps }) },
    { weight: 1, arbitrary: fc.constant({ kind: "crash" as const }) },
  ),
  { maxLength: 120 },
);

test("timestamps are unique and grow over crashes at every point of the window protocol", () => {
  fc.assert(
    fc.property(steps, (plan) => {
      let durable = 0;
      let proposed = 0;
      let wallMs = startMs;
      let given = 0;
      let asked = 0;
      let oracle = new TimestampOracle(durable, anyClock, false);
      for (const step of plan) {
        if (step.kind === "ask") oracle.request(++asked, step.count);
        if (step.kind === "clock") wallMs += step.byMs;
        if (step.kind === "turn") {
          const turn = oracle.turn({ wallMs, monotonicUs: 0 });
          for (const { first, count } of turn.grants) {
            expect(first).toBeGreaterThan(given);
            expect(first).toBeGreaterThanOrEqual(timestampAt(wallMs));
            given = first + count - 1;
            expect(given).toBeLessThanOrEqual(durable);
          }
          if (turn.fence > 0) proposed = turn.fence;
        }
        if (step.kind === "durable" && proposed > 0) {
          durable = Math.max(durable, proposed);
          if (step.told) oracle.fenced(proposed);
          else oracle = new TimestampOracle(durable, anyClock, false);
          proposed = 0;
        }
        if (step.kind === "crash") {
          oracle = new TimestampOracle(durable, anyClock, false);
          proposed = 0;
        }
      }
    }),
    { numRuns: 500 },
  );
});

/** Turns until everybody is served, each fence durable at once. */
function serve(oracle: TimestampOracle, wallMs: number, monotonicUs = 0): number[] {
  const firsts: number[] = [];
  for (;;) {
    const turn = oracle.turn({ wallMs, monotonicUs });
    firsts.push(...turn.grants.map(({ first }) => first));
    if (turn.refused.length > 0) throw new Error(turn.problem);
    if (turn.fence > 0) oracle.fenced(turn.fence);
    if (oracle.waiting === 0) return firsts;
  }
}

test("the requests of a turn are one batch, in order, and follow the clock", () => {
  const oracle = new TimestampOracle(0, clockLimitsDefault, false);
  oracle.request(1, 10);
  oracle.request(2, 5);
  const first = timestampAt(startMs);
  expect(serve(oracle, startMs)).toEqual([first, first + 10]);
  oracle.request(3, 1);
  expect(serve(oracle, startMs - hourMs)).toEqual([first + 15]);
  oracle.request(4, 1);
  expect(serve(oracle, startMs + 1)).toEqual([timestampAt(startMs + 1)]);
});

test("behind a clock that went back timestamps go on at half the pace of time, until it has caught up", () => {
  const oracle = new TimestampOracle(0, clockLimitsDefault, false);
  const at = (wallMs: number, elapsedMs: number): number => {
    oracle.request(1, 1);
    const [first = 0] = serve(oracle, wallMs, elapsedMs * 1_000);
    return versionMs(first) - startMs;
  };
  expect(at(startMs, 0)).toBe(0);
  const backMs = startMs - 10_000;
  const ahead: number[] = [];
  for (let elapsedMs = 1; elapsedMs <= 30_000; elapsedMs++) ahead.push(at(backMs + elapsedMs, elapsedMs));
  expect([ahead[99], ahead[9_999], ahead[19_998]]).toEqual([50, 5_000, 9_999]);
  expect([ahead[20_999], ahead[29_999]]).toEqual([11_000, 20_000]);
});

test("who asks after a long time behind a clock that went back waits for no fence", () => {
  const oracle = new TimestampOracle(timestampAt(startMs), clockLimitsDefault, false);
  oracle.request(1, 1);
  serve(oracle, startMs - hourMs);
  oracle.request(2, 1);
  const turn = oracle.turn({ wallMs: startMs - hourMs / 2, monotonicUs: (hourMs / 2) * 1_000 });
  expect(turn.grants).toHaveLength(1);
  expect(versionMs(turn.fence) - startMs).toBe(hourMs / 4 + windowAheadMs);
});

test("the fence is three seconds ahead, and renewed when half is used", () => {
  const oracle = new TimestampOracle(0, clockLimitsDefault, false);
  oracle.request(1, 1);
  serve(oracle, startMs);
  expect(oracle.fence).toBe(timestampAt(startMs + windowMs));
  oracle.request(2, 1);
  expect(oracle.turn({ wallMs: startMs + 1_400, monotonicUs: 0 })).toMatchObject({ fence: 0 });
  oracle.request(3, 1);
  const turn = oracle.turn({ wallMs: startMs + 1_600, monotonicUs: 0 });
  expect(turn.grants).toHaveLength(1);
  expect(turn.fence).toBe(timestampAt(startMs + 1_600 + windowMs));
});

test("a storm of restarts does not drive timestamps away from the clock", () => {
  let fence = 0;
  for (let i = 0; i < 100; i++) {
    const oracle = new TimestampOracle(fence, clockLimitsDefault, false);
    oracle.request(1, 1);
    serve(oracle, startMs);
    ({ fence } = oracle);
  }
  expect(versionMs(fence) - startMs).toBeLessThanOrEqual(windowMs + 100 * (windowAheadMs + 1));
});

test("a clock more than a day ahead is refused, by its name", () => {
  const oracle = new TimestampOracle(timestampAt(startMs), clockLimitsDefault, false);
  oracle.request(1, 1);
  const turn = oracle.turn({ wallMs: startMs + 30 * hourMs, monotonicUs: 0 });
  expect(turn).toMatchObject({ grants: [], fence: 0, refused: [1] });
  expect(turn.problem).toMatch(/30 hours ahead of the newest timestamp .*set the clock.* --accept-clock/);
  oracle.request(2, 1);
  expect(serve(oracle, startMs + 23 * hourMs)).toHaveLength(1);
});

test("a cluster that was stopped for months goes on; where it is more than a year, when told to", () => {
  const fence = timestampAt(startMs);
  const after = (days: number, limits = clockLimitsDefault): number => {
    const oracle = new TimestampOracle(fence, limits, true);
    oracle.request(1, 1);
    return serve(oracle, startMs + days * 24 * hourMs).length;
  };
  expect([2, 365].map((days) => after(days))).toEqual([1, 1]);
  expect(() => after(367)).toThrow(/8808 hours ahead/);
  expect(after(10_000, { ...clockLimitsDefault, stoppedMsMax: 0 })).toBe(1);
});

test("once a clock was followed it may not leap, however lately the process began", () => {
  const oracle = new TimestampOracle(timestampAt(startMs), clockLimitsDefault, true);
  oracle.request(1, 1);
  expect(serve(oracle, startMs + 48 * hourMs)).toHaveLength(1);
  oracle.request(2, 1);
  expect(() => serve(oracle, startMs + 96 * hourMs)).toThrow(/48 hours ahead/);
});

test("a Coordinator that was idle for days is not taken for one whose clock jumped", () => {
  const oracle = new TimestampOracle(0, clockLimitsDefault, false);
  oracle.request(1, 1);
  serve(oracle, startMs);
  oracle.request(2, 1);
  expect(serve(oracle, startMs + 72 * hourMs, 72 * hourMs * 1_000)).toHaveLength(1);
  // Back, and forward again to where it was.
  oracle.request(3, 1);
  expect(serve(oracle, startMs + 10 * hourMs, 72 * hourMs * 1_000)).toHaveLength(1);
  oracle.request(4, 1);
  expect(serve(oracle, startMs + 73 * hourMs, 73 * hourMs * 1_000)).toHaveLength(1);
});

test("ids: a window is durable before its first id is given, and its rest is burnt", () => {
  const ids = new IdAllocator(0);
  ids.request(1, 3);
  expect(ids.turn()).toEqual({ grants: [], fence: idWindow });
  ids.fenced(idWindow);
  expect(ids.turn()).toEqual({ grants: [{ ticket: 1, first: 1, count: 3 }], fence: 0 });
  const next = new IdAllocator(idWindow);
  next.request(2, 5_000);
  expect(next.turn()).toEqual({ grants: [], fence: idWindow + 5_000 });
  next.fenced(idWindow + 5_000);
  expect(next.turn().grants).toEqual([{ ticket: 2, first: idWindow + 1, count: 5_000 }]);
});
