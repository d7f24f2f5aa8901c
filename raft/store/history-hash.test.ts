import fc from "fast-check";
import { expect, test } from "vitest";
import { HistoryHash } from "./history-hash.ts";
import type { CommittedEntry } from "./region-machine.ts";

const entries: fc.Arbitrary<CommittedEntry[]> = fc.array(
  fc.record({
    index: fc.integer({ min: 1, max: 2 ** 53 - 1 }),
    term: fc.integer({ min: 1, max: 2 ** 40 }),
    data: fc.uint8Array({ maxLength: 9 }),
    proposal: fc.constant(0),
    stale: fc.boolean(),
  }),
  { minLength: 1, maxLength: 5 },
);

function hashOf(history: readonly CommittedEntry[]): string {
  const hash = new HistoryHash();
  for (const { index, term, data } of history) {
    hash.number(index);
    hash.number(term);
    hash.bytes(data);
  }
  return `${hash.high}/${hash.low}`;
}

test("replicas that applied the same agree, and one that went on from what the other stored does too", () => {
  fc.assert(
    fc.property(entries, entries, (before, after) => {
      const whole = hashOf([...before, ...after]);
      const [high, low] = hashOf(before).split("/").map(Number);
      const resumed = new HistoryHash(high, low);
      for (const { index, term, data } of after) {
        resumed.number(index);
        resumed.number(term);
        resumed.bytes(data);
      }
      expect(`${resumed.high}/${resumed.low}`).toBe(whole);
    }),
  );
});

test("one bit of one entry, one entry less, or another order is another history", () => {
  fc.assert(
    fc.property(entries, fc.nat(), (history, which) => {
      const at = which % history.length;
      const entry = history[at] as CommittedEntry;
      const [first = 0, ...rest] = entry.data;
      const data = Uint8Array.of(first ^ 1, ...rest);
      expect(hashOf(history.with(at, { ...entry, data }))).not.toBe(hashOf(history));
      expect(hashOf(history.toSpliced(at, 1))).not.toBe(hashOf(history));
      expect(hashOf([...history, { ...entry, index: entry.index + 1 }])).not.toBe(hashOf(history));
    }),
  );
});
