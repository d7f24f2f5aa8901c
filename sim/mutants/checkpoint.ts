import type { Mutant } from "./mutant.ts";

const scenario = "engine-model";

/** What a checkpoint promises, and what "in tables" promises. */
export const checkpointMutants: readonly Mutant[] = [
  {
    name: "checkpoint-without-flush",
    file: "core/engine/engine.ts",
    find: `      await this.flush();
      assert(this.#flusher.flushedVersion >= version, "a flush brings everything into tables");`,
    replace: `      assert(version >= 0, "a version is not negative");`,
    oracles: ["checkpoint"],
    scenario,
    why: "A checkpoint lacks what was still in memory when it was taken.",
  },
  {
    name: "checkpoint-leaves-a-table-out",
    file: "core/engine/checkpoint.ts",
    find: `  for (const table of tables) {`,
    replace: `  for (const table of tables.slice(1)) {`,
    oracles: ["checkpoint", "errors"],
    scenario,
    why: "A checkpoint that was reported complete does not open.",
  },
  {
    name: "checkpoint-current-before-tables",
    file: "core/engine/checkpoint.ts",
    find: `    env.disk.link(tablePath(source.directory, table.number), path);
    made.push(path);`,
    replace: `    void Promise.resolve().then(() => env.disk.link(tablePath(source.directory, table.number), path));`,
    oracles: ["checkpoint", "errors", "exception"],
    scenario,
    why: "A table merged away in between is missing from the checkpoint.",
  },
  {
    name: "checkpoint-gives-versions-out-again",
    file: "core/engine/checkpoint.ts",
    find: `    lastVersion: source.version,`,
    replace: `    lastVersion: 0,`,
    oracles: ["checkpoint", "errors"],
    scenario,
    why: "The manifest of the checkpoint contradicts its tables: it is refused.",
  },
  {
    name: "in-tables-told-before-the-manifest",
    file: "core/engine/flusher.ts",
    find: `    this.lane.begin();
    if (oldest`,
    replace: `    this.lane.begin();
    this.#waiters.tell(oldest.segment.lastVersion);
    if (oldest`,
    oracles: ["prefix", "recovery"],
    scenario,
    why: "Who drops his own log because a batch is in tables loses it at the next power failure.",
  },
  {
    name: "in-tables-of-a-younger-segment",
    file: "core/engine/flusher.ts",
    find: `Math.max(this.flushedVersion, flushed.segment.lastVersion);`,
    replace: `Math.max(this.flushedVersion, write.pendingVersion);`,
    oracles: ["prefix", "recovery", "checkpoint", "exception"],
    scenario,
    why: "Batches count as being in tables that are only in memory.",
  },
  {
    name: "export-of-what-is-not-in-tables",
    file: "core/engine/transfer.ts",
    find: `version: this.#engine.flushedVersion, history`,
    replace: `version: this.#engine.visibleVersion, history`,
    oracles: ["transfer"],
    scenario,
    why: "An export says that it holds writes which were in memory only.",
  },
  {
    name: "export-with-later-versions",
    file: "core/lsm/clipped-cursor.ts",
    find: `readVersion(cursor.view, cursor.offset) > upToVersion`,
    replace: `readVersion(cursor.view, cursor.offset) > upToVersion + 2 ** 50`,
    // Else tables hold nothing above the version that was flushed when they were held.
    also: {
      file: "core/engine/transfer.ts",
      find: `    return await this.#compactor.exclusively(async () => {
      const tables = this.#context.tables.current.retain();
      try {
        // Not the visible version: what was written since the flush is in memory only.
        const wish = { range, version: this.#engine.flushedVersion, history };`,
      replace: `    const version = this.#engine.flushedVersion;
    return await this.#compactor.exclusively(async () => {
      const tables = this.#context.tables.current.retain();
      try {
        const wish = { range, version, history };`,
    },
    oracles: ["transfer"],
    scenario,
    why: "A write that was committed while the export ran is in it, and others of its batch are not.",
  },
  {
    name: "export-beside-a-compaction",
    file: "core/engine/transfer.ts",
    find: `    return await this.#compactor.exclusively(async () => {`,
    replace: `    return await ((work: () => Promise<Export>) => work())(async () => {`,
    oracles: ["errors"],
    scenario,
    why: "A table is merged away before the export has opened it: the export fails for no reason.",
  },
  {
    name: "export-forgets-deletes-of-ranges",
    file: "core/lsm/copy-job.ts",
    find: `versions.filter((version) => version <= clip.upToVersion)`,
    replace: `versions.filter((version) => version < 0)`,
    oracles: ["transfer"],
    scenario,
    why: "Keys that a range delete took away are back in the other database.",
  },
  {
    name: "ingested-versions-are-not-visible",
    file: "core/engine/ingester.ts",
    find: `          write.passBy(added.reduce(`,
    replace: `          write.passBy(0 * added.reduce(`,
    oracles: ["transfer"],
    scenario,
    why: "What was taken in is not seen until somebody writes.",
  },
  {
    name: "ingested-values-left-behind",
    file: "core/engine/ingester.ts",
    find: `tables.change({ added, valuesAdded: made.values },`,
    replace: `tables.change({ added },`,
    oracles: ["any"],
    scenario: "engine-model",
    why: "Large values of what was taken in can not be read.",
  },
  {
    name: "ingested-over-what-is-there",
    file: "core/engine/ingester.ts",
    find: `    if (obstacle !== null) {
      tables.removeFiles`,
    replace: `    if (obstacle !== null && made.tables.length === 0) {
      tables.removeFiles`,
    oracles: ["any"],
    scenario: "engine-model",
    why: "What is taken in lands beside newer records of the same keys, and old values come back.",
  },
  {
    name: "ingested-versions-given-out-again",
    file: "core/engine/ingester.ts",
    find: `    this.#context.clock.passBy(newest);
`,
    replace: ``,
    oracles: ["any"],
    scenario: "engine-model",
    why: "After taking in a range from a clock that is ahead, new writes are hidden by old ones.",
  },
];
