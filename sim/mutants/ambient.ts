import type { Mutant } from "./mutant.ts";

/** What lint refuses, planted behind its back: the simulator's traps must spring. */
export const ambientMutants: readonly Mutant[] = [
  {
    name: "random-is-ambient",
    file: "core/engine/recovery.ts",
    find: 'return this.#env.random.u32("core/engine/epoch", this.#manifestNumber, wallMs);',
    replace: "return Math.floor(Math.random() * 4_294_967_296) ^ (wallMs & 0);",
    oracles: ["ambient"],
    scenario: "facade-model",
    why: "A failure could not be replayed: part of a run would not come from its seed.",
  },
  {
    name: "time-is-ambient",
    file: "core/engine/hybrid-clock.ts",
    find: "const ms = this.#clock.wallMs() - versionEpochMs;",
    replace: "const ms = Date.now() - versionEpochMs;",
    oracles: ["ambient"],
    scenario: "facade-model",
    why: "The engine would follow the clock of the machine that simulates it.",
  },
];
