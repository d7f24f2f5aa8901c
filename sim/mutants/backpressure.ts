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
];
