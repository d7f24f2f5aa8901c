// Goal: the cache stays within its budget, forgets closed tables, keeps what is read often, evicts the same
// blocks for the same calls, and never reuses the memory of a block that is pinned. Method: fast-check drives it
// with random reads; a slot is filled exactly while cached; every block carries what it should hold.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Block } from "./block.ts";
import { BlockBuilder } from "./block-builder.ts";
import { BlockCache, CachedBlocks } from "./block-cache.ts";
import { arenaFor } from "./records.test-support.ts";

/** A block of one record, whose value says which it is. */
function imageOf(tag: number, valueBytes: number): Uint8Array {
  const value = new Uint8Array(valueBytes).fill(tag);
  const record = { family: 0, key: Uint8Array.of(1), version: 1, value, expiresAtMs: 0 };
  const arena = arenaFor([record]);
  const builder = new BlockBuilder(64);
  const offset = arena.append(record);
  builder.append(arena.bytes, arena.view, offset, arena.end - offset);
  const length = builder.finish(1, 32);
  return builder.bytes.slice(0, length);
}

/** Reads block `i` of `owner` through the cache. */
function read(cache: BlockCache, owner: CachedBlocks, i: number, image: Uint8Array): [Block, "hit" | "miss"] {
  const cached = owner.slots[i] ?? null;
  if (cached !== null) {
    cache.noteHit(cached);
    return [cached, "hit"];
  }
  const block = cache.take(image.length);
  block.bytes.set(image, block.start);
  cache.noteMiss();
  cache.admit(block.hold(image.length, i), owner);
  return [block, "miss"];
}

interface Call {
  readonly table: number;
  readonly index: number;
  readonly what: "read" | "pin" | "unpin" | "drop";
}

const callArbitrary: fc.Arbitrary<Call> = fc.record({
  table: fc.nat(2),
  index: fc.nat(9),
  what: fc.constantFrom("read", "read", "read", "read", "pin", "pin", "unpin", "unpin", "drop"),
});

interface Pinned {
  readonly block: Block;
  readonly image: Uint8Array;
}

/** Makes all calls on a fresh cache and checks it after each. Returns what hit and what missed. */
function drive(calls: readonly Call[], budgetBytes: number): string[] {
  const cache = new BlockCache(budgetBytes, 300);
  const owners = [0, 1, 2].map(() => new CachedBlocks(10));
  const pinned: Pinned[] = [];
  const trace: string[] = [];
  for (const { table, index, what } of calls) {
    const owner = owners[table] as CachedBlocks;
    const image = imageOf(table * 16 + index, (index * 97) % 700);
    if (what === "drop") {
      cache.drop(owner);
    } else if (what === "unpin") {
      for (const { block } of pinned.splice(index % Math.max(1, pinned.length), 1)) cache.unpin(block);
    } else {
      const [block, outcome] = read(cache, owner, index, image);
      trace.push(outcome);
      if (what === "pin") {
        cache.pin(block);
        pinned.push({ block, image });
      }
    }
    check(cache, owners, pinned);
  }
  expect(cache.hits + cache.misses).toBe(trace.length);
  return trace;
}

function contentOf(block: Block): Uint8Array {
  return block.bytes.subarray(block.start, block.start + block.length);
}

const memories: ArrayBufferLike[] = [];

function memoryNumber(bytes: Uint8Array): number {
  const known = memories.indexOf(bytes.buffer);
  return known >= 0 ? known : memories.push(bytes.buffer) - 1;
}

function check(cache: BlockCache, owners: readonly CachedBlocks[], pinned: readonly Pinned[]): void {
  const held = owners.flatMap((each) => each.slots.filter((slot) => slot !== null));
  const used = new Set([...held, ...pinned.map(({ block }) => block)]);
  const memory = new Set([...used].map((block) => `${memoryNumber(block.bytes)}:${block.start}`));
  expect(new Set(held).size).toBe(held.length);
  expect(held.reduce((sum, block) => sum + block.length, 0)).toBeLessThanOrEqual(cache.usedBytes);
  expect(cache.usedBytes).toBeLessThanOrEqual(cache.budgetBytes);
  expect(cache.pinCount).toBe(pinned.length);
  expect(memory.size).toBe(used.size);
  for (const { block, image } of pinned) expect(contentOf(block)).toEqual(image);
  for (const [table, owner] of owners.entries()) {
    for (const [i, block] of owner.slots.entries()) {
      if (block === null) continue;
      expect(contentOf(block)).toEqual(imageOf(table * 16 + i, (i * 97) % 700));
    }
  }
}

describe("a cache of blocks", () => {
  test("keeps its budget and its pins, and evicts alike for alike calls", () => {
    const budgetArbitrary = fc.constantFrom(0, 1000, 3000, 6000, 100_000);
    fc.assert(
      fc.property(fc.array(callArbitrary, { maxLength: 80 }), budgetArbitrary, (calls, budgetBytes) => {
        expect(drive(calls, budgetBytes)).toEqual(drive(calls, budgetBytes));
      }),
    );
  });

  test("a block read between every two others stays", () => {
    const owner = new CachedBlocks(1001);
    const cache = new BlockCache(11 * 1024, 512);
    const image = imageOf(1, 100);
    read(cache, owner, 1000, image);
    for (let i = 0; i < 1000; i++) {
      read(cache, owner, i, image);
      expect(read(cache, owner, 1000, image)[1]).toBe("hit");
    }
    expect(cache.evictions).toBe(991);
  });

  test("uses its memory again", () => {
    const owner = new CachedBlocks(1000);
    const cache = new BlockCache(11 * 1024, 512);
    const image = imageOf(1, 100);
    const memory = new Set<Block>();
    for (let i = 0; i < 1000; i++) memory.add(read(cache, owner, i, image)[0]);
    expect(memory.size).toBe(10);
    cache.drop(owner);
    for (let i = 0; i < 1000; i++) memory.add(read(cache, owner, i, image)[0]);
    expect(memory.size).toBe(10);
    expect(new Set([...memory].map((block) => block.bytes)).size).toBe(1);
  });
});
