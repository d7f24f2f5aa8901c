import fc from "fast-check";
import { expect, test } from "vitest";
import {
  blob, bool, decode, encode, type Layout, list, oneOf, struct, text, u32, u53, u8, variants,
} from "./layout.ts";

// Goal: what is written is read again, and bytes that were not written so are refused, whatever they are.

type Shape =
  | { readonly kind: "circle"; readonly radius: number; readonly filled: boolean }
  | { readonly kind: "path"; readonly name: string; readonly points: readonly Point[]; readonly data: Uint8Array };

interface Point {
  readonly x: number;
  readonly colour: "red" | "green";
}

const point: Layout<Point> = struct({ x: u32, colour: oneOf(["red", "green"]) });
const shape: Layout<Shape> = variants<Shape>({
  circle: [1, struct({ radius: u53, filled: bool })],
  path: [9, struct({ name: text, points: list(point), data: blob })],
});

const shapes: fc.Arbitrary<Shape> = fc.oneof(
  fc.record({ kind: fc.constant("circle" as const), radius: fc.maxSafeNat(), filled: fc.boolean() }),
  fc.record({
    kind: fc.constant("path" as const),
    name: fc.string({ unit: "grapheme" }),
    points: fc.array(fc.record({ x: fc.nat(), colour: fc.constantFrom("red" as const, "green" as const) })),
    data: fc.uint8Array(),
  }),
);

test("what is written is read again", () => {
  fc.assert(
    fc.property(shapes, (value) => {
      expect(decode(shape, encode(shape, value))).toEqual({ value });
    }),
  );
});

test("every proper prefix is refused, and so is a byte too many", () => {
  fc.assert(
    fc.property(shapes, fc.nat(), (value, at) => {
      const bytes = encode(shape, value);
      expect(decode(shape, bytes, 0, at % bytes.length)).toBeTypeOf("string");
      expect(decode(shape, Uint8Array.of(...bytes, 0))).toBeTypeOf("string");
    }),
  );
});

test("any bytes are a value or a refusal, never an exception", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const result = decode(shape, bytes);
      if (typeof result !== "string") expect(encode(shape, result.value)).toEqual(bytes);
    }),
  );
});

test("a count takes no memory on its word", () => {
  expect(decode(list(u8), Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1))).toMatch(/more items than the 1 bytes left/);
  expect(decode(blob, Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1))).toMatch(/more bytes than/);
});

test("integers beyond 2^53 - 1, unknown codes and broken text are refused", () => {
  expect(decode(u53, Uint8Array.of(0, 0, 0, 0, 0, 0, 0x20, 0))).toMatch(/value is 9007199254740992: 2\^53 or more/);
  expect(decode(bool, Uint8Array.of(2))).toMatch(/neither 0 nor 1/);
  expect(decode(shape, Uint8Array.of(7))).toMatch(/no known kind/);
  expect(decode(oneOf(["a"]), Uint8Array.of(2))).toMatch(/no code of a/);
  expect(decode(text, Uint8Array.of(1, 0, 0, 0, 0xff))).toMatch(/not UTF-8/);
});
