import { type CoordinatorOptions, coordinatorDefaults } from "../coordinator/coordinator.ts";
import { planDefaults } from "../coordinator/plan-view.ts";
import type { EngineOptions } from "../core/engine/options.ts";
import type { ScrubOptions } from "../core/engine/scrubber.ts";
import type { Topology } from "../node/topology.ts";
import type { World } from "../sim/world.ts";
import { lossTopology } from "./store-loss-plan.ts";

/** Where one place rots, each kind of file as often as the others: by size it would always be a table. */
export const coldTargets = [
  { found: "rot-of-a-table-found", file: /\.sst$/ },
  { found: "rot-of-a-value-file-found", file: /\.vlog$/ },
  // Seldom: what a store's engine has logged is durable when it is in a table.
  { found: "rot-of-a-log-found", file: /wal-\d+\.log$/ },
  { found: "rot-of-a-log-found", file: /raft-\d+\.log$/ },
  { found: "rot-of-the-manifest-found", file: /MANIFEST-\d+$/ },
  { found: "rot-of-current-or-mode-found", file: /CURRENT$|MODE$/ },
] as const;

export interface ColdPlan {
  readonly topology: Topology;
  /** Whose disk rots. */
  readonly victim: number;
  readonly keys: number;
  readonly valueBytesMax: number;
  readonly engine: Partial<EngineOptions>;
  readonly scrub: ScrubOptions;
  /** For so long the world is hostile to the victim, and everything is written again; 0: never. */
  readonly stormMs: number;
  /** Of its reads meanwhile, as the rates of a disk are; 0: as the seed drew it. */
  readonly eioRead: number;
  /** Then so long nobody does anything before something rots: a pass knows all files that there are. */
  readonly restMs: number;
  readonly electionMs: number;
  readonly coordinator: CoordinatorOptions;
}

export const coldReplicas = 3;

export function drawColdPlan(world: World): ColdPlan {
  const dice = world.dice("cold-rot-plan");
  const passMs = dice.pick([1_000, 5_000, 10_000, 20_000]);
  const hostile = !world.options.faultFree && dice.chance(1, 2);
  return {
    topology: lossTopology(coldReplicas, dice.between(1, 3)),
    victim: dice.between(1, coldReplicas),
    keys: dice.between(20, 120),
    valueBytesMax: dice.pick([30, 300, 2_000]),
    engine: {
      memtableBytes: dice.pick([8_192, 32_768]),
      tableBytes: dice.pick([4_096, 16_384]),
      blockBytes: dice.pick([128, 1_024]),
      level0TablesMax: dice.pick([2, 4]),
      manifestBytesMax: dice.pick([4_096, 65_536]),
      valueThresholdBytes: dice.pick([0, 64, 64, 256]),
      valueGarbagePercent: dice.pick([20, 90]),
      compression: dice.pick(["none", "zstd"]),
    },
    scrub: { passMs, bytesPerSecondMax: 1 << 30, sliceBytes: dice.pick([1, 2_000, 1 << 20]) },
    eioRead: dice.pick([0, 2_000, 20_000]),
    stormMs: hostile ? dice.between(1_000, 2 * passMs) : 0,
    restMs: dice.between(passMs + Math.floor(passMs / 2), 3 * passMs),
    electionMs: 2_000,
    coordinator: {
      ...coordinatorDefaults,
      liveness: { disconnectedAfterMs: 2_000, downAfterMs: 6_000 },
      scheduler: {
        ...planDefaults, silentMs: 3_000, coolingMs: 1_000, stuckMs: 600_000, mergeQuietMs: 3_600_000,
        planUsPerRegion: 200,
      },
    },
  };
}
