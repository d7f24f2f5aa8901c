// Goal: two databases have one content hash exactly when they show the same entries, however they are read.
// Method: known answers, every permutation and partition of a few entries, every bit of one flipped.
import { expect, test } from "vitest";
import {
  ContentHash,
  type ContentSum,
  contentSumLayout,
  contentText,
  parseContentText,
  sameContent,
} from "./content-hash.ts";
import { decode, encode } from "./layout.ts";

const encoder = new TextEncoder();
type Entry = readonly [key: string, value: string, expiresAtMs: number];

function sumOf(entries: readonly Entry[]): ContentSum {
  const hash = new ContentHash();
  for (const [key, value, expiresAtMs] of entries) {
    hash.entry(encoder.encode(key), encoder.encode(value), expiresAtMs);
  }
  return hash.sum;
}

const entries: readonly Entry[] = [["a", "1", 0], ["b", "", 5], ["", "x", 0], ["key", "value of some length", 2 ** 41]];

test("is part of the format of a seed: known answers", () => {
  expect(contentText(sumOf([]))).toBe("00000000000000000000000000000000");
  expect(contentText(sumOf(entries))).toMatchInlineSnapshot(`"ced0934071f195d0e0dd3623b65d4282"`);
  expect(parseContentText(contentText(sumOf(entries)))).toEqual(sumOf(entries).hash);
  expect(parseContentText("ced0934071f195d0e0dd3623b65d428")).toBeNull();
  expect(sumOf(entries)).toMatchObject({ count: 4, bytes: 27 });
});

test("neither order nor pages matter", () => {
  const whole = sumOf(entries);
  expect(sumOf([...entries].toReversed())).toEqual(whole);
  for (let mask = 0; mask < 2 ** entries.length; mask++) {
    const hash = new ContentHash();
    hash.add(sumOf(entries.filter((_, at) => (mask & (1 << at)) !== 0)));
    hash.add(sumOf(entries.filter((_, at) => (mask & (1 << at)) === 0)));
    expect(hash.sum).toEqual(whole);
  }
});

test("an entry that is there twice, is missing, or has its bytes elsewhere is another content", () => {
  const whole = sumOf(entries);
  const others: (readonly Entry[])[] = [
    entries.slice(1), [...entries, ["a", "1", 0]], [["a1", "", 0], ...entries.slice(1)],
    [["a", "1", 1], ...entries.slice(1)], [["a", "", 0], ["b", "1", 5], ...entries.slice(2)],
    [["a", "1\0", 0], ...entries.slice(1)],
  ];
  for (const other of others) expect(sameContent(sumOf(other), whole)).toBe(false);
});

test("every lane sees every bit", () => {
  const bytes = encoder.encode("0123456789");
  const plain = new ContentHash();
  plain.entry(bytes, bytes, 0);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const hash = new ContentHash();
    hash.entry(bytes, flipped, 0);
    for (let lane = 0; lane < 4; lane++) expect(hash.sum.hash[lane]).not.toBe(plain.sum.hash[lane]);
  }
});

test("travels", () => {
  const read = decode(contentSumLayout, encode(contentSumLayout, sumOf(entries)));
  expect(read).toMatchObject({ value: sumOf(entries) });
});
