// Goal: Redis's glob, in bounded time. Method: examples checked against a Redis 7 server, a recursive
// reference on small alphabets, and the pattern that makes naive matchers run for ages.
import fc from "fast-check";
import { expect, test } from "vitest";
import { Glob } from "./glob.ts";

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));

function matches(pattern: string, text: string): boolean {
  return new Glob(bytes(pattern)).matches(bytes(text));
}

test.each<[string, string, boolean]>([
  ["*", "", true],
  ["", "", true],
  ["", "a", false],
  ["a", "a", true],
  ["a", "A", false],
  ["?", "", false],
  ["?", "é", true],
  ["h?llo", "hello", true],
  ["h*llo", "heeeello", true],
  ["h*llo", "hllo", true],
  ["h[ae]llo", "hallo", true],
  ["h[ae]llo", "hillo", false],
  ["h[^e]llo", "hbllo", true],
  ["h[^e]llo", "hello", false],
  ["h[a-c]llo", "hbllo", true],
  ["h[c-a]llo", "hbllo", true],
  ["h[a-c]llo", "hdllo", false],
  ["[a-]", "-", false],
  ["[a-]", "]", true],
  ["[\\]]", "]", true],
  ["[\\-x]", "-", true],
  ["[]", "]", false],
  ["[^]", "x", true],
  ["[abc", "b", true],
  ["[abc", "d", false],
  ["a\\*b", "a*b", true],
  ["a\\*b", "axb", false],
  ["a\\", "a\\", true],
  ["a**b", "ab", true],
  ["*a*b*", "xxaxxbxx", true],
  ["*a*b", "xxaxxbxx", false],
  ["a*", "b", false],
  ["a*\xff", "a\x00\xff", true],
])("%j on %j", (pattern, text, expected) => {
  expect(matches(pattern, text)).toBe(expected);
});

test("agrees with a recursive reference", () => {
  const reference = (pattern: string, text: string): boolean => {
    if (pattern === "") return text === "";
    if (pattern.startsWith("*")) {
      return reference(pattern.slice(1), text) || (text !== "" && reference(pattern, text.slice(1)));
    }
    if (text === "") return false;
    const rest = text.slice(1);
    if (pattern.startsWith("?")) return reference(pattern.slice(1), rest);
    if (pattern.startsWith("[ab]")) return "ab".includes(text.charAt(0)) && reference(pattern.slice(4), rest);
    return pattern.charAt(0) === text.charAt(0) && reference(pattern.slice(1), rest);
  };
  const parts = fc.array(fc.constantFrom("*", "?", "a", "b", "[ab]"), { maxLength: 8 });
  const texts = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 10 });
  fc.assert(
    fc.property(parts, texts, (pattern, text) => {
      expect(matches(pattern.join(""), text.join(""))).toBe(reference(pattern.join(""), text.join("")));
    }),
    { numRuns: 2000 },
  );
});

test("many stars take no more than length times length steps", () => {
  const glob = new Glob(bytes(`${"a*".repeat(100)}b`));
  const text = new Uint8Array(65_536).fill(0x61);
  expect(glob.matches(text)).toBe(false);
  expect(glob.steps).toBeLessThan(3 * 65_536);
  const worst = new Glob(bytes(`*${"a".repeat(200)}b`));
  expect(worst.matches(text)).toBe(false);
  expect(worst.steps).toBeLessThan(203 * 65_536);
});
