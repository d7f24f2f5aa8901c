// Goal: whatever is put into the cache in whatever order, no two regions overlap, and nothing newer gives way.
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Region, RegionCache } from "./region-cache.ts";

function region(id: number, start: number, end: number | null, version: number): Region {
  const range = { start: Uint8Array.of(start), end: end === null ? null : Uint8Array.of(end) };
  return { id, range, version };
}

test("a newer region takes the place of all that it overlaps, an older one of none", () => {
  const cache = new RegionCache();
  expect(cache.insert(region(1, 0, null, 1))).toBe(true);
  expect(cache.insert(region(2, 5, null, 2))).toBe(true);
  expect(cache.find(Uint8Array.of(3))).toBeNull();
  expect(cache.insert(region(1, 0, null, 1))).toBe(false);
  expect(cache.insert(region(1, 0, 5, 2))).toBe(true);
  expect(cache.find(Uint8Array.of(4, 9))?.id).toBe(1);
  expect(cache.insert(region(3, 0, null, 3))).toBe(true);
  expect(cache.find(Uint8Array.of(7))?.id).toBe(3);
  cache.invalidate(region(3, 0, null, 2));
  expect(cache.find(Uint8Array.of(7))?.id).toBe(3);
  cache.invalidate(region(3, 0, null, 3));
  expect(cache.find(Uint8Array.of(7))).toBeNull();
});

test("what is found holds the key, and is the newest that was accepted there", () => {
  const regions = fc.array(fc.tuple(fc.nat(8), fc.nat(8), fc.boolean(), fc.nat(5)), { maxLength: 12 });
  fc.assert(
    fc.property(regions, (drawn) => {
      const cache = new RegionCache();
      const model: (Region | null)[] = Array.from({ length: 20 }, () => null);
      for (const [i, [start, length, isLast, version]] of drawn.entries()) {
        const end = isLast ? null : start + length + 1;
        const given = region(i, start, end, version);
        const under = model.slice(start, end ?? model.length);
        const accepted = under.every((known) => known === null || known.version <= version);
        expect(cache.insert(given)).toBe(accepted);
        if (!accepted) continue;
        for (const [at, known] of model.entries()) if (known !== null && under.includes(known)) model[at] = null;
        model.fill(given, start, end ?? model.length);
      }
      for (const [at, known] of model.entries()) expect(cache.find(Uint8Array.of(at))).toEqual(known);
    }),
    { numRuns: 500 },
  );
});
