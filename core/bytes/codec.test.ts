// Goal: a codec gives back what it packed, whatever else it is given is refused within the memory that was asked
// for, and the numbers in files keep their meaning.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { codecId, codecName, codecOf, isAvailable, missingCodec } from "./codec.ts";

const packing = ["deflate", "zstd"] as const;

test("numbers of codecs never change", () => {
  expect(codecId).toEqual({ none: 0, deflate: 1, zstd: 2 });
  expect([0, 1, 2, 3].map((id) => codecName(id))).toEqual(["none", "deflate", "zstd", "unknown (3)"]);
  expect(codecOf(0)).toBe(null);
  expect(missingCodec(1)).toBe(null);
  expect(missingCodec(3)).toContain("codec number 3");
  expect(missingCodec(-1)).toContain("unknown");
  expect(isAvailable("zstd")).toBe(missingCodec(2) === null);
});

describe.each(packing)("%s", (name) => {
  const codec = codecOf(codecId[name]);
  if (codec === null) throw new RangeError("a codec has functions");
  const image = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 300 }),
    fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 8 }), fc.integer({ min: 1, max: 900 })).map(([bytes, times]) => {
      const repeated = new Uint8Array(bytes.length * times);
      for (let i = 0; i < times; i++) repeated.set(bytes, i * bytes.length);
      return repeated;
    }),
  );

  test("gives back what it packed, in memory of its own", () => {
    fc.assert(
      fc.property(image, (bytes) => {
        const unpacked = codec.decompress(codec.compress(bytes), bytes.length);
        expect(unpacked).toEqual(bytes);
        expect(unpacked?.buffer.byteLength).toBe(bytes.length);
      }),
    );
  });

  test("refuses another length, cut images and noise", () => {
    fc.assert(
      fc.property(image, fc.nat(), fc.uint8Array({ maxLength: 60 }), (bytes, cut, noise) => {
        const packed = codec.compress(bytes);
        expect(codec.decompress(packed, bytes.length + 1)).toBe(null);
        if (bytes.length > 1) expect(codec.decompress(packed, bytes.length - 1)).toBe(null);
        const shorter = codec.decompress(packed.subarray(0, cut % packed.length), bytes.length);
        if (shorter !== null) expect(shorter).toEqual(bytes);
        const anything = codec.decompress(noise, 100);
        if (anything !== null) expect(anything.length).toBe(100);
      }),
    );
  });

  test("takes no more memory than was asked for, however large the image would be", () => {
    const bomb = codec.compress(new Uint8Array(64 << 20));
    expect(bomb.length).toBeLessThan(1_000_000);
    const before = process.memoryUsage().arrayBuffers;
    expect(codec.decompress(bomb, 4096)).toBe(null);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 << 20);
  });
});
