import { UsageError } from "../exit-code.ts";

export interface Shard {
  /** From 1. */
  readonly part: number;
  readonly parts: number;
}

/** Null: no shard was asked for. */
export function parseShard(shard: string | null): Shard | null {
  if (shard === null) return null;
  const [part = 0, parts = 0] = shard.split("/").map(Number);
  const isPart = /^\d+\/\d+$/.test(shard) && part >= 1 && part <= parts;
  if (!isPart) throw new UsageError(`--shard: "${shard}" is not I/N with I from 1 to N`);
  return { part, parts };
}

/** Every N-th, so that parts have about equal cost; all of them together are all. */
export function shardOf<T>(all: readonly T[], shard: Shard | null): readonly T[] {
  return shard === null ? all : all.filter((_, i) => i % shard.parts === shard.part - 1);
}

/** Neighbours stay together: what they have in common is looked at once. */
export function stretchOf<T>(all: readonly T[], shard: Shard | null): readonly T[] {
  if (shard === null) return all;
  const [from, to] = [shard.part - 1, shard.part].map((at) => Math.floor((all.length * at) / shard.parts));
  return all.slice(from, to);
}
