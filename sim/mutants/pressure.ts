import type { Mutant } from "./mutant.ts";

const wrong = ["model", "prefix", "recovery", "snapshot", "iterator", "linearizability", "ledger", "checkpoint"];
const space = ["space"];

/** What leaves tables without being over any bound: dead records, hidden tables, and who is waited for. */
export const pressureMutants: readonly Mutant[] = [
  {
    name: "hidden-table-takes-its-range-tombstones",
    file: "core/lsm/compaction-pressure.ts",
    find: `    if (table.rangeTombstoneCount > 0) return false;
`,
    replace: ``,
    oracles: wrong,
    scenario: "engine-model",
    why: "A table whose records are all hidden goes with the range deletes in it: what they hid below comes back.",
  },
  {
    name: "hidden-table-leaves-under-snapshot",
    file: "core/lsm/compaction-pressure.ts",
    find: `table.pointMaxVersion, Math.min(pin, horizonVersion));`,
    replace: `table.pointMaxVersion, Math.max(pin === Infinity ? 0 : pin, horizonVersion));`,
    oracles: wrong,
    scenario: "engine-model",
    why: "A snapshot loses every table that a later range delete hides as a whole.",
  },
  {
    name: "hidden-table-stays-on-the-disk",
    file: "core/engine/compactor.ts",
    find: `      this.removedCount += compaction.inputs.length;
      this.#leave(compaction);`,
    replace: `      this.removedCount += compaction.inputs.length;
      this.lane.succeed();`,
    oracles: ["directory"],
    scenario: "engine-model",
    why: "Clearing a database frees no space before the next opening.",
  },
  {
    name: "released-snapshot-frees-no-hidden-table",
    file: "core/engine/compactor.ts",
    find: `this.#waitsForPins = waitsForPins || held.length > 0;`,
    replace: `this.#waitsForPins = waitsForPins;`,
    oracles: space,
    scenario: "engine-model",
    why: "What a range delete hides stays on the disk after the release of a snapshot, until somebody writes.",
  },
  {
    name: "released-snapshot-frees-nothing",
    file: "core/engine/compactor.ts",
    find: `    if (this.#waitsForPins) this.kick();`,
    replace: ``,
    oracles: space,
    scenario: "engine-model",
    why: "What was deleted while a snapshot was held stays on the disk after its release, until somebody writes.",
  },
  {
    name: "nobody-looks-when-values-expire",
    file: "core/engine/compactor.ts",
    find: `    this.#kickAt(compaction === null ? staleAtMs : Infinity, readers.nowMs);
`,
    replace: ``,
    oracles: space,
    scenario: "engine-model",
    why: "A cache whose values have all expired keeps its space until somebody writes.",
  },
  {
    name: "expired-tables-are-not-due",
    file: "core/lsm/compaction-pressure.ts",
    find: `  return isStale(table, nowMs);
}

function isStale`,
    replace: `  return false;
}

function isStale`,
    oracles: space,
    scenario: "engine-model",
    why: "Values that have expired take space until an ordinary merge comes by.",
  },
  {
    name: "tables-of-tombstones-are-not-due",
    file: "core/lsm/compaction-pressure.ts",
    find: `  if (dead > 0 && dead * 100 >= table.recordCount * tombstonePercent) return true;
`,
    replace: ``,
    oracles: space,
    scenario: "engine-model",
    why: "What was deleted key by key takes its space, and that of the deletes, until an ordinary merge comes by.",
  },
  {
    name: "range-tombstones-at-the-bottom-are-not-due",
    file: "core/lsm/compaction-pressure.ts",
    find: `  if (bottom && table.rangeTombstoneCount > 0) return true;
`,
    replace: ``,
    oracles: space,
    scenario: "engine-model",
    why: "A range delete that hides nothing any more is looked at by every read.",
  },
  {
    name: "level-0-table-rewritten-in-its-place",
    file: "core/lsm/compaction-pressure.ts",
    find: `  if (bottom && table.level > 0) return`,
    replace: `  if (bottom) return`,
    oracles: ["exception", ...wrong],
    scenario: "facade-model",
    why: "A table of level 0 with many deletes can not be merged: the database stops.",
  },
  {
    name: "dead-table-rewritten-again-and-again",
    file: "core/lsm/compaction-pressure.ts",
    find: `  if (table.maxVersion > Math.min(firstPin, horizonVersion)) return false;
`,
    replace: ``,
    oracles: ["any"],
    scenario: "engine-model",
    why: "While a snapshot is held a table of deletes is written anew without end.",
  },
];
