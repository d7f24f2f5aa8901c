import fc from "fast-check";
import { expect, test } from "vitest";
import { compareKeys } from "../../core/bytes/record.ts";
import { compareText, show, toBytes, toText } from "./text.ts";

// Goal: binary strings carry bytes without loss and order like them.

const bytes = fc.uint8Array({ maxLength: 8 });

test("round trip", () => {
  fc.assert(
    fc.property(bytes, (some) => {
      expect(toBytes(toText(some))).toEqual(some);
    }),
  );
  expect(() => toBytes("\u0100")).toThrow(RangeError);
});

test("the order of binary strings is the order of keys", () => {
  const property = fc.property(bytes, bytes, (a, b) => {
    expect(Math.sign(compareText(toText(a), toText(b)))).toBe(Math.sign(compareKeys(a, b)));
  });
  fc.assert(property);
});

test("shown text is printable and short", () => {
  expect(show(null)).toBe("nothing");
  expect(show('a"\x00\xff')).toBe('"a\\x22\\x00\\xff"');
  expect(show("x".repeat(100))).toMatch(/^"x{24}"… \(100 bytes\)$/);
});
