// Goal: what is written is read back, and bytes from anywhere give a value or a MalformedError, never more memory.
// Method: values and programs of calls from fast-check; vectors worked out by hand.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteReader, MalformedError } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";

const safe = fc.maxSafeNat();
const part = fc.oneof(
  fc.record({ kind: fc.constant("u8" as const), value: fc.nat(0xff) }),
  fc.record({ kind: fc.constant("u16" as const), value: fc.nat(0xffff) }),
  fc.record({ kind: fc.constant("u32" as const), value: fc.nat(0xffff_ffff) }),
  fc.record({ kind: fc.constant("u53" as const), value: safe }),
  fc.record({ kind: fc.constant("varint" as const), value: fc.oneof(safe, fc.nat(300)) }),
);

function written(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter();
  write(writer);
  return writer.toBytes();
}

describe("round trips", () => {
  test("integers of every width", () => {
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        const reader = new ByteReader(
          written((writer) => {
            for (const { kind, value } of parts) writer[kind](value);
          }),
        );
        for (const { kind, value } of parts) expect(reader[kind]("x")).toBe(value);
        reader.end("x");
      }),
    );
  });

  test("byte strings, texts, lists and maps", () => {
    const map = fc.uniqueArray(fc.tuple(safe, fc.uint8Array()), { selector: ([key]) => key });
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "binary" })), fc.uint8Array(), map, (texts, bytes, entries) => {
        const sound = texts.map((text) => text.toWellFormed());
        const all = written((writer) => {
          writer.list(sound, (to, item) => to.text(item));
          writer.bytes(bytes);
          writer.map(new Map(entries), (to, value) => to.bytes(value));
          writer.bool(true);
          writer.raw(bytes);
        });
        const reader = new ByteReader(all);
        expect(reader.list("list", 1_000, (from) => from.text("item", 10_000))).toEqual(sound);
        expect(reader.copy("bytes", 10_000)).toEqual(bytes);
        const read = reader.map("map", 1_000, (from) => from.copy("value", 10_000));
        expect([...read]).toEqual(entries.toSorted(([a], [b]) => a - b));
        expect(reader.bool("bool")).toBe(true);
        expect(reader.rest()).toEqual(bytes);
      }),
    );
  });

  test("a cleared writer writes over its memory", () => {
    const writer = new ByteWriter();
    writer.raw(new Uint8Array(10_000).fill(7));
    const { capacity } = writer;
    writer.clear();
    expect(writer.skip(4)).toBe(0);
    writer.setU32(0, 0xdeadbeef);
    expect([...writer.view()]).toEqual([0xef, 0xbe, 0xad, 0xde]);
    expect(writer.capacity).toBe(capacity);
  });

  test("as FORMATS.md says", () => {
    const bytes = written((writer) => {
      writer.varint(0);
      writer.varint(300);
      writer.varint(Number.MAX_SAFE_INTEGER);
      writer.u53(2 ** 32 + 5);
      writer.text("é");
    });
    expect([...bytes]).toEqual([
      0, 0xac, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 15, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0xc3, 0xa9,
    ]);
  });
});

describe("bad input", () => {
  const cases: readonly [string, number[], (reader: ByteReader) => unknown, RegExp][] = [
    ["a number cut short", [1, 2, 3], (r) => r.u32("term"), /^term is 4: more bytes than the 3 left$/],
    ["2^53", [0, 0, 0, 0, 0, 0, 32, 0], (r) => r.u53("index"), /^index is 9007199254740992: 2\^53 or more$/],
    ["a varint of 2^53", [128, 128, 128, 128, 128, 128, 128, 16], (r) => r.varint("n"), /2\^53 or more/],
    ["a padded varint", [0x81, 0], (r) => r.varint("n"), /not the shortest/],
    ["an endless varint", Array.from({ length: 20 }, () => 0xff), (r) => r.varint("n"), /more than 8 bytes/],
    ["a boolean of 2", [2], (r) => r.bool("reject"), /^reject is 2: neither/],
    ["a long byte string", [5, 1, 2, 3, 4, 5], (r) => r.bytes("key", 4), /^key is 5: more than 4$/],
    ["a length of a gigabyte", [0x80, 0x80, 0x80, 0x80, 4], (r) => r.bytes("key", 2 ** 31), /more bytes than the 0/],
    ["a long list", [3, 0, 0, 0], (r) => r.list("peers", 2, (of) => of.u8("peer")), /^peers is 3: more than 2$/],
    ["a hollow list", [200, 1, 1], (r) => r.list("peers", 999, (of) => of.u8("p")), /more items than the 1 bytes/],
    ["a map out of order", [2, 5, 0, 5, 0], (r) => r.map("m", 9, (of) => of.u8("v")), /^m is 5: a key that does/],
    ["text that is not UTF-8", [1, 0xff], (r) => r.text("reason", 9), /^reason is 1: bytes that are not UTF-8$/],
    ["bytes behind the end", [1], (r) => r.end("hello"), /^hello is 1: bytes behind its end$/],
  ];
  test.each(cases)("%s", (_, bytes, read, message) => {
    expect(() => read(new ByteReader(Uint8Array.from(bytes)))).toThrow(message);
    expect(() => read(new ByteReader(Uint8Array.from(bytes)))).toThrow(MalformedError);
  });

  test("any bytes give values or a MalformedError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const reader = new ByteReader(bytes);
        try {
          reader.list("a", 8, (of) => of.varint("b"));
          reader.map("c", 8, (of) => of.text("d", 16));
          reader.u53("e");
        } catch (error) {
          if (!(error instanceof MalformedError)) throw error;
          expect(error.field).toMatch(/^[a-e]$/);
        }
      }),
    );
  });
});
