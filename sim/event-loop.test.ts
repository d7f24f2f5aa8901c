// Goal: virtual time, the order of events at one instant, busy processors and the dead.
import { describe, expect, test } from "vitest";
import { EventLoop } from "./event-loop.ts";
import { KeyedRandom } from "./keyed-random.ts";
import { Life } from "./life.ts";

/** Runs until nothing is left, and reports what ran when. */
function drain(loop: EventLoop): void {
  for (let event = loop.next(); event !== null; event = loop.next()) event.run?.();
}

function loopOf(seed: number): EventLoop {
  return new EventLoop(KeyedRandom.ofSeed(seed));
}

describe("EventLoop", () => {
  test("jumps to the next event", () => {
    const loop = loopOf(1);
    const seen: number[] = [];
    for (const us of [500, 20, 1_000_000]) loop.after(us, loop.worldLife, () => seen.push(loop.nowUs));
    drain(loop);
    expect(seen).toEqual([20, 500, 1_000_000]);
    expect(loop.turnCount).toBe(3);
  });

  test("explores the order of events at one instant: it depends on the seed", () => {
    const orders = new Set<string>();
    for (let seed = 0; seed < 200; seed++) {
      const loop = loopOf(seed);
      const seen: string[] = [];
      for (const name of ["a", "b", "c", "d"]) loop.after(10, loop.worldLife, () => seen.push(name));
      drain(loop);
      orders.add(seen.join(""));
    }
    expect(orders.size).toBe(24);
  });

  test("an event of another processor does not change the order of these", () => {
    const order = (extra: boolean): string => {
      const loop = loopOf(3);
      const other = new Life(loop.processor(), false);
      const seen: string[] = [];
      for (const name of ["a", "b", "c", "d"]) {
        if (extra) loop.after(10, other, () => {});
        loop.after(10, loop.worldLife, () => seen.push(name));
      }
      drain(loop);
      return seen.join("");
    };
    expect(order(true)).toBe(order(false));
  });

  test("a busy processor takes its events late, the others do not wait", () => {
    const loop = loopOf(1);
    const busy = new Life(loop.processor(), false);
    const free = new Life(loop.processor(), false);
    const seen: string[] = [];
    loop.after(10, busy, () => {
      loop.charge(1_000);
      expect(loop.presentUs(busy.processor)).toBe(1_010);
      loop.after(5, busy, () => seen.push(`later ${loop.nowUs}`));
    });
    loop.after(20, busy, () => seen.push(`busy ${loop.nowUs}`));
    loop.after(20, free, () => seen.push(`free ${loop.nowUs}`));
    drain(loop);
    expect(seen).toEqual(["free 20", "busy 1010", "later 1015"]);
  });

  test("a processor that is released early takes what waited for it, before what is due later", () => {
    const loop = loopOf(1);
    const paused = new Life(loop.processor(), false);
    const seen: string[] = [];
    loop.after(0, paused, () => {
      paused.processor.busyUntilUs = 10_000;
    });
    loop.after(20, paused, () => seen.push(`timer ${loop.nowUs}`));
    const cancelled = loop.after(30, paused, () => seen.push("cancelled"));
    loop.after(50, loop.worldLife, () => {
      cancelled.run = null;
      loop.release(paused.processor);
    });
    loop.after(60, paused, () => seen.push(`later ${loop.nowUs}`));
    drain(loop);
    expect(seen).toEqual(["timer 50", "later 60"]);
    expect(loop.hasForeground).toBe(false);
  });

  test("events of the dead and cancelled events never run, and time does not stop for them", () => {
    const loop = loopOf(1);
    const life = new Life(loop.processor(), false);
    const seen: string[] = [];
    loop.after(10, life, () => seen.push("dead"));
    loop.after(20, loop.worldLife, () => seen.push("cancelled")).run = null;
    loop.after(5, loop.worldLife, () => {
      life.alive = false;
    });
    drain(loop);
    expect(seen).toEqual([]);
    expect(loop.nowUs).toBe(5);
    expect(loop.turnCount).toBe(1);
  });

  test("background events are not foreground", () => {
    const loop = loopOf(1);
    loop.after(10, loop.nemesisLife, () => {});
    expect(loop.hasForeground).toBe(false);
    loop.after(10, loop.worldLife, () => {});
    expect(loop.hasForeground).toBe(true);
    drain(loop);
    expect(loop.hasForeground).toBe(false);
  });
});
