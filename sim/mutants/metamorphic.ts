import type { Mutant } from "./mutant.ts";

const rule = { oracles: ["metamorphic"], scenario: "engine-metamorphic" };

/** Answers that depend on how the database is configured. */
export const metamorphicMutants: readonly Mutant[] = [
  {
    ...rule,
    name: "merges-end-lifetimes-early",
    file: "core/lsm/drop-rules.ts",
    find: `if (newer > this.#rules.horizonVersion && expiresAtMs > this.#rules.nowMs) return false;`,
    replace: `if (newer > this.#rules.horizonVersion && expiresAtMs - 3_600_000 > this.#rules.nowMs) return false;`,
    why: "A value is gone up to an hour before its time where files are small and merged often.",
  },
  {
    ...rule,
    name: "record-cache-answers-snapshots",
    file: "core/engine/reader.ts",
    find: `if (isCached && readVersion(records.view, records.offset) <= version) {`,
    replace: `if (isCached) {`,
    why: "With a record cache a snapshot shows values that were written after it.",
  },
  {
    ...rule,
    name: "point-index-loses-older-versions",
    file: "core/lsm/table-reader.ts",
    find: `if (readVersion(view, offset) > version) return this.#findInBlock(family, key, version);`,
    replace: `if (readVersion(view, offset) > version) return null;`,
    why: "With a point index a snapshot finds nothing where a newer version of the key is in the table.",
  },
  {
    ...rule,
    name: "retained-memtables-out-of-order",
    file: "core/engine/memtables.ts",
    find: `    this.#retained.unshift(flushed);`,
    replace: `    this.#retained.push(flushed);`,
    why: "With memory for flushed memtables a key goes back to an older value.",
  },
];
