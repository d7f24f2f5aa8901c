// Goal: what a leader believes of a follower goes forward, and backward only where the follower says so.
// Method: the transitions by hand; random replies against the bounds that must always hold.
import fc from "fast-check";
import { expect, test } from "vitest";
import { Inflights } from "./inflights.ts";
import { Progress } from "./progress.ts";

const entryOf = (index: number): { index: number; term: number; kind: "normal"; data: Uint8Array } => ({
  index,
  term: 1,
  kind: "normal",
  data: new Uint8Array(10),
});

test("a window is full by messages or by bytes, and freed from its oldest", () => {
  const window = new Inflights(2, 100);
  window.add(1, 10);
  expect(window.full()).toBe(false);
  window.add(5, 10);
  expect(window.full()).toBe(true);
  window.freeTo(4);
  expect([window.count, window.bytes, window.full()]).toEqual([1, 10, false]);
  window.add(6, 95);
  expect([window.full(), window.sumBytes()]).toEqual([true, 105]);
  window.freeTo(6);
  expect([window.count, window.bytes, window.full()]).toEqual([0, 0, false]);
});

test("a probe waits for its answer; the first one that fits lets appends run ahead", () => {
  const progress = new Progress(2, 8, 2, 1_000);
  progress.sent([entryOf(8)], 5);
  expect([progress.flows(), progress.next, progress.sentCommit]).toEqual([false, 8, 5]);
  expect(progress.rejected(7, 3)).toBe(true);
  expect([progress.flows(), progress.next, progress.sentCommit]).toEqual([true, 4, 3]);
  expect(progress.matched(3)).toBe(true);
  progress.becomeReplicate();
  progress.sent([entryOf(4), entryOf(5)], 5);
  progress.sent([entryOf(6)], 5);
  expect([progress.flows(), progress.next, progress.inflights.count]).toEqual([false, 7, 2]);
});

test("refusals that come late change nothing", () => {
  const progress = new Progress(2, 8, 2, 1_000);
  expect(progress.rejected(5, 2)).toBe(false);
  progress.matched(7);
  progress.becomeReplicate();
  expect(progress.rejected(6, 2)).toBe(false);
  expect(progress.rejected(9, 2)).toBe(true);
  expect(progress.next).toBe(8);
});

test("a snapshot that failed was never sent, one that arrived is what the log goes on from", () => {
  const failed = new Progress(2, 8, 2, 1_000);
  failed.matched(3);
  failed.becomeSnapshot(20);
  expect(failed.rejected(20, 3)).toBe(false);
  failed.snapshotFailed();
  expect([failed.state, failed.next, failed.pendingSnapshot]).toEqual(["probe", 4, 0]);
  const arrived = new Progress(2, 8, 2, 1_000);
  arrived.becomeSnapshot(20);
  arrived.becomeProbe();
  expect([arrived.state, arrived.next, arrived.pendingSnapshot]).toEqual(["probe", 21, 0]);
});

test("whatever is answered, nothing that matches is sent again", () => {
  const index = fc.integer({ min: 0, max: 30 });
  const event = fc.oneof(
    fc.record({ kind: fc.constant("has" as const), index, hint: index }),
    fc.record({ kind: fc.constant("refuses" as const), index, hint: index }),
    fc.record({ kind: fc.constant("send" as const), index, hint: index }),
    fc.record({ kind: fc.constant("lost" as const), index, hint: index }),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const progress = new Progress(2, 10, 3, 200);
      let match = 0;
      for (const { kind, index: at, hint } of events) {
        if (kind === "has") {
          if (progress.matched(at) && progress.state === "probe") progress.becomeReplicate();
          progress.inflights.freeTo(at);
        } else if (kind === "refuses") {
          if (progress.rejected(at, hint) && progress.state === "replicate") progress.becomeProbe();
        } else if (kind === "lost") {
          progress.becomeProbe();
        } else if (progress.flows()) {
          progress.sent([entryOf(progress.next)], at);
        }
        expect(progress.match).toBeGreaterThanOrEqual(match);
        expect(progress.next).toBeGreaterThan(progress.match);
        expect(progress.sentCommit).toBeLessThan(Math.max(progress.next, 1));
        match = progress.match;
      }
    }),
  );
});

test("a follower that has applied what our log no longer holds is sent what comes after, and no snapshot", () => {
  const progress = new Progress(2, 1, 8, 1_000);
  progress.applied = 5;
  progress.skipToApplied();
  expect(progress.next).toBe(6);
  expect(progress.flows()).toBe(true);
  progress.becomeSnapshot(9);
  progress.applied = 20;
  progress.skipToApplied();
  expect(progress.next).toBe(10);
});
