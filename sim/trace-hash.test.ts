// Goal: everything that goes in counts, in its order and with its type of content.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TraceHash } from "./trace-hash.ts";

type Item = number | string | Uint8Array;

function digest(items: readonly Item[]): string {
  const hash = new TraceHash();
  for (const item of items) {
    if (typeof item === "number") hash.number(item);
    else if (typeof item === "string") hash.text(item);
    else hash.bytes(item, 0, item.length);
  }
  return hash.digest();
}

describe("TraceHash", () => {
  test("has 16 hexadecimal digits and depends on content alone", () => {
    expect(digest([])).toMatch(/^[0-9a-f]{16}$/);
    expect(digest([1, "a", Uint8Array.of(1)])).toBe(digest([1, "a", Uint8Array.of(1)]));
  });

  test("any difference shows", () => {
    const item = fc.oneof(fc.maxSafeInteger(), fc.string(), fc.uint8Array({ maxLength: 200 }));
    fc.assert(
      fc.property(fc.array(item), fc.array(item), (a, b) => {
        const same = JSON.stringify(a) === JSON.stringify(b);
        expect(digest(a) === digest(b)).toBe(same);
      }),
    );
  });

  test.each([
    ["order", [1, 2], [2, 1]],
    ["the high half of a number", [1], [1 + 2 ** 32]],
    ["the sign", [5], [-5]],
    ["where a string ends", ["ab", "c"], ["a", "bc"]],
    ["trailing zeros", [new Uint8Array(3)], [new Uint8Array(4)]],
    ["a number and a number twice", [0], [0, 0]],
  ])("counts %s", (_, a, b) => {
    expect(digest(a)).not.toBe(digest(b));
  });

  test.each([70, 511, 512, 1_001])("%d bytes hash the same from any place in memory", (length) => {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 7) % 251);
    const moved = new Uint8Array(2_000);
    for (const offset of [0, 1, 3, 7]) {
      moved.set(bytes, offset);
      const hash = new TraceHash();
      hash.bytes(moved, offset, offset + bytes.length);
      expect(hash.digest()).toBe(digest([bytes]));
    }
  });

  test("a flip of any one bit of a long byte string shows", () => {
    const bytes = new Uint8Array(300);
    const seen = new Set([digest([bytes])]);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >>> 3] = 1 << (bit & 7);
      seen.add(digest([flipped]));
    }
    expect(seen.size).toBe(1 + bytes.length * 8);
  });
});
