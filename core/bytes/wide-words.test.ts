// Goal: pairs of words are sorted as the 64 bit integers they are.
// Method: against a sort of pairs by a comparator, over the whole range of both words.
import fc from "fast-check";
import { expect, test } from "vitest";
import { WideWords } from "./wide-words.ts";

test("integers are sorted by their high words, then by their low ones", () => {
  const word = fc.integer({ min: 0, max: 0xffff_ffff });
  const pairs = fc.array(fc.tuple(fc.oneof(word, fc.constantFrom(0, 1, 0x8000_0000)), word), { maxLength: 40 });
  fc.assert(
    fc.property(pairs, (drawn) => {
      const wide = new WideWords(drawn.length);
      for (const [i, [high, low]] of drawn.entries()) {
        wide.words[2 * i + wide.highAt] = high;
        wide.words[2 * i + wide.lowAt] = low;
      }
      wide.sort();
      const sorted = drawn.map((_, i) => [wide.words[2 * i + wide.highAt], wide.words[2 * i + wide.lowAt]]);
      expect(sorted).toEqual([...drawn].sort((a, b) => a[0] - b[0] || a[1] - b[1]));
    }),
  );
});
