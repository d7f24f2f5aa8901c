// Goal: one drain runs every continuation that is ready, and rejections are heard by nobody else.
import { describe, expect, test } from "vitest";
import { runInMacrotask, simHost } from "./settle.ts";

describe("settle", () => {
  test("runs promise chains of any depth to their end", async () => {
    const depth = await runInMacrotask(() => {
      let reached = 0;
      const descend = async (level: number): Promise<number> => {
        reached = level;
        return level < 1_000 ? await descend(level + 1) : level;
      };
      void Promise.resolve().then(() => descend(0));
      simHost.settle();
      return reached;
    });
    expect(depth).toBe(1_000);
  });

  test("runs what settling makes ready, next ticks included", async () => {
    const order = await runInMacrotask(() => {
      const seen: string[] = [];
      process.nextTick(() => {
        seen.push("tick");
        void Promise.resolve().then(() => seen.push("microtask"));
      });
      simHost.settle();
      return [...seen];
    });
    expect(order).toEqual(["tick", "microtask"]);
  });

  test("reports unhandled rejections during the drain, and only to its listener", async () => {
    const others = process.listeners("unhandledRejection");
    const reasons = await runInMacrotask(() => {
      const heard: unknown[] = [];
      const stop = simHost.onUnhandledRejection((reason) => heard.push(reason));
      void Promise.reject(new Error("unheard"));
      simHost.settle();
      stop();
      return heard;
    });
    expect(reasons).toEqual([new Error("unheard")]);
    expect(process.listeners("unhandledRejection")).toEqual(others);
  });

  test("a macrotask passes on what its function throws", async () => {
    const failing = runInMacrotask(() => {
      throw new RangeError("out of range");
    });
    await expect(failing).rejects.toThrow("out of range");
  });
});
