// HOT: every request to a region is counted here.
import { compareKeys } from "../../core/bytes/record.ts";
import type { Command } from "../percolator/command.ts";
import { readsOf } from "../percolator/reads.ts";

interface Load {
  commands: number;
  requests: number;
  /** One key of about so many requests. */
  stride: number;
  keys: Uint8Array[];
}

/** Twice as many at most, before every other one goes. */
const samplesMin = 32;
/** A part that is asked for less than one request in so many is not worth a region. */
const shareMin = 4;

/** How much each region of a store is asked for, and where, since the last look. */
export class RegionLoads {
  readonly #loads = new Map<number, Load>();

  count(regionId: number, commands: readonly Command[]): void {
    let load = this.#loads.get(regionId);
    if (load === undefined) {
      load = { commands: 0, requests: 0, stride: 1, keys: [] };
      this.#loads.set(regionId, load);
    }
    load.commands += commands.length;
    if (spread(load.requests++) % load.stride !== 0) return;
    const key = firstKey(commands);
    if (key === null) return;
    load.keys.push(key.slice());
    if (load.keys.length < 2 * samplesMin) return;
    load.keys = load.keys.filter((_, at) => (at + spread(at >>> 1)) % 2 === 0);
    load.stride *= 2;
  }

  commandsOf(regionId: number): number {
    return this.#loads.get(regionId)?.commands ?? 0;
  }

  /** Where about half of the requests lie on either side; null: one key gets most of them, or nothing is known. */
  balancedKey(regionId: number): Uint8Array | null {
    const keys = (this.#loads.get(regionId)?.keys ?? []).toSorted(compareKeys);
    if (keys.length < samplesMin) return null;
    let best: { readonly key: Uint8Array; readonly left: number } | null = null;
    for (const [left, key] of keys.entries()) {
      const before = keys[left - 1];
      if (before === undefined || compareKeys(before, key) === 0) continue;
      const isCloser = best === null || Math.abs(2 * left - keys.length) < Math.abs(2 * best.left - keys.length);
      if (isCloser) best = { key, left };
    }
    if (best === null || Math.min(best.left, keys.length - best.left) * shareMin < keys.length) return null;
    return best.key;
  }

  reset(): void {
    this.#loads.clear();
  }
}

/** Without a pattern that one of the callers could have as well. */
function spread(n: number): number {
  const mixed = Math.imul(n ^ (n >>> 7), 0x85eb_ca6b);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}

function firstKey(commands: readonly Command[]): Uint8Array | null {
  const [first] = commands;
  if (first === undefined) return null;
  const { keys, ranges } = readsOf(first);
  return keys[0] ?? ranges[0]?.start ?? null;
}
