import { expect, test } from "vitest";
import { suggest } from "./suggest.ts";

const words = ["--seed", "--seeds", "--scenario", "--json", "redis", "sim"];

test.each([
  ["--sede", "--seed"],
  ["--seedss", "--seeds"],
  ["--scen", "--scenario"],
  ["--jsno", "--json"],
  ["reddis", "redis"],
  ["smi", "sim"],
  ["--zebra", null],
  ["x", null],
  ["", null],
])("%j may have meant %j", (word, meant) => {
  expect(suggest(word, words)).toBe(meant);
});
