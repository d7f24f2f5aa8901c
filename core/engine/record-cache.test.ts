// Goal: the record cache finds exactly what was put into it last and not dropped, and keeps to its budget.
// Method: fast-check against a map that may only know more: the cache may forget, never invent; random lengths,
// budgets from nothing to plenty, and a hash that collides.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readKeyLength, readValueLength, recordBytes, recordHeaderBytes } from "../bytes/record.ts";
import { RecordCache } from "./record-cache.ts";

/** The image of a record with a value of `valueBytes` times `fill`. */
function image(key: Uint8Array, valueBytes: number, fill: number): Uint8Array {
  const bytes = new Uint8Array(recordBytes(key.length, valueBytes));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, valueBytes, true);
  view.setUint16(4, key.length, true);
  bytes.set(key, recordHeaderBytes);
  bytes.fill(fill, recordHeaderBytes + key.length, recordHeaderBytes + key.length + valueBytes);
  return bytes;
}

/** What `find` shows: the length of the value and its bytes' fill. */
function shown(cache: RecordCache): { valueBytes: number; fill: number } {
  const valueBytes = readValueLength(cache.view, cache.offset);
  const start = cache.offset + recordHeaderBytes + readKeyLength(cache.view, cache.offset);
  const value = cache.bytes.subarray(start, start + valueBytes);
  expect(new Set(value).size).toBeLessThanOrEqual(1);
  return { valueBytes, fill: value[0] ?? 0 };
}

const keyOf = (n: number): Uint8Array => new TextEncoder().encode(`key${n}`);
/** Four keys share a hash. */
const hashOf = (n: number): number => Math.imul(n >>> 2, 0x9e3779b1);

type Step =
  | { readonly kind: "read"; readonly key: number; readonly valueBytes: number; readonly inPlace: boolean }
  | { readonly kind: "commit"; readonly key: number }
  | { readonly kind: "abandon"; readonly valueBytes: number }
  | { readonly kind: "clear" };

const lengths = fc.oneof(fc.nat(40), fc.nat(300), fc.nat(2_000), fc.constantFrom(0, 9_000, 70_000));
const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 40,
    arbitrary: fc.record({
      kind: fc.constant("read" as const), key: fc.nat(60), valueBytes: lengths, inPlace: fc.boolean(),
    }),
  },
  { weight: 10, arbitrary: fc.record({ kind: fc.constant("commit" as const), key: fc.nat(60) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("abandon" as const), valueBytes: lengths }) },
  { weight: 1, arbitrary: fc.constant({ kind: "clear" as const }) },
);

describe("record cache", () => {
  test("finds what a map finds, or less, within its budget", () => {
    fc.assert(
      fc.property(
        fc.array(stepArbitrary, { maxLength: 400 }),
        fc.constantFrom(0, 1_000, 1_200, 3_000, 9_000, 70_000, 1 << 20),
        (steps, budgetBytes) => {
          const cache = new RecordCache(budgetBytes);
          const known = new Map<number, { valueBytes: number; fill: number }>();
          for (const [i, step] of steps.entries()) {
            run(cache, known, step, (i % 250) + 1);
            expect(cache.usedBytes).toBeLessThanOrEqual(budgetBytes);
            expect(cache.count).toBeLessThanOrEqual(known.size);
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  test("keeps what is read again and again while others pass through", () => {
    const cache = new RecordCache(1 << 20);
    let lost = 0;
    for (let i = 0; i < 20_000; i++) {
      const hot = i % 20;
      if (!cache.find(0, keyOf(hot), hashOf(hot))) {
        lost++;
        cache.add(hashOf(hot), image(keyOf(hot), 1000, 1), 0, recordBytes(keyOf(hot).length, 1000));
      }
      const cold = 100 + i;
      cache.add(hashOf(cold), image(keyOf(cold), 1000, 1), 0, recordBytes(keyOf(cold).length, 1000));
    }
    expect(lost).toBe(20);
    expect(cache.evictions).toBeGreaterThan(15_000);
  });

  test("memory moves to the sizes that are read now", () => {
    const cache = new RecordCache(1 << 20);
    const fill = (from: number, count: number, valueBytes: number): void => {
      for (let i = from; i < from + count; i++) {
        cache.add(hashOf(i), image(keyOf(i), valueBytes, 1), 0, recordBytes(keyOf(i).length, valueBytes));
      }
    };
    fill(0, 5_000, 2_000);
    fill(100_000, 60_000, 100);
    // All of it would hold 6,500 of them.
    expect(cache.count).toBeGreaterThan(4_000);
    expect(cache.usedBytes).toBeLessThanOrEqual(1 << 20);
  });

  test("takes no memory before it is used, and gives it back", () => {
    const cache = new RecordCache(1 << 30);
    expect(cache.usedBytes).toBe(0);
    expect(cache.find(0, keyOf(1), hashOf(1))).toBe(false);
    cache.add(hashOf(1), image(keyOf(1), 10, 1), 0, recordBytes(4, 10));
    expect(cache.find(0, keyOf(1), hashOf(1))).toBe(true);
    expect(cache.find(1, keyOf(1), hashOf(1))).toBe(false);
    cache.clear();
    expect(cache.usedBytes).toBe(0);
    expect(cache.find(0, keyOf(1), hashOf(1))).toBe(false);
  });
});

function run(
  cache: RecordCache,
  known: Map<number, { valueBytes: number; fill: number }>,
  step: Step,
  fill: number,
): void {
  switch (step.kind) {
    case "read": {
      const { key, valueBytes, inPlace } = step;
      if (cache.find(0, keyOf(key), hashOf(key))) {
        expect(shown(cache)).toEqual(known.get(key));
        return;
      }
      const bytes = image(keyOf(key), valueBytes, fill);
      if (inPlace) {
        cache.reserve(bytes.length);
        cache.bytes.set(bytes, cache.offset);
        cache.publish(hashOf(key));
      } else {
        cache.add(hashOf(key), bytes, 0, bytes.length);
      }
      known.set(key, { valueBytes, fill: valueBytes === 0 ? 0 : fill });
      return;
    }
    case "commit":
      cache.invalidate(hashOf(step.key));
      expect(cache.find(0, keyOf(step.key), hashOf(step.key))).toBe(false);
      for (const key of known.keys()) if (hashOf(key) === hashOf(step.key)) known.delete(key);
      return;
    case "abandon":
      // What is reserved and never published is never found.
      cache.reserve(step.valueBytes);
      cache.bytes.fill(0xff, cache.offset, cache.offset + step.valueBytes);
      return;
    case "clear":
      cache.clear();
      known.clear();
  }
}
