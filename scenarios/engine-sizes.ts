import type { EngineOptions } from "../core/engine/options.ts";
import { engineOptionExtremes, engineOptionsDefault } from "../core/engine/options.ts";
import type { Dice } from "../sim/dice.ts";
import type { World } from "../sim/world.ts";

/**
 * Options small enough that a few hundred writes rotate, flush, merge and rewrite everything many times over;
 * on some seeds those that the swarm drew, pathological minima included.
 */
export function drawEngineOptions(world: World, dice: Dice): Partial<EngineOptions> {
  const small: Partial<EngineOptions> = {
    durability: dice.pick(["sync", "sync", "interval", "none"] as const),
    syncIntervalMs: dice.pick([1, 20, 200]),
    memtableBytes: dice.pick([1_024, 4_096, 16_384]),
    immutableMemtablesMax: dice.between(1, 3),
    walGroupBytesMax: dice.pick([256, 4_096, 65_536]),
    manifestBytesMax: dice.pick([512, 4_096]),
    blockBytes: dice.pick([64, 256, 1_024]),
    tableBytes: dice.pick([1_024, 4_096]),
    bloomBitsPerKey: dice.pick([0, 4, 10]),
    blockCacheBytes: dice.pick([0, 2_048, 65_536]),
    recordCacheBytes: dice.pick([0, 2_048, 8_192, 65_536]),
    pointIndexBytes: dice.pick([0, 2_048, 8_192, 1_048_576]),
    retainedMemtableBytes: dice.pick([0, 8_192, 65_536]),
    level0TablesMax: dice.between(1, 4),
    level0TablesStop: dice.between(4, 12),
    walkWorthBytes: world.dice("walks").pick([0, 0, 0, 40, 4_096]),
    levelBytesBase: dice.pick([1_024, 4_096, 32_768]),
    levelBytesFactor: dice.between(2, 6),
    valueThresholdBytes: dice.pick([0, 16, 64, 300, 1_000]),
    valueGarbagePercent: dice.pick([1, 20, 50, 80]),
    valueFilesOpenMax: dice.pick([1, 3, 64]),
    jobRetryMs: dice.pick([1, 20, 500]),
  };
  const useSwarm = dice.chance(1, 3);
  if (!useSwarm) return small;
  const drawn = world.tunables("engine", engineOptionsDefault, engineOptionExtremes);
  const options = { ...small, ...drawn };
  const stop = Math.max(options.level0TablesStop ?? 0, options.level0TablesMax ?? 0);
  return { ...options, level0TablesStop: stop };
}

/** A limit of writes per key and second on some seeds; for workloads that go on when a write is refused. */
export function drawWriteLimit(dice: Dice): Partial<EngineOptions> {
  if (!dice.chance(1, 5)) return {};
  return { hotKeysMax: dice.pick([1, 64, 1_024]), hotKeyWritesMax: dice.pick([1, 4, 20, 100]) };
}
