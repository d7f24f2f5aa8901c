// Goal: integers have exactly Redis's text and range. Method: examples of every refusal, and a round trip
// over the whole 64-bit range against BigInt's own parser.
import fc from "fast-check";
import { expect, test } from "vitest";
import { formatDecimal, int64Max, int64Min, parseDecimal } from "./decimal.ts";

function parse(text: string): number | bigint | null {
  const bytes = new TextEncoder().encode(`x${text}y`);
  return parseDecimal(bytes, 1, bytes.length - 1);
}

test("canonical integers parse", () => {
  expect(parse("0")).toBe(0);
  expect(parse("-1")).toBe(-1);
  expect(parse("999999999999999")).toBe(999_999_999_999_999);
  expect(parse("1000000000000000")).toBe(1_000_000_000_000_000n);
  expect(parse("9223372036854775807")).toBe(int64Max);
  expect(parse("-9223372036854775808")).toBe(int64Min);
});

test("everything else is refused", () => {
  const wrong = ["", "-", "+1", "01", "-0", "00", " 1", "1 ", "1.0", "1e3", "0x1", "--1", "1-", "a", "٣"];
  wrong.push("9223372036854775808", "-9223372036854775809", "10000000000000000000", "9".repeat(40));
  for (const text of wrong) expect([text, parse(text)]).toEqual([text, null]);
});

test("parsing and formatting are inverse over the whole range", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: int64Min, max: int64Max }), (value) => {
      const bytes = formatDecimal(value);
      expect(new TextDecoder().decode(bytes)).toBe(value.toString());
      expect(BigInt(parseDecimal(bytes, 0, bytes.length) ?? "nothing")).toBe(value);
    }),
  );
});
