import type { Mutant } from "./mutant.ts";

const lost = ["prefix", "recovery", "errors", "liveness", "model", "linearizability", "ledger", "counters"];

/** Memory and files that serve a second time: nothing of the first may be seen, nothing of the second lost. */
export const recyclingMutants: readonly Mutant[] = [
  {
    name: "arena-reused-under-an-iterator",
    file: "core/engine/memtables.ts",
    find: `if (memory.dropped && memory.readers === 0)`,
    replace: `if (memory.dropped)`,
    oracles: ["any"],
    scenario: "engine-model",
    why: "An iterator that outlives a flush finds the records of another memtable.",
  },
  {
    name: "arena-reused-before-its-flush",
    file: "core/engine/memtables.ts",
    find: `if (memory.dropped && memory.readers === 0)`,
    replace: `if (memory.readers === 0 && memory !== this.#active)`,
    oracles: ["any"],
    scenario: "engine-model",
    why: "Closing an iterator hands the memory of records that wait for their flush to new ones.",
  },
  {
    name: "recycled-index-not-emptied",
    file: "core/lsm/memtable.ts",
    find: `predecessor.#slots.fill(0)`,
    replace: `predecessor.#slots`,
    oracles: ["any"],
    scenario: "engine-model",
    why: "A new memtable finds records of the one whose memory it took over.",
  },
  {
    name: "recycled-segment-name-not-synced",
    file: "core/wal/writer.ts",
    find: `segment.renamed = segment.renamed || this.spares.take(segment.path);`,
    replace: `segment.entryDurable = this.spares.take(segment.path);
    segment.renamed = segment.entryDurable;`,
    oracles: lost,
    scenario: null,
    why: "A power loss takes the new name of a recycled log segment, and every write in it.",
  },
  {
    name: "leftover-frames-validate",
    file: "core/bytes/crc32.ts",
    find: `const file = mix(fold(fileNumber) + 0x9e3779b9);`,
    replace: `const file = mix(0x9e3779b9);`,
    oracles: [...lost, "exception"],
    scenario: null,
    why: "Old frames behind the end of a segment written over an older one's file are replayed.",
  },
  {
    name: "full-disk-loses-manifest-edit",
    file: "core/manifest/writer.ts",
    find: `if (error.code !== "ENOSPC" || retriesLeft === 0) return done(error);`,
    replace: `if (error.code === "ENOSPC") return done(null);
      if (retriesLeft === 0) return done(error);`,
    oracles: ["any"],
    scenario: "disk-pressure",
    why: "An edit that found the disk full counts as durable, and its tables are gone after a restart.",
  },
  {
    name: "synchronous-commit-returns-before-its-sync",
    file: "core/wal/writer.ts",
    find: `      if (this.#config.level !== "sync") {`,
    replace: `      if (this.#config.level.length > 0) {`,
    oracles: lost,
    scenario: "engine-model",
    why: "A write that returned at level sync is gone after a power loss.",
  },
  {
    name: "waited-sync-skips-the-directory",
    file: "core/wal/writer.ts",
    find: `if (error === null && !entry) error = this.#config.directory.syncNow();`,
    replace: ``,
    oracles: lost,
    scenario: "engine-model",
    why: "A power loss takes the log segment of a write that had returned, as its name was never synced.",
  },
  {
    name: "waited-sync-error-ignored",
    file: "core/wal/writer.ts",
    find: `    if (error !== null) this.#fail(error);
    else this.#completed(segment, covers, version);`,
    replace: `    this.#completed(segment, covers, version);`,
    oracles: lost,
    scenario: null,
    why: "A sync that failed while the thread waited in it counts as a success.",
  },
  {
    name: "synchronous-commit-told-while-it-waits",
    file: "core/engine/write-path.ts",
    find: `    throw new NokvError("NOKV_UNDETERMINED", "the write waits for room`,
    replace: `    if (this.#failure === null) return;
    throw new NokvError("NOKV_UNDETERMINED", "the write waits for room`,
    oracles: ["any"],
    scenario: null,
    why: "A write that found the disk full returns as if it were durable.",
  },
];
