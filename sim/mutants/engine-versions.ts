import type { Mutant } from "./mutant.ts";

const scenario = "engine-versions";

/** An engine to which versions are given: tickets, durability on demand, what may be forgotten. */
export const engineVersionsMutants: readonly Mutant[] = [
  {
    name: "versions-written-is-durable",
    file: "core/engine/versioned-writes.ts",
    find: `    if (ticket <= this.#durable) return done(null);`,
    replace: `    if (ticket <= write.visibleVersion) return done(null);`,
    oracles: ["prefix"],
    scenario,
    why: "The Raft log is compacted up to entries that a power loss then takes out of the engine.",
  },
  {
    name: "versions-sync-covers-what-came-later",
    file: "core/engine/versioned-writes.ts",
    find: `(error) => this.#synced(covers, error)`,
    replace: `(error) => this.#synced(write.pendingVersion, error)`,
    oracles: ["prefix", "exception"],
    scenario,
    why: "What was applied while a sync was under way is called durable.",
  },
  {
    name: "versions-one-sync-for-all",
    file: "core/engine/versioned-writes.ts",
    find: `    this.#asked = covers;
    write`,
    replace: `    this.#asked = Number.MAX_SAFE_INTEGER;
    write`,
    oracles: ["liveness", "stuck"],
    scenario,
    why: "After the first one nobody is told that anything became durable, and the Raft log grows for ever.",
  },
  {
    name: "versions-replayed-as-tickets",
    file: "core/engine/write-path.ts",
    find: `      this.#index(offset, offset + length, 0);`,
    replace: `      this.#index(offset, offset + length, ticket);`,
    oracles: ["prefix", "exception"],
    scenario,
    why: "After a restart data bears the order in which it arrived and not its commit timestamp.",
  },
  {
    name: "versions-frame-not-marked",
    file: "core/wal/frame.ts",
    find: `(this.earlierDurable ? flagEarlierDurable : 0) | given`,
    replace: `(this.earlierDurable ? flagEarlierDurable : 0)`,
    oracles: ["errors", "prefix", "liveness"],
    scenario,
    why: "A replica does not open any more: its log is taken for damaged.",
  },
  {
    name: "versions-newest-of-log-is-last",
    file: "core/wal/record-check.ts",
    find: `      if (next > this.lastVersion) this.lastVersion = next;`,
    replace: `      this.lastVersion = next;`,
    oracles: ["versions", "exception", "prefix"],
    scenario,
    why: "After a restart versions are given out again that records have already.",
  },
  {
    name: "versions-given-ones-not-passed-by",
    file: "core/engine/write-path.ts",
    find: `    if (given) this.#clock.passBy(newest);`,
    replace: ``,
    oracles: ["versions", "exception", "errors"],
    scenario,
    why: "A region takes versions from others that are above all its own; its next record is below its last.",
  },
  {
    name: "versions-locks-kept-as-data",
    file: "core/lsm/drop-rules.ts",
    find: `rules.newestOnly === true ? newestRules(rules.bottom) : rules`,
    replace: `rules`,
    oracles: ["space"],
    scenario,
    why: "Every lock that was ever held stays on disk until the safe point passes by, and scans walk over all of them.",
  },
  {
    name: "versions-data-dropped-as-locks",
    file: "core/lsm/drop-rules.ts",
    find: `readFamily(view, offset) === columnFamily.data ? this.#dataRules`,
    replace: `readFamily(view, offset) > columnFamily.data ? this.#dataRules`,
    oracles: ["reads", "prefix"],
    scenario,
    why: "A transaction that began before a write does not find what was there before it.",
  },
  {
    name: "versions-lifetimes-judged-ahead",
    file: "core/engine/safe-point.ts",
    find: `version === 0 ? 0 : versionMs(version)`,
    replace: `version === 0 ? 0 : versionMs(version) + 50`,
    oracles: ["reads", "prefix"],
    scenario,
    why: "A value is gone for a reader at whose timestamp it still lived.",
  },
  {
    name: "versions-scan-shows-older-ones",
    file: "core/engine/versioned-scan.ts",
    find: `      if (entry !== null) entries.push(entry);
      this.#passKey();`,
    replace: `      if (entry !== null) entries.push(entry);
      if (entry !== null) this.#passKey();
      else cursor.next();`,
    oracles: ["reads"],
    scenario,
    why: "A scan shows what stood under a delete.",
  },
  {
    name: "versions-old-record-cached-as-newest",
    file: "core/engine/reader.ts",
    find: `offset === absent && version >= this.#write.visibleVersion && !isCached`,
    replace: `offset === absent && !isCached`,
    oracles: ["reads", "prefix", "exception"],
    scenario,
    why: "After a read in the past everybody reads the past.",
  },
  {
    name: "versions-room-without-memory",
    file: "core/engine/write-path.ts",
    find: `!this.wal.outOfSpace && this.#memoryFull(length) === null`,
    replace: `!this.wal.outOfSpace`,
    oracles: ["room"],
    scenario,
    why: "A committed entry is refused by the engine that said it would be taken.",
  },
  {
    name: "versions-room-never-told",
    file: "core/engine/versioned-writes.ts",
    find: `      this.#roomScheduled = false;
`,
    replace: ``,
    oracles: ["liveness"],
    scenario,
    why: "A replica that waited for room once never applies again.",
  },
];
