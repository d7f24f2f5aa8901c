// Goal: no false negatives ever, and as few false positives as the bits promise.
import { expect, test } from "vitest";
import { hashKey } from "../bytes/hash.ts";
import { bloomAdd, bloomHas, bloomLineBytes, bloomLines, bloomProbes } from "./bloom.ts";

function hashOf(n: number): number {
  const key = new TextEncoder().encode(`user${n}`);
  return hashKey(0, key, 0, key.length);
}

test.each([
  [10, 0.015],
  [16, 0.003],
  [4, 0.2],
])("%i bits per key: all keys are found, others rarely", (bitsPerKey, rateMax) => {
  const keyCount = 20_000;
  const lines = bloomLines(keyCount, bitsPerKey);
  const probes = bloomProbes(bitsPerKey);
  const bytes = new Uint8Array(lines * bloomLineBytes);
  for (let n = 0; n < keyCount; n++) bloomAdd(bytes, lines, probes, hashOf(n));
  let wrong = 0;
  for (let n = 0; n < keyCount; n++) {
    expect(bloomHas(bytes, lines, probes, hashOf(n))).toBe(true);
    if (bloomHas(bytes, lines, probes, hashOf(n + keyCount))) wrong++;
  }
  expect(wrong / keyCount).toBeLessThan(rateMax);
});

test("stays within its lines for the extreme hashes", () => {
  for (const lines of [1, 2, 3, 0x20_0000]) {
    const bytes = new Uint8Array(lines * bloomLineBytes);
    for (const hash of [0, 1, 0x7fffffff, 0x80000000, 0xffffffff]) {
      bloomAdd(bytes, lines, 7, hash);
      expect(bloomHas(bytes, lines, 7, hash)).toBe(true);
    }
    expect(bytes.length).toBe(lines * bloomLineBytes);
  }
  expect(bloomLines(1, 1)).toBe(1);
  expect(bloomLines(1_000_000_000, 100)).toBe(0x20_0000);
  expect([1, 2, 10, 100].map((bits) => bloomProbes(bits))).toEqual([1, 1, 6, 16]);
});
