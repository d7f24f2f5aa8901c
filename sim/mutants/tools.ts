import type { Mutant } from "./mutant.ts";

const unreadable = ["reads", "errors", "liveness", "prefix", "recovery"];

const wrong = [...unreadable, "values", "model", "snapshot", "iterator", "linearizability", "ledger", "scan"];

/** Compression, and what looks at a directory without being its owner. */
export const toolMutants: readonly Mutant[] = [
  {
    name: "compressed-table-says-none",
    file: "core/lsm/table-builder.ts",
    find: `      codec: codecId[this.#options.compression],`,
    replace: `      codec: codecId.none,`,
    oracles: unreadable,
    scenario: "facade-model",
    why: "A database that compresses can not read what it wrote.",
  },
  {
    name: "packed-block-loses-its-end",
    file: "core/lsm/block-packer.ts",
    find: `this.#codec.compress(image.subarray(0, rawBytes));`,
    replace: `this.#codec.compress(image.subarray(0, rawBytes - 4));`,
    oracles: unreadable,
    scenario: "facade-model",
    why: "A database that compresses can not read what it wrote.",
  },
  {
    name: "zstd-read-as-deflate",
    file: "core/lsm/table-reader.ts",
    find: `codecOf(properties.codec), cache)`,
    replace: `codecOf(Math.min(1, properties.codec)), cache)`,
    oracles: unreadable,
    scenario: "facade-model",
    why: "Tables of one codec are unreadable beside tables of another.",
  },
  {
    name: "block-too-poor-to-pack-is-lost",
    file: "core/lsm/table-builder.ts",
    find: `if (this.#packer !== null && packed > 0) this.#writeRange`,
    replace: `if (this.#packer !== null) this.#writeRange`,
    oracles: [...unreadable, "exception"],
    scenario: "engine-model",
    why: "Values that do not compress are not written at all.",
  },
  {
    name: "looking-removes-for-real",
    file: "core/env/overlay-disk.ts",
    find: `"ENOENT", "remove", path);
    this.#changed.set(path, null);`,
    replace: `"ENOENT", "remove", path);
    this.#base.remove(path);`,
    oracles: ["read-only"],
    scenario: "engine-model",
    why: "Looking at a directory after an accident destroys the evidence.",
  },
  {
    name: "looking-takes-the-lock-for-writing",
    file: "core/env/overlay-disk.ts",
    find: `  lock(path: string): DiskLock {
    return this.#base.lockShared(path);`,
    replace: `  lock(path: string): DiskLock {
    return this.#base.lock(path, "somebody");`,
    oracles: ["read-only"],
    scenario: "facade-model",
    why: "Looking at a directory writes to its LOCK.",
  },
  {
    name: "looking-needs-no-lock",
    file: "core/env/overlay-disk.ts",
    find: `  lock(path: string): DiskLock {
    return this.#base.lockShared(path);`,
    replace: `  lock(path: string): DiskLock {
    return { release: () => void path };`,
    oracles: ["lock", "read-only"],
    scenario: "disk-pressure",
    why: "Files vanish under somebody who looks at a database that is open.",
  },
  {
    name: "looking-keeps-the-lock",
    file: "core/env/overlay-disk.ts",
    find: `  lock(path: string): DiskLock {
    return this.#base.lockShared(path);`,
    replace: `  lock(path: string): DiskLock {
    this.#base.lockShared(path);
    return { release: () => {} };`,
    oracles: ["errors", "liveness", "leaks", "read-only"],
    scenario: "facade-model",
    why: "After somebody has looked at it, a database cannot be opened until that process ends.",
  },
  {
    name: "looking-sees-no-log",
    file: "core/env/overlay-disk.ts",
    find: `return [...names].sort();`,
    replace: `return [...names].sort().filter((name) => !name.endsWith(".log"));`,
    oracles: ["read-only"],
    scenario: "facade-model",
    why: "Somebody who looks misses what is not in tables yet.",
  },
  {
    name: "salvage-leaves-out-without-a-word",
    file: "core/engine/salvage.ts",
    find: `      note(damageOf(error, directory));
      state.tables.delete`,
    replace: `      state.tables.delete`,
    oracles: ["read-only"],
    scenario: "at-rest-corruption",
    why: "What is left of a damaged database looks like all of it.",
  },
  {
    name: "verify-swallows-damage",
    file: "core/lsm/table-check.ts",
    find: `      this.#note(error);
      return null;`,
    replace: `      return null;`,
    oracles: ["verify", "accounting"],
    scenario: "at-rest-corruption",
    why: "A damaged table is called sound, until the day its data is needed.",
  },
  {
    name: "verify-calls-a-torn-tail-damage",
    file: "core/engine/verify.ts",
    find: `this.#repairable(torn.path, `,
    replace: `this.#damage(torn.path, `,
    oracles: ["verify"],
    scenario: "engine-model",
    why: "After an ordinary crash an operator restores a backup for nothing.",
  },
  {
    name: "verify-counts-every-value-as-expiring",
    file: "core/lsm/table-check.ts",
    find: `if (readExpiresAtMs(view, offset) !== 0) this.#expiring++;`,
    replace: `if (readExpiresAtMs(view, offset) >= 0) this.#expiring++;`,
    oracles: ["verify"],
    scenario: "facade-model",
    why: "A sound table is called damaged.",
  },
  {
    name: "verify-skips-value-files",
    file: "core/engine/verify.ts",
    find: `    for (const file of state.valuesInOrder()) {`,
    replace: `    for (const file of state.valuesInOrder().slice(0, 0)) {`,
    oracles: ["verify"],
    scenario: "at-rest-corruption",
    why: "Bytes of a value file that nobody points to may rot, and a backup copies them.",
  },
  {
    name: "verify-trusts-dead-values",
    file: "core/vlog/value-file-check.ts",
    find: `      return "a value image does not match its checksum";`,
    replace: `      return "";`,
    oracles: ["verify"],
    scenario: "at-rest-corruption",
    why: "Bytes of a value file that nobody points to may rot unnoticed.",
  },
  {
    name: "salvage-tells-the-first-bad-segment-only",
    file: "core/engine/salvage.ts",
    find: `      if (!isKnown) note(`,
    replace: `      if (problem === "never") note(`,
    oracles: ["accounting"],
    scenario: "at-rest-corruption",
    why: "Of a damaged log only the first place is told; what is left out further on looks as if it never was.",
  },
  {
    name: "older-table-of-level-0-left-behind",
    file: "core/lsm/compaction-picker.ts",
    find: `const upper = level === 0 ? closure(version.level(0), seed)`,
    replace: `const upper = level === 0 ? overlapping(version.level(0), [seed])`,
    oracles: [...wrong, "verify"],
    scenario: "engine-model",
    why: "A table of level 0 goes down past an older one that overlaps it: reads find the older record first.",
  },
  {
    name: "level-0-merged-newest-first",
    file: "core/lsm/compaction-picker.ts",
    find: `const upper = level === 0 ? closure(version.level(0), seed)`,
    replace: `const upper = level === 0 ? [version.level(0)[0] ?? seed]`,
    oracles: [...wrong, "verify"],
    scenario: "engine-model",
    why: "The newest table of level 0 goes down alone: what it overwrote lies above it.",
  },
];
