import type { EngineOptions } from "../core/engine/options.ts";
import { columnFamily } from "../core/bytes/record.ts";
import type { ModelEntry, VersionedModel } from "../sim/checkers/versioned-model.ts";
import { VersionedBatch } from "../core/engine/versioned-batch.ts";
import { compareText, toBytes } from "../sim/checkers/text.ts";
import type { Dice } from "../sim/dice.ts";
import type { World } from "../sim/world.ts";
import { drawEngineOptions } from "./engine-sizes.ts";
import { Keyspace } from "./keyspace.ts";

const versionsPerMs = 4096;
const { data, lock, txn, local } = columnFamily;
export const versionFamilies: readonly number[] = [data, lock, txn, local];

/** Options of an engine to which versions are given. */
export function drawVersionsOptions(world: World, dice: Dice): Partial<EngineOptions> {
  const options = drawEngineOptions(world, dice);
  const durability = dice.pick(["none", "none", "interval", "sync"] as const);
  return { ...options, durability, versions: "given", checkVersions: dice.chance(1, 2) };
}

/** The batches of a replica: commits of transactions whose timestamps arrive in any order, and records of its own. */
export class VersionedWrites {
  readonly keyspace: Keyspace;
  readonly #dice: Dice;
  /** Timestamps given so far; some ms apart, so that lifetimes end between them. */
  #timestamp = 1_000 * versionsPerMs;

  constructor(dice: Dice, keyCount: number, valueBytesMax: number) {
    this.#dice = dice;
    this.keyspace = new Keyspace(dice, keyCount, valueBytesMax);
  }

  get timestamp(): number {
    return this.#timestamp;
  }

  /** A safe point between the last one and the present. */
  safePoint(last: number): number {
    return last >= this.#timestamp ? last : this.#dice.between(last, this.#timestamp);
  }

  /** Where a read may look. */
  readAt(from: number): number {
    return from >= this.#timestamp ? this.#timestamp : this.#dice.between(from, this.#timestamp + 10);
  }

  /** `avoid`: keys that somebody else writes. */
  draw(model: VersionedModel, nextVersion: () => number, avoid: (entry: ModelEntry) => boolean): ModelEntry[] {
    const dice = this.#dice;
    const entries: ModelEntry[] = [];
    const seen = new Set<string>();
    for (let left = dice.pick([1, 1, 2, 3, 8]); left > 0; left--) {
      const key = this.keyspace.key();
      const family = dice.chance(1, 2) ? data : dice.pick(versionFamilies);
      const id = `${family}/${key}`;
      if (seen.has(id)) continue;
      seen.add(id);
      const isData = family === data;
      const version = isData ? this.#commitTimestamp(model, key) : nextVersion();
      const isDeleted = dice.chance(1, isData ? 5 : 2);
      const value = isDeleted ? null : this.keyspace.value();
      const expires = isData && !isDeleted && dice.chance(1, 6);
      const expiresAtMs = expires ? lifetimeFrom(version) + dice.skewed(1, 64) : 0;
      const entry = { family, key, version, value, expiresAtMs };
      if (!avoid(entry)) entries.push(entry);
    }
    return entries;
  }

  /** Above the newest of the key; as often as not far below the newest of others. */
  #commitTimestamp(model: VersionedModel, key: string): number {
    const dice = this.#dice;
    this.#timestamp += dice.skewed(1, 16 * versionsPerMs);
    const newest = model.records(data, key).at(-1)?.version ?? 0;
    const lag = dice.chance(1, 2) ? 0 : dice.skewed(1, 64 * versionsPerMs);
    return Math.max(newest + 1, this.#timestamp - lag);
  }

  /** One or two ranges, each of some keys; `family`: all of them, in each family. */
  ranges(): { readonly start: string; readonly end: string | null } {
    const keys = this.keyspace.keys;
    const at = this.#dice.below(keys.length);
    const start = this.#dice.chance(1, 6) ? "" : (keys[at] as string);
    const last = keys[Math.min(keys.length - 1, at + this.#dice.below(5))] as string;
    const end = this.#dice.chance(1, 6) ? null : `${last}\x00`;
    return { start, end: end === null || compareText(end, start) > 0 ? end : null };
  }
}

function lifetimeFrom(version: number): number {
  return 1_704_067_200_000 + Math.floor(version / versionsPerMs);
}

export function batchOf(entries: readonly ModelEntry[]): VersionedBatch {
  const batch = new VersionedBatch();
  for (const { family, key, version, value, expiresAtMs } of entries) {
    if (value === null) batch.delete(family, toBytes(key), version);
    else batch.set(family, toBytes(key), version, toBytes(value), expiresAtMs);
  }
  return batch;
}
