import type { Mutant } from "./mutant.ts";

const stats = ["stats", "any"];
const hangs = ["liveness", "stuck", "any"];

/** Writes that slow, stop and go on with the background. */
export const backpressureMutants: readonly Mutant[] = [
  {
    name: "level-0-never-slows",
    file: "core/engine/backpressure.ts",
    find: `const level0 = share(backlog.level0Tables, this.level0Slow, level0TablesStop);`,
    replace: `const level0 = 0;`,
    oracles: stats,
    scenario: "engine-model",
    why: "Writes run at full speed into a stop of seconds.",
  },
  {
    name: "level-0-never-merged-while-memtables-wait",
    file: "core/engine/compactor.ts",
    find: `level0TablesMax: level0TablesMax + ((level0TablesStop - level0TablesMax) >>> 2) };`,
    replace: `level0TablesMax: level0TablesStop + 1 };`,
    oracles: hangs,
    scenario: "engine-model",
    why: "Writes stop for level 0, their memtables wait, and so does the merge that would let them go on.",
  },
  {
    name: "waiting-for-room-asks-the-log-for-versions-of-tables",
    file: "core/engine/write-path.ts",
    find: `    if (this.#pendingVersion > this.#visibleVersion) this.wal.completeNow(this.#pendingVersion);`,
    replace: `    this.wal.completeNow(this.#pendingVersion);`,
    oracles: hangs,
    scenario: "engine-model",
    why: "After an ingestion a synchronous write that finds no room never returns.",
  },
  {
    name: "slowed-group-forgotten",
    file: "core/engine/write-path.ts",
    find: `      this.#paid = true;
      this.wal.resume();`,
    replace: `      this.#paid = true;`,
    oracles: hangs,
    scenario: "engine-model",
    why: "A write that was slowed is never written, unless another one comes.",
  },
  {
    name: "slowed-group-charged-again",
    file: "core/engine/write-path.ts",
    find: `      this.#paid = true;
`,
    replace: ``,
    oracles: hangs,
    scenario: "engine-model",
    why: "A group that has waited its time waits again, for ever.",
  },
  {
    name: "stop-ends-below-what-compaction-reaches",
    file: "core/engine/backpressure.ts",
    find: `return Math.max(level0TablesMax - 1, `,
    replace: `return Math.min(level0TablesMax - 2, `,
    oracles: hangs,
    scenario: "engine-model",
    why: "A store that stopped once waits for fewer tables than compaction ever leaves.",
  },
  {
    name: "slow-timer-outlives-its-group",
    file: "core/engine/write-path.ts",
    find: `      this.#slowTimer = null;
      this.#paid = true;`,
    replace: `      this.#paid = true;`,
    oracles: hangs,
    scenario: "engine-model",
    why: "After the first slowdown nothing is written any more.",
  },
  {
    name: "stall-time-never-ends",
    file: "core/engine/backpressure.ts",
    find: `    const tookUs = this.#clock.monotonicUs() - this.#heldSinceUs;
    this.#heldSinceUs = -1;
    this.stallUs += tookUs;`,
    replace: `    const tookUs = this.#clock.monotonicUs() - this.#heldSinceUs;
    this.#heldSinceUs = -1;`,
    oracles: stats,
    scenario: "engine-model",
    why: "The figures say that writes never waited.",
  },
  {
    name: "slowdown-never-ends",
    file: "core/engine/backpressure.ts",
    find: `this.pressure = Math.max(memory, level0, debt);`,
    replace: `this.pressure = Math.max(this.pressure, memory, level0, debt);`,
    oracles: hangs,
    scenario: "engine-model",
    why: "After one hour of heavy load every later write is slow, although nothing is behind any more.",
  },
  {
    name: "slowdown-paid-again-by-every-group",
    file: "core/engine/backpressure.ts",
    find: `    this.#owedNs = 0;
    this.slowdowns++;`,
    replace: `    this.slowdowns++;`,
    oracles: hangs,
    scenario: "engine-model",
    why: "What a group has waited for is charged to all later ones.",
  },
  {
    name: "stop-waits-for-a-flush-that-waits-for-it",
    file: "core/engine/write-path.ts",
    find: `return pressure.flushFailure === null && oldest.segment.lastVersion <= this.#visibleVersion;`,
    replace: `return pressure.flushFailure === null;`,
    oracles: hangs,
    scenario: "engine-model",
    why: "Writes stop until a memtable is flushed whose last writes are among those that were stopped.",
  },
  {
    name: "debt-is-measured-once",
    file: "core/engine/pressure.ts",
    find: `if (version !== judged) debtBytes`,
    replace: `if (judged === null) debtBytes`,
    oracles: hangs,
    scenario: "engine-model",
    why: "A database that was opened with much to merge is slow until it is opened again.",
  },
];
