// Goal: records are sorted as a comparator would sort them, whatever their keys have in common.
// Method: properties over keys of few letters, with long shared stretches and many versions, against `Array.sort`.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { recordBytes, recordKind, writeVersion } from "../bytes/record.ts";
import { compareRecords } from "./record-order.ts";
import { mergeSorted, sortRecords } from "./record-sort.ts";

interface Made {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** In order of arrival; versions go up. */
  readonly offsets: Uint32Array;
}

function arena(keys: readonly { readonly family: number; readonly key: Uint8Array }[]): Made {
  const length = keys.reduce((sum, { key }) => sum + recordBytes(key.length, 1), 0);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  const offsets = new Uint32Array(keys.length);
  let at = 0;
  for (const [i, { family, key }] of keys.entries()) {
    view.setUint32(at, 1, true);
    view.setUint16(at + 4, key.length, true);
    view.setUint8(at + 6, recordKind.value);
    view.setUint8(at + 7, family);
    writeVersion(view, at, 2 ** 40 + i);
    bytes.set(key, at + 24);
    offsets[i] = at;
    at += recordBytes(key.length, 1);
  }
  return { bytes, view, offsets };
}

function expected({ bytes, view, offsets }: Made): number[] {
  return [...offsets].sort((a, b) => compareRecords(bytes, view, a, bytes, view, b));
}

function sorted({ bytes, view, offsets }: Made): number[] {
  const target = offsets.slice();
  sortRecords(bytes, view, target);
  return [...target];
}

const letters = fc.constantFrom(0, 1, 48, 49, 57, 97, 254, 255);
const stem = fc.constantFrom("", "user", "u".repeat(31), "u".repeat(32), "u".repeat(33), "u".repeat(100));
const keys = fc.array(
  fc.record({
    family: fc.constantFrom(0, 0, 0, 1, 4, 254),
    key: fc
      .tuple(stem, fc.uint8Array({ maxLength: 12 }), fc.array(letters, { maxLength: 40 }))
      .map(([first, some, rest]) => Uint8Array.from([...new TextEncoder().encode(first), ...rest, ...some])),
  }),
  { maxLength: 300, size: "max" },
);

describe("sorting records", () => {
  test("gives the order of a comparator", () => {
    fc.assert(
      fc.property(keys, (drawn) => {
        const made = arena(drawn);
        expect(sorted(made)).toEqual(expected(made));
      }),
      { numRuns: 150 },
    );
  });

  test("many versions of few keys come newest first", () => {
    const few = ["a", "b", "c"].map((letter) => new TextEncoder().encode("k".repeat(70) + letter));
    const one = fc.constantFrom(...few).map((key) => ({ family: 0, key }));
    const drawn = fc.array(one, { minLength: 13, maxLength: 80 });
    fc.assert(
      fc.property(drawn, (some) => {
        const made = arena(some);
        expect(sorted(made)).toEqual(expected(made));
      }),
      { numRuns: 100 },
    );
  });

  test("numbers of a hundred thousand keys leave no tie", () => {
    const encoder = new TextEncoder();
    const drawn = Array.from({ length: 100_000 }, (_, i) => {
      const text = String((i * 7_919) % 50_000).padStart(16, "0");
      return { family: 0, key: encoder.encode(text) };
    });
    const made = arena(drawn);
    expect(sorted(made)).toEqual(expected(made));
  });

  test("sorted lists are merged", () => {
    fc.assert(
      fc.property(keys, fc.integer({ min: 0, max: 300 }), (drawn, cut) => {
        const made = arena(drawn);
        const one = made.offsets.slice(0, cut);
        const other = made.offsets.slice(cut);
        sortRecords(made.bytes, made.view, one);
        sortRecords(made.bytes, made.view, other);
        expect([...mergeSorted(made.bytes, made.view, one, other)]).toEqual(expected(made));
      }),
      { numRuns: 50 },
    );
  });
});
