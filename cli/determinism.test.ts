// Goal: a seed is one run. The same hash in the same process twice, in another process, after 100 other
// seeds, and through another loader; anything else is state that leaks or a real clock that was read.
// Method: real scenarios, real processes.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runInMacrotask } from "../host/settle.ts";
import { scenarios } from "../scenarios/index.ts";
import { nodeSimulator } from "./batch/node-simulator.ts";
import { pickScenario } from "./batch/pick-scenario.ts";
import type { SeedReport } from "./batch/run-seed.ts";

const main = join(import.meta.dirname, "main.ts");
const seed = 42;

function hashOf(of: number): Promise<string> {
  const scenario = pickScenario(of, scenarios);
  return runInMacrotask(() => nodeSimulator(scenario, of, {}).traceHash);
}

function hashInProcess(...nodeFlags: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const argv = [...nodeFlags, main, "sim", "--seed", `${seed}`, "--json"];
    execFile(process.execPath, argv, { maxBuffer: 1 << 26 }, (error, stdout) => {
      if (error === null) resolve((JSON.parse(stdout) as SeedReport).traceHash);
      else reject(error);
    });
  });
}

test("a seed has one hash: here, after 100 others, in another process, through tsx", async () => {
  const first = await hashOf(seed);
  expect(first).toMatch(/^[0-9a-f]{16}$/);
  expect(await hashOf(seed)).toBe(first);
  for (let other = 1_000; other < 1_100; other++) await hashOf(other);
  expect(await hashOf(seed)).toBe(first);
  expect(await hashInProcess()).toBe(first);
  expect(await hashInProcess("--import", "tsx")).toBe(first);
}, 600_000);

test("different seeds are different runs", async () => {
  const hashes = new Set<string>();
  for (let other = 1; other <= 10; other++) hashes.add(await hashOf(other));
  expect(hashes.size).toBe(10);
});
