import { type RaftJournalLimits, raftJournalLimitsDefault } from "../coordinator/raft-journal-options.ts";
import { raftLimitsDefault } from "../raft/raft-options.ts";
import type { World } from "../sim/world.ts";
import { drawCorruption } from "./cluster-plan.ts";
import { drawStorePlan, type StorePlan } from "./raft-store-plan.ts";

const groupDeeds = [
  "isolate-leader",
  "isolate",
  "one-way",
  "one-way",
  "split",
  "crash-leader",
  "crash-leader",
  "crash-all",
  "power-off-all",
  "lag",
  "pause-leader",
  "outlive-leader",
  "outlive-leader",
  "heal",
] as const;
export type GroupDeed = (typeof groupDeeds)[number];

/** What one seed's group is like, and what is done to it. */
export interface GroupPlan {
  readonly limits: RaftJournalLimits;
  readonly electionMs: number;
  readonly faultsMs: number;
  /** To so many members, and to the callers on some seeds, the world is hostile beyond the deeds. */
  readonly swarm: number;
  readonly swarmOnCallers: boolean;
  readonly callers: number;
  /** Every other caller asks so seldom that it does not notice who was silent in between. */
  readonly idleUsMax: number;
  /** This member loses its disk in between, for good; 0: none does. */
  readonly loser: number;
  /** Faults begin when the group has begun; else at any time. */
  readonly begunFirst: boolean;
  /** One in so many cuts of a log and installed snapshots is the last that a process does; 0: none. */
  readonly moments: number;
  readonly deeds: readonly GroupDeed[];
  readonly deedGapMsMax: number;
  readonly deedLengthMsMax: number;
  /** How far each member's wall clock is off. */
  readonly clockOffsetsMs: readonly number[];
  readonly net: StorePlan["net"];
  readonly links: StorePlan["links"];
  /** Of a million segments so many arrive with a bit flipped while it storms. */
  readonly corrupt: number;
}

export function drawGroupPlan(world: World): GroupPlan {
  const stores = drawStorePlan(world);
  const dice = world.dice("group-plan");
  const { electionTicks, heartbeatTicks } = stores.store.raft;
  const tiny = dice.chance(1, 2);
  const { tickUs } = stores.store;
  const { electionMs } = stores;
  return {
    limits: {
      ...raftJournalLimitsDefault,
      raft: tiny ? stores.store.raft : { ...raftLimitsDefault, electionTicks, heartbeatTicks },
      tickUs,
      checkpointEntries: dice.pick([1, 5, 40, 1_000]),
      keepEntries: dice.pick([0, 3, 30, 1_000]),
      logEntriesMax: dice.pick([5, 60, 20_000]),
      partBytesMax: dice.pick([64, 700, 262_144]),
      snapshotTicks: 4 * electionTicks,
    },
    electionMs,
    faultsMs: Math.min(40_000, electionMs * dice.between(8, 30)),
    swarm: dice.pick([0, 1, 1, 2, 3]),
    swarmOnCallers: dice.chance(1, 3),
    callers: dice.between(1, 4),
    idleUsMax: dice.pick([500_000, 3_000_000]),
    loser: world.options.faultFree || !dice.chance(1, 5) ? 0 : dice.between(1, 3),
    begunFirst: dice.chance(3, 4),
    moments: world.options.faultFree ? 0 : dice.pick([0, 0, 3, 20]),
    deeds: stores.deeds.length === 0 ? [] : groupDeeds.filter(() => dice.chance(1, 2)),
    deedGapMsMax: electionMs * dice.pick([1, 3, 8]),
    deedLengthMsMax: electionMs * dice.pick([1, 3, 8]),
    clockOffsetsMs: [1, 2, 3].map(() => (dice.chance(1, 2) ? 0 : dice.pick([-3_600_000, -5_000, -200, 200, 5_000]))),
    net: stores.net,
    links: stores.links,
    corrupt: world.options.faultFree ? 0 : drawCorruption(world.dice("net-corrupt-plan")),
  };
}
