// Goal: a server that cannot serve yet says what it waits for, once, and when that is over. Method: a clock by hand.
import { afterEach, expect, test, vi } from "vitest";
import { failpointOptions, runService } from "./service.ts";
import { parseOptions } from "./options.ts";
import { testContext } from "./test-context.test-support.ts";

afterEach(() => vi.useRealTimers());

test("what is waited for is told when it lasts, and when it is over", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const context = testContext();
  let waits: readonly string[] = ["the Coordinator"];
  let closed = 0;
  let announce = (): void => {};
  const announced = new Promise<void>((resolve) => {
    announce = resolve;
  });
  const running = runService(context, {
    place: "/data",
    untilStdinEnds: false,
    given: parseOptions([], failpointOptions),
    open: () => Promise.resolve({
      waitingFor: () => waits,
      close: () => {
        closed++;
        return Promise.resolve();
      },
    }),
    announce,
  });
  await announced;
  await Promise.resolve();
  expect(context.terminal.stderr).toBe("");
  vi.advanceTimersByTime(20_000);
  expect(context.terminal.stderr).toBe("nokv: /data: waits for the Coordinator\n");
  waits = [];
  vi.advanceTimersByTime(20_000);
  expect(context.terminal.stderr).toBe("nokv: /data: waits for the Coordinator\nnokv: /data: serves now\n");
  await context.interrupt();
  expect(await running).toBe(0);
  expect(closed).toBe(1);
});
