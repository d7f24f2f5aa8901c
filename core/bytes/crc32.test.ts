// Goal: one checksum, whatever the length and however it is computed; salts that tell places apart.
// Method: the published check value, zlib as the reference, and properties over random bytes.
import { crc32 as zlibCrc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { crc32, crc32Sliced, salt } from "./crc32.ts";

describe("crc32", () => {
  test("gives the published check value", () => {
    const digits = new TextEncoder().encode("123456789");
    expect(crc32(digits, 0, digits.length, 0)).toBe(0xcbf43926);
    expect(crc32Sliced(digits, 0, digits.length, 0)).toBe(0xcbf43926);
    expect(crc32(digits, 4, 4, 77)).toBe(77);
  });

  test("agrees with zlib for every length, range and seed", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 600 }),
        fc.nat(40),
        fc.integer({ min: 0, max: 0xffffffff }),
        (bytes, skip, seed) => {
          const start = Math.min(skip, bytes.length);
          const expected = zlibCrc32(bytes.subarray(start), seed);
          expect(crc32(bytes, start, bytes.length, seed)).toBe(expected);
          expect(crc32Sliced(bytes, start, bytes.length, seed)).toBe(expected);
        },
      ),
    );
  });

  test("continues over parts", () => {
    const bytes = Uint8Array.from({ length: 900 }, (_, i) => (i * 31) & 0xff);
    const whole = crc32(bytes, 0, 900, 5);
    for (const cut of [0, 1, 255, 256, 500, 900]) {
      expect(crc32(bytes, cut, 900, crc32(bytes, 0, cut, 5))).toBe(whole);
    }
  });
});

describe("salt", () => {
  test("is an unsigned 32-bit integer for the largest arguments", () => {
    for (const value of [0, 1, 0xffffffff, 0x1_0000_0000, Number.MAX_SAFE_INTEGER]) {
      const salted = salt(value, value);
      expect(salted).toBe(salted >>> 0);
    }
  });

  test("tells every pair of places apart in a grid of files and offsets", () => {
    const seen = new Set<number>();
    for (let file = 1; file <= 40; file++) {
      for (let offset = 0; offset < 40; offset++) seen.add(salt(file, offset * 4096));
    }
    expect(seen.size).toBe(1600);
    expect(salt(1, 0x1_0000_0000)).not.toBe(salt(1, 0));
    expect(salt(0x1_0000_0000, 0)).not.toBe(salt(0, 0));
  });
});
