// Goal: the key at which a busy region is divided. Method: requests for known keys; what is drawn from them is exact.
import { expect, test } from "vitest";
import type { Command } from "../percolator/command.ts";
import { RegionLoads } from "./region-loads.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function get(key: string): Command {
  return { kind: "get", key: encoder.encode(key), readTs: 1 } as Command;
}

function balanced(loads: RegionLoads): string | null {
  const key = loads.balancedKey(7);
  return key === null ? null : decoder.decode(key);
}

test("half of the requests lie on either side, however many there were", () => {
  const loads = new RegionLoads();
  for (let i = 0; i < 5_000; i++) loads.count(7, [get(`k${String((i * 37) % 100).padStart(2, "0")}`), get("zzz")]);
  expect(loads.commandsOf(7)).toBe(10_000);
  const at = Number(balanced(loads)?.slice(1));
  expect(at).toBeGreaterThan(35);
  expect(at).toBeLessThan(65);
  loads.reset();
  expect([loads.commandsOf(7), balanced(loads)]).toEqual([0, null]);
});

test("one key that gets most requests can not be divided, and little says nothing", () => {
  const loads = new RegionLoads();
  for (let i = 0; i < 10; i++) loads.count(7, [get(`k${i}`)]);
  expect(balanced(loads)).toBe(null);
  for (let i = 0; i < 1_000; i++) loads.count(7, [get(i % 10 === 0 ? "a" : "m")]);
  expect(balanced(loads)).toBe(null);
});

test("a key that gets half of the requests, in turn with others, does not hide them", () => {
  const loads = new RegionLoads();
  for (let i = 0; i < 4_000; i++) loads.count(7, [get(i % 2 === 0 ? "a" : `k${i % 1_000}`)]);
  expect(balanced(loads)).toMatch(/^k\d/);
});
