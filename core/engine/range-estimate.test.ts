// Goal: sizes and sample keys are about right from indexes alone, in tables and in memory, and exact about nothing
// being there.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Batch } from "./batch.ts";
import { type Engine, openEngine } from "./engine.ts";
import { bytesOf, TestWorld, textOf } from "./test-world.test-support.ts";

const family = 0;

function keyOf(i: number): string {
  return `key-${String(i).padStart(6, "0")}`;
}

async function filled(count: number, flushed: boolean): Promise<{ world: TestWorld; engine: Engine }> {
  const world = new TestWorld();
  const options = { memtableBytes: 64 * 1024, blockBytes: 512, tableBytes: 32 * 1024 };
  const engine = await world.run(openEngine(world.boot(), "/db", options));
  const value = new Uint8Array(100);
  for (let i = 0; i < count; i += 50) {
    const batch = new Batch();
    for (let k = i; k < Math.min(count, i + 50); k++) batch.set(bytesOf(keyOf(k)), value);
    const done = new Promise<void>((resolve) => engine.commit(batch, () => resolve()));
    await world.run(done);
  }
  if (flushed) await world.run(engine.compact());
  return { world, engine };
}

describe("a range's size", () => {
  for (const flushed of [true, false]) {
    test(`is about its share of the data, ${flushed ? "in tables" : "partly in memory"}`, async () => {
      const count = 2000;
      const { engine } = await filled(count, flushed);
      const whole = engine.sizeOf({ family, start: bytesOf(""), end: null });
      expect(whole.records).toBeGreaterThan(count * 0.8);
      expect(whole.records).toBeLessThan(count * 1.2);
      fc.assert(
        fc.property(fc.nat(count), fc.nat(count), (a, b) => {
          const [from, to] = a < b ? [a, b] : [b, a];
          fc.pre(to - from > 200);
          const part = engine.sizeOf({ family, start: bytesOf(keyOf(from)), end: bytesOf(keyOf(to)) });
          const bytes = part.tableBytes + part.memtableBytes;
          const expected = ((whole.tableBytes + whole.memtableBytes) * (to - from)) / count;
          expect(bytes).toBeGreaterThan(expected * 0.5);
          expect(bytes).toBeLessThan(expected * 1.5);
        }),
        { numRuns: 50 },
      );
    });
  }

  test("is nothing where nothing is", async () => {
    const { engine } = await filled(200, true);
    const nothing = { tableBytes: 0, memtableBytes: 0, records: 0 };
    expect(engine.sizeOf({ family, start: bytesOf("x"), end: null })).toEqual(nothing);
    expect(engine.sizeOf({ family, start: bytesOf("a"), end: bytesOf("b") })).toEqual(nothing);
    expect(engine.sizeOf({ family: 1, start: bytesOf(""), end: null })).toEqual(nothing);
  });

  test("a reversed range is refused", async () => {
    const { engine } = await filled(50, true);
    expect(() => engine.sizeOf({ family, start: bytesOf("b"), end: bytesOf("a") })).toThrow("begins below its end");
  });
});

describe("sample keys", () => {
  test("divide the range into parts of about equal size", async () => {
    const count = 2000;
    const { engine } = await filled(count, true);
    const keys = engine.sampleKeys({ family, start: bytesOf(""), end: null }, 7).map((key) => textOf(key) ?? "");
    expect(keys).toHaveLength(7);
    for (const [i, key] of keys.entries()) {
      const expected = ((i + 1) * count) / 8;
      expect(Math.abs(Number(key.slice(4)) - expected)).toBeLessThan(count / 16);
    }
  });

  test("lie within the range, ascend, and never repeat its start", async () => {
    const { engine } = await filled(600, false);
    fc.assert(
      fc.property(fc.nat(600), fc.nat(600), fc.integer({ min: 1, max: 40 }), (a, b, most) => {
        const [from, to] = a < b ? [a, b] : [b, a];
        fc.pre(from < to);
        const range = { family, start: bytesOf(keyOf(from)), end: bytesOf(keyOf(to)) };
        const keys = engine.sampleKeys(range, most).map((key) => textOf(key) ?? "");
        expect(keys.length).toBeLessThanOrEqual(most);
        expect(keys).toEqual([...new Set(keys)].sort());
        for (const key of keys) expect(key > keyOf(from) && key < keyOf(to)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  test("a count out of bounds is refused", async () => {
    const { engine } = await filled(50, true);
    expect(() => engine.sampleKeys({ family, start: bytesOf(""), end: null }, 0)).toThrow("a sample of 0 keys");
  });
});
