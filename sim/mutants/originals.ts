import type { Mutant } from "./mutant.ts";

/**
 * Defects of the original system's storage in the form that they would have here, where no other planted bug is of
 * the same kind; `original-bugs.ts` maps all of them.
 */
export const originalMutants: readonly Mutant[] = [
  {
    name: "overwritten-versions-never-dropped",
    file: "core/lsm/drop-rules.ts",
    find: `    if (!isRead(this.#rules, version, newer)) return "drop";
`,
    replace: ``,
    oracles: ["space", "any"],
    scenario: "engine-model",
    why: "A value that is written again and again takes the space of all that it ever was.",
  },
  {
    name: "bottom-tombstones-never-dropped",
    file: "core/lsm/drop-rules.ts",
    find: `    if (hidesNothing(this.#rules, version)) return "drop";
`,
    replace: ``,
    oracles: ["space", "any"],
    scenario: "engine-model",
    why: "A delete takes space for ever, and the background rewrites it without end.",
  },
  {
    name: "versions-given-out-twice",
    file: "core/engine/hybrid-clock.ts",
    find: `Math.max(this.#last + 1, this.#wallVersion());`,
    replace: `Math.max(this.#last, this.#wallVersion());`,
    oracles: ["any"],
    scenario: "engine-model",
    why: "Two writes of a key within a millisecond have one version, and which of them is read is chance.",
  },
  {
    name: "failed-flush-passed-over",
    file: "core/engine/flusher.ts",
    find: `      return this.lane.fail(jobFailure(error, "a flush failed"), () => this.kick());`,
    replace: `      return this.#install(flushed, noResult);`,
    oracles: ["any"],
    scenario: "engine-model",
    why: "A flush that failed is not tried again, and the log of what it lost is removed.",
  },
  {
    name: "compaction-in-two-edits",
    file: "core/engine/compactor.ts",
    find: `    tables.change(change, (outcome) => this.#changed(compaction, made, outcome));`,
    replace: `    tables.change({ ...change, removed: [] }, () =>
      tables.change({ removed }, (outcome) => this.#changed(compaction, made, outcome)),
    );`,
    oracles: ["any"],
    scenario: "engine-model",
    why: "A crash between the edits leaves the outputs of a merge beside its inputs.",
  },
  {
    name: "lost-current-starts-anew",
    file: "core/engine/directory.ts",
    find: `  if (data.length > 0 && !data.every(`,
    replace: `  if (data.length < 0 && !data.every(`,
    oracles: ["any"],
    scenario: "at-rest-corruption",
    why: "A database that lost its CURRENT comes up empty, and removes what was there.",
  },
  {
    name: "reserved-numbers-given-out-again",
    file: "core/engine/file-numbers.ts",
    find: `    this.#next = first + count;`,
    replace: `    this.#next = first + 1;`,
    oracles: ["any"],
    scenario: "engine-model",
    why: "A log segment takes the number that a merge has reserved for a table: one of them is lost.",
  },
  {
    name: "closed-database-is-read",
    file: "core/engine/engine.ts",
    find: `    if (!this.#open) throw closed("database");
    if (key.length`,
    replace: `    if (key.length`,
    oracles: ["closed", "any"],
    scenario: "facade-model",
    why: "A read after close fails in a way that no program expects, or shows something.",
  },
];
