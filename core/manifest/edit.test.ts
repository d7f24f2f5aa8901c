// Goal: an edit is read back as it was written, and no crafted bytes lead outside them or to more memory.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bound, type TableMeta } from "../lsm/table-meta.ts";
import type { ValueFileMeta } from "../vlog/value-file.ts";
import { decodeEdit, editBytes, encodeEdit, type ManifestEdit } from "./edit.ts";
import { gateModes } from "./format-gate.ts";

const u53 = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const key = fc.uint8Array({ maxLength: 20 }).map((bytes) => bound(0, bytes));
const table: fc.Arbitrary<TableMeta> = fc.record({
  number: u32, level: fc.nat(6), sizeBytes: u53, recordCount: u53, tombstoneCount: u53, expiringCount: u53,
  minVersion: u53, maxVersion: u53, codec: u32, rawBytes: u53, smallest: key, largest: key,
  valueRefs: fc.array(fc.record({ file: u32, records: u53, bytes: u53 }), { maxLength: 3 }),
  largestExcluded: fc.boolean(), rangeTombstoneCount: u53, pointMaxVersion: u53, staleAtMs: u53,
});
const valueFile: fc.Arbitrary<ValueFileMeta> = fc
  .record({ number: u32, kind: fc.constantFrom("log", "values"), sizeBytes: u53, share: fc.nat(100) })
  .map(({ share, ...file }) => ({ ...file, separableBytes: Math.floor(file.sizeBytes / 100) * share }));
const edits: fc.Arbitrary<ManifestEdit> = fc.record({
  kind: fc.constantFrom("base", "change"),
  logNumber: u32, nextFile: u53, lastVersion: u53, closedBytes: u32,
  listed: fc.array(u32, { maxLength: 4 }),
  removed: fc.array(u32, { maxLength: 4 }),
  added: fc.array(table, { maxLength: 3 }),
  valuesRemoved: fc.array(u32, { maxLength: 4 }),
  valuesAdded: fc.array(valueFile, { maxLength: 3 }),
  gate: fc.option(fc.record({
    mode: fc.constantFrom(...gateModes), migrationId: fc.stringMatching(/^[0-9a-f-]{0,20}$/),
  })),
});

function encoded(edit: ManifestEdit, margin = 0): Uint8Array {
  const bytes = new Uint8Array(editBytes(edit) + 2 * margin).fill(0xaa);
  encodeEdit(edit, bytes, new DataView(bytes.buffer), margin);
  return bytes;
}

describe("edits", () => {
  test("are read back as they were written, in their place and not beyond", () => {
    fc.assert(
      fc.property(edits, (edit) => {
        const bytes = encoded(edit, 8);
        expect(decodeEdit(bytes, 8, bytes.length - 8)).toEqual(edit);
        expect(bytes.subarray(0, 8)).toEqual(new Uint8Array(8).fill(0xaa));
        expect(bytes.subarray(bytes.length - 8)).toEqual(new Uint8Array(8).fill(0xaa));
        expect(editBytes(edit) % 4).toBe(0);
      }),
    );
  });

  test("of any other length are refused", () => {
    fc.assert(
      fc.property(edits, fc.nat(), (edit, cut) => {
        const bytes = encoded(edit);
        expect(typeof decodeEdit(bytes, 0, cut % bytes.length)).toBe("string");
        const longer = new Uint8Array(bytes.length + 4);
        longer.set(bytes);
        expect(typeof decodeEdit(longer, 0, longer.length)).toBe("string");
      }),
    );
  });

  test("with any field overwritten decode to something or are refused, and read nothing outside", () => {
    fc.assert(
      fc.property(edits, fc.nat(), u32, (edit, place, value) => {
        const bytes = encoded(edit);
        new DataView(bytes.buffer).setUint32((place * 4) % bytes.length, value, true);
        const decoded = decodeEdit(bytes, 0, bytes.length);
        if (typeof decoded !== "string") expect(editBytes(decoded)).toBe(bytes.length);
      }),
      { numRuns: 1000 },
    );
  });
});
