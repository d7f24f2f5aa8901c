import fc from "fast-check";
import { expect, test } from "vitest";
import { ByteSlab } from "./byte-slab.ts";

// Goal: a copy equals its source and stays so, whatever is copied later or written into other copies.
// Method: random ranges, every copy overwritten by its owner once the next one exists.

test("copies are exact, separate, and independent of their source", () => {
  const lengths = fc.array(fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 15_000, max: 17_000 })));
  fc.assert(
    fc.property(lengths, (wanted) => {
      const slab = new ByteSlab();
      const source = new Uint8Array(20_000);
      const copies: { readonly copy: Uint8Array; readonly fill: number }[] = [];
      for (const [index, length] of wanted.entries()) {
        const fill = (index % 250) + 1;
        source.fill(fill, 3, 3 + length);
        const copy = slab.copy(source, 3, 3 + length);
        source.fill(0);
        expect(copy.length).toBe(length);
        copies.push({ copy, fill });
      }
      for (const { copy, fill } of copies) {
        expect(copy.every((byte) => byte === fill)).toBe(true);
        copy.fill(255);
      }
    }),
    { numRuns: 50 },
  );
});

test("small copies share memory, long ones do not", () => {
  const slab = new ByteSlab();
  const source = new Uint8Array(100_000);
  expect(slab.copy(source, 0, 10).buffer).toBe(slab.copy(source, 0, 10).buffer);
  expect(slab.copy(source, 0, 50_000).buffer.byteLength).toBe(50_000);
});
