import { expect, test } from "vitest";
import { Dice } from "../sim/dice.ts";
import { KeyedRandom } from "../sim/keyed-random.ts";
import { Keyspace, keysMax } from "./keyspace.ts";

// Goal: keys are distinct and in order, values unique, and equal dice give equal workloads.

function keyspace(seed: number): Keyspace {
  return new Keyspace(new Dice(KeyedRandom.ofSeed(seed).stream("keys"), 0), 12, 200);
}

test("keys are distinct and sorted", () => {
  for (let seed = 0; seed < 50; seed++) {
    const { keys } = keyspace(seed);
    expect(keys.length).toBe(12);
    expect([...new Set(keys)].sort()).toEqual(keys);
  }
  const all = new Keyspace(new Dice(KeyedRandom.ofSeed(1).stream("keys"), 0), 1_000, 10);
  expect(all.keys.length).toBe(keysMax);
});

test("values are unique and bounded", () => {
  const space = keyspace(7);
  const values = Array.from({ length: 300 }, () => space.value());
  expect(new Set(values).size).toBe(300);
  expect(Math.max(...values.map((value) => value.length))).toBeLessThanOrEqual(200);
});

test("equal dice give equal workloads", () => {
  const [one, two] = [keyspace(3), keyspace(3)];
  for (let i = 0; i < 50; i++) {
    expect(one.key()).toBe(two.key());
    expect(one.value()).toBe(two.value());
    expect(one.bounds()).toEqual(two.bounds());
  }
});
