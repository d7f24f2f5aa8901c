// Goal: what a store is asked, and the key at which a busy region is divided. Method: requests for known keys; what is
// drawn from them is exact.
import { expect, test } from "vitest";
import type { Command } from "../percolator/command.ts";
import { ManualClock } from "./fake-host.test-support.ts";
import { RequestMeter } from "./request-meter.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function get(key: string): Command {
  return { kind: "get", key: encoder.encode(key), readTs: 1 } as Command;
}

function write(key: string): Command {
  const mutation = { key: encoder.encode(key), kind: "put", value: encoder.encode("v") };
  return { kind: "one-phase", mutations: [mutation], checks: [], reads: [] } as unknown as Command;
}

function balanced(meter: RequestMeter): string | null {
  const key = meter.balancedKey(7);
  return key === null ? null : decoder.decode(key);
}

test("one count for both: all of it for who shows it, a round of it for who divides regions", () => {
  const meter = new RequestMeter(new ManualClock());
  meter.note(7, [get("a"), write("b"), get("c")]);
  meter.note(8, [write("z")]);
  expect([meter.of(7), meter.of(8), meter.of(9)]).toEqual([
    { reads: 2, writes: 1 }, { reads: 0, writes: 1 }, { reads: 0, writes: 0 },
  ]);
  expect([7, 8, 9].map((id) => meter.commandsOfRound(id))).toEqual([3, 1, 0]);
  meter.beginRound();
  meter.note(8, [get("z")]);
  expect([7, 8, 9].map((id) => meter.commandsOfRound(id))).toEqual([0, 1, 0]);
  meter.beginRound();
  expect([7, 8, 9].map((id) => meter.commandsOfRound(id))).toEqual([0, 0, 0]);
  expect([meter.of(7), meter.of(8)]).toEqual([{ reads: 2, writes: 1 }, { reads: 1, writes: 1 }]);
});

test("the hottest key is found, whoever asks in turn with others", () => {
  const meter = new RequestMeter(new ManualClock());
  for (let i = 0; i < 4_000; i++) meter.note(7, [i % 8 === 3 ? write("hot") : get(`k${i}`)]);
  const [hottest] = meter.top(1);
  expect(hottest === undefined ? "" : decoder.decode(hottest.key)).toBe("hot");
});

test("half of the requests lie on either side, however many there were", () => {
  const meter = new RequestMeter(new ManualClock());
  for (let i = 0; i < 5_000; i++) meter.note(7, [get(`k${String((i * 37) % 100).padStart(2, "0")}`), get("zzz")]);
  expect(meter.commandsOfRound(7)).toBe(10_000);
  const at = Number(balanced(meter)?.slice(1));
  expect(at).toBeGreaterThan(35);
  expect(at).toBeLessThan(65);
  meter.beginRound();
  expect([meter.commandsOfRound(7), balanced(meter)]).toEqual([0, null]);
});

test("one key that gets most requests can not be divided, and little says nothing", () => {
  const meter = new RequestMeter(new ManualClock());
  for (let i = 0; i < 10; i++) meter.note(7, [get(`k${i}`)]);
  expect(balanced(meter)).toBe(null);
  for (let i = 0; i < 1_000; i++) meter.note(7, [get(i % 10 === 0 ? "a" : "m")]);
  expect(balanced(meter)).toBe(null);
});

test("a key that gets half of the requests, in turn with others, does not hide them", () => {
  const meter = new RequestMeter(new ManualClock());
  for (let i = 0; i < 4_000; i++) meter.note(7, [get(i % 2 === 0 ? "a" : `k${i % 1_000}`)]);
  expect(balanced(meter)).toMatch(/^k\d/);
});
