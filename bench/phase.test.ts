import { expect, test } from "vitest";
import { describeChange, differences, runPhase } from "./phase.ts";
import { nullEngine } from "./stores/null.ts";

test("exactly so many operations run, by all clients together, whether they complete at once or later", async () => {
  const store = await nullEngine.open({
    directory: "",
    durable: false,
    cacheBytes: 0,
    memtableBytes: 0,
    valueThresholdBytes: 0,
  });
  let done = 0;
  const byClient = [0, 0, 0];
  const result = await runPhase(store, { operations: 5_000, clients: 3, secondsMax: 60 }, (client) => () => {
    done++;
    byClient[client] = (byClient[client] ?? 0) + 1;
    return done % 3 === 0 ? Promise.resolve() : undefined;
  });
  expect(done).toBe(5_000);
  expect(result.metrics["operations"]).toBe(5_000);
  for (const count of byClient) expect(count).toBeGreaterThan(0);
});

test("a phase ends at its time", async () => {
  const store = await nullEngine.open({
    directory: "",
    durable: false,
    cacheBytes: 0,
    memtableBytes: 0,
    valueThresholdBytes: 0,
  });
  const options = { operations: Number.MAX_SAFE_INTEGER, clients: 2, secondsMax: 0 };
  const { metrics } = await runPhase(store, options, () => () => Promise.resolve());
  expect(metrics["operations"]).toBe(2);
});

test("what the background did is said in changes, what it holds as it stands", () => {
  const before = { flushes: 1, stallCount: 0, gets: 5, immutableMemtables: 0 };
  const after = { flushes: 3, stallCount: 1, gets: 9, immutableMemtables: 2, level0Tables: 4 };
  expect(describeChange(before, after)).toBe("flushes +2, stallCount +1, immutableMemtables 2, level0Tables 4");
  expect(differences([10, undefined, 35])).toEqual([10, 0, 25]);
});
