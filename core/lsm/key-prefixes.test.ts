// Goal: what prefixes rule out is ruled out rightly, for keys that are prefixes of each other, long common
// prefixes and mixed families. Method: fast-check against the position in the sorted list.
import fc from "fast-check";
import { expect, test } from "vitest";
import { KeyPrefixes } from "./key-prefixes.ts";
import {
  arenaFor, compareKeyOrder, keyArbitrary, recordsArbitrary, sortedUnique,
} from "./records.test-support.ts";

test("narrows to a range that holds every place the key may have", () => {
  const families = fc.constantFrom<number[]>([0], [0, 1, 2]);
  const target = fc.record({ family: fc.constantFrom(0, 0, 1, 3), key: keyArbitrary });
  const wanted = fc.array(target, { maxLength: 30 });
  fc.assert(
    fc.property(recordsArbitrary(40), families, wanted, (records, kept, targets) => {
      const sorted = sortedUnique(records.filter((record) => kept.includes(record.family)));
      if (sorted.length === 0) return;
      const arena = arenaFor(sorted);
      const offsets = Uint32Array.from(sorted, (record) => arena.append(record));
      const prefixes = new KeyPrefixes(arena.bytes, arena.view, offsets);
      for (const { family, key } of [...targets, ...sorted]) {
        prefixes.narrow(family, key);
        const plain = { family, key, version: 0, value: null, expiresAtMs: 0 };
        const before = sorted.filter((record) => compareKeyOrder(record, plain) < 0).length;
        const upTo = sorted.filter((record) => compareKeyOrder(record, plain) <= 0).length;
        expect(prefixes.low).toBeLessThanOrEqual(before);
        expect(prefixes.high).toBeGreaterThanOrEqual(upTo);
        expect(prefixes.high).toBeLessThanOrEqual(sorted.length);
      }
    }),
    { numRuns: 300 },
  );
});

test("tells keys apart behind a long common prefix", () => {
  const key = (n: number): Uint8Array => new TextEncoder().encode(String(n).padStart(16, "0"));
  const records = Array.from({ length: 1000 }, (_, i) => ({
    family: 0, key: key(i * 2), version: 1, value: null, expiresAtMs: 0,
  }));
  const arena = arenaFor(records);
  const offsets = Uint32Array.from(records, (record) => arena.append(record));
  const prefixes = new KeyPrefixes(arena.bytes, arena.view, offsets);
  for (let n = 0; n < 2000; n++) {
    prefixes.narrow(0, key(n));
    expect(prefixes.low).toBe(Math.ceil(n / 2));
    expect(prefixes.high - prefixes.low).toBe(1 - (n % 2));
  }
});
