// Goal: what is written of a change is what is read, and no damaged or crafted bytes lead outside of them.
// Method: fast-check over changes; every byte of an image changed; lengths and counts crafted under a right checksum.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { crc32 } from "../../core/bytes/crc32.ts";
import { changeBytes, changeHeaderBytes, ChangeReader, encodeChange, type LogChange } from "./log-change.ts";

const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const data = fc.uint8Array({ maxLength: 40 });
const hard = fc.record({ term: number, vote: number, commit: number });
const start = fc.record({ index: number, term: number });

const entry = fc.tuple(number, fc.nat(255), data);
const entries = fc
  .tuple(fc.integer({ min: 1, max: 2 ** 40 }), fc.array(entry, { minLength: 1, maxLength: 5 }))
  .map(([first, list]) => list.map(([term, kind, bytes], i) => ({ index: first + i, term, kind, data: bytes })));

const change: fc.Arbitrary<LogChange> = fc.oneof(
  fc.record({ op: fc.constantFrom("entries" as const, "moved" as const), group: number, entries }),
  fc.record({ op: fc.constant("hard" as const), group: number, hard }),
  fc.record({ op: fc.constant("snapshot" as const), group: number, start, meta: data }),
  fc.record({ op: fc.constant("compact" as const), group: number, start }),
  fc.record({ op: fc.constant("note" as const), group: number, key: fc.nat(9), value: fc.option(data) }),
  fc.record({ op: fc.constant("destroy" as const), group: number }),
  fc.record({ op: fc.constant("restated" as const), group: number, hard, start, meta: data }),
  fc.record({ op: fc.constantFrom("begin" as const, "complete" as const), segment: number }),
);

function imageOf(changes: readonly LogChange[]): Uint8Array {
  const bytes = new Uint8Array(changes.reduce((sum, one) => sum + changeBytes(one), 0)).fill(0xee);
  let at = 0;
  for (const one of changes) at = encodeChange(one, bytes, new DataView(bytes.buffer), at);
  return bytes;
}

function read(bytes: Uint8Array, end = bytes.length): LogChange[] | string {
  const reader = new ChangeReader(bytes, 0, end);
  const found: LogChange[] = [];
  for (;;) {
    const next = reader.next();
    if (next === null) return found;
    if (typeof next === "string") return next;
    found.push(next);
  }
}

describe("changes of a log", () => {
  test("are read as they were written, whatever stood in the buffer", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 6 }), (changes) => {
        expect(read(imageOf(changes))).toEqual(changes);
      }),
    );
  });

  test("are never read from a part of their bytes", () => {
    fc.assert(
      fc.property(change, fc.nat(), (one, cut) => {
        const bytes = imageOf([one]);
        const end = 1 + (cut % (bytes.length - 1));
        expect(typeof read(bytes, end)).toBe("string");
      }),
    );
  });

  test("are read or refused, whatever the bytes", () => {
    fc.assert(
      fc.property(change, fc.nat(), fc.integer({ min: 1, max: 255 }), (one, at, flip) => {
        const bytes = imageOf([one]);
        const place = at % bytes.length;
        bytes[place] = (bytes[place] ?? 0) ^ flip;
        const found = read(bytes);
        if (typeof found !== "string") expect(found.length).toBe(1);
      }),
    );
  });

  test("with entries that lie about their number are refused although the checksum is right", () => {
    const only = { index: 1, term: 1, kind: 0, data: new Uint8Array(3) };
    const bytes = imageOf([{ op: "entries", group: 1, entries: [only] }]);
    const view = new DataView(bytes.buffer);
    for (const count of [0, 2, 0xffff_ffff]) {
      view.setUint32(changeHeaderBytes + 4, count, true);
      view.setUint32(changeHeaderBytes, crc32(bytes, changeHeaderBytes + 4, bytes.length, 0), true);
      expect(typeof read(bytes)).toBe("string");
    }
  });
});
