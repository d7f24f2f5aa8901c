// Goal: the cache stays within its budget, forgets closed tables, keeps what is read often, and evicts the
// same blocks for the same calls. Method: fast-check drives it with random reads; a slot is filled exactly
// while cached.
import fc from "fast-check";
import { expect, test } from "vitest";
import { Block } from "./block.ts";
import { BlockBuilder } from "./block-builder.ts";
import { BlockCache, CachedBlocks } from "./block-cache.ts";
import { arenaFor } from "./records.test-support.ts";

function blockOf(index: number, valueBytes: number): Block {
  const value = new Uint8Array(valueBytes);
  const record = { family: 0, key: Uint8Array.of(1), version: 1, value, expiresAtMs: 0 };
  const arena = arenaFor([record]);
  const builder = new BlockBuilder(64);
  const offset = arena.append(record);
  builder.append(arena.bytes, arena.view, offset, arena.end - offset);
  const length = builder.finish(1, 32);
  return new Block(builder.bytes.slice(0, length), index);
}

/** Reads block `i` of `owner` through the cache; false: it was a miss. */
function read(cache: BlockCache, owner: CachedBlocks, i: number, valueBytes: number): boolean {
  const cached = owner.slots[i];
  if (cached !== null && cached !== undefined) {
    cache.noteHit(cached);
    return true;
  }
  cache.noteMiss();
  cache.admit(blockOf(i, valueBytes), owner);
  return false;
}

test("counts what it holds, within its budget, and evicts alike for alike calls", () => {
  const budgetArbitrary = fc.constantFrom(0, 1000, 3000, 100_000);
  const operation = fc.record({ table: fc.nat(2), index: fc.nat(9), drop: fc.nat(15) });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 120 }), budgetArbitrary, (calls, budget) => {
      const runs = [0, 1].map(() => {
        const cache = new BlockCache(budget);
        const owners = [0, 1, 2].map(() => new CachedBlocks(10));
        const trace: boolean[] = [];
        for (const { table, index, drop } of calls) {
          const owner = owners[table] as CachedBlocks;
          if (drop === 0) cache.drop(owner);
          else trace.push(read(cache, owner, index, (index * 97) % 700));
          const held = owners.flatMap((each) => each.slots.filter((slot) => slot !== null));
          expect(held.reduce((sum, block) => sum + block.chargeBytes, 0)).toBe(cache.usedBytes);
          expect(cache.usedBytes).toBeLessThanOrEqual(budget);
        }
        expect(cache.hits + cache.misses).toBe(trace.length);
        return trace;
      });
      expect(runs[0]).toEqual(runs[1]);
    }),
  );
});

test("a block read between every two others stays", () => {
  const owner = new CachedBlocks(1001);
  const cache = new BlockCache(10 * blockOf(0, 100).chargeBytes);
  read(cache, owner, 1000, 100);
  for (let i = 0; i < 1000; i++) {
    read(cache, owner, i, 100);
    expect(read(cache, owner, 1000, 100)).toBe(true);
  }
  expect(cache.evictions).toBe(991);
});
