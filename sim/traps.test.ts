// Goal: nothing ambient is reachable while a run lasts, and everything is as before when it is over.
import { describe, expect, test } from "vitest";
import { simulateOnce } from "./in-simulation.test-support.ts";
import type { SimResult } from "./run.ts";
import { setTraps } from "./traps.ts";

const touches: readonly (readonly [string, () => unknown])[] = [
  ["Date.now", () => Date.now()],
  ["new Date", () => new Date()],
  ["Date", () => Date()],
  ["Math.random", () => Math.random()],
  ["performance.now", () => performance.now()],
  ["setTimeout", () => setTimeout(() => {}, 0)],
  ["setInterval", () => setInterval(() => {}, 1)],
  ["setImmediate", () => setImmediate(() => {})],
  ["fetch", () => fetch("http://localhost")],
  ["crypto.randomUUID", () => crypto.randomUUID()],
  ["crypto.getRandomValues", () => crypto.getRandomValues(new Uint8Array(1))],
  ["process.hrtime", () => process.hrtime()],
  ["AbortSignal.timeout", () => AbortSignal.timeout(1)],
];

function touching(touch: () => unknown): Promise<SimResult> {
  return simulateOnce({
    seed: 1,
    run: async (world) => {
      const env = world.machine("node").boot();
      env.clock.after(10, () => void touch());
      await world.sleep(1_000);
    },
  });
}

describe("traps", () => {
  test.each(touches)("%s is a violation that names it and its place", async (name, touch) => {
    const result = await touching(touch);
    expect(result.oracle).toBe("ambient");
    expect(result.message).toContain(`${name} called inside the simulation (at sim/traps.test.ts:`);
  });

  test("swallowing the error does not hide it", async () => {
    const result = await touching(() => {
      try {
        return Math.random();
      } catch {
        return 4;
      }
    });
    expect(result.oracle).toBe("ambient");
  });

  test("what is a pure function of its arguments stays", async () => {
    const result = await touching(() => {
      const date = new Date(0);
      return date.toISOString() + String(Date.UTC(2024, 0, 1)) + String(date instanceof Date);
    });
    expect(result.verdict).toBe("clean");
  });

  test("everything is as it was afterwards, own or inherited", () => {
    const properties: readonly (readonly [object, string])[] = [
      [globalThis, "Date"],
      [globalThis, "setTimeout"],
      [globalThis, "setInterval"],
      [globalThis, "setImmediate"],
      [globalThis, "fetch"],
      [Math, "random"],
      [performance, "now"],
      [crypto, "getRandomValues"],
      [process, "hrtime"],
      [AbortSignal, "timeout"],
    ];
    const describeAll = (): unknown[] => {
      return properties.map(([holder, name]) => Object.getOwnPropertyDescriptor(holder, name));
    };
    const before = describeAll();
    const restore = setTraps(() => {});
    expect(() => performance.now()).toThrow("performance.now called inside the simulation");
    restore();
    expect(describeAll()).toEqual(before);
    expect(Date.now()).toBeGreaterThan(0);
  });

  test("a run that fails leaves no trap behind", async () => {
    const now = Date.now;
    await touching(() => Date.now());
    expect(Date.now).toBe(now);
  });
});
