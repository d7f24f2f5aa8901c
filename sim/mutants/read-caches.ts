import type { Mutant } from "./mutant.ts";

const wrong = ["model", "prefix", "recovery", "snapshot", "iterator", "linearizability", "ledger"];

/** What answers point reads before tables do: retained memtables and the record cache. */
export const readCacheMutants: readonly Mutant[] = [
  {
    name: "commit-leaves-key-cached",
    file: "core/engine/write-path.ts",
    find: `if (memtable.add(at)) records.invalidate(memtable.addedHash);`,
    replace: `memtable.add(at);`,
    oracles: wrong,
    scenario: "disk-pressure",
    why: "A value that was read once is shown for ever, whatever is written.",
  },
  {
    name: "cache-filled-by-old-snapshot",
    file: "core/engine/reader.ts",
    find: `offset === absent && version >= this.#write.visibleVersion && !isCached;`,
    replace: `offset === absent && !isCached;`,
    oracles: wrong,
    scenario: "engine-model",
    why: "After a read of a snapshot everybody is shown the past.",
  },
  {
    name: "cache-filled-under-a-pending-write",
    file: "core/engine/reader.ts",
    find: `offset === absent && version >= this.#write.visibleVersion && !isCached;`,
    replace: `version >= this.#write.visibleVersion && !isCached;`,
    oracles: wrong,
    scenario: "disk-pressure",
    why: "A read while a write waits for its sync keeps the old value alive once the new one is in a table.",
  },
  {
    name: "cached-record-too-new-for-snapshot",
    file: "core/engine/reader.ts",
    find: `if (isCached && readVersion(records.view, records.offset) <= version) {`,
    replace: `if (isCached) {`,
    oracles: wrong,
    scenario: "engine-model",
    why: "A snapshot shows what was written after it.",
  },
  {
    name: "cached-record-newer-by-one",
    file: "core/engine/reader.ts",
    find: `readVersion(records.view, records.offset) <= version) {`,
    replace: `readVersion(records.view, records.offset) <= version + 1) {`,
    oracles: wrong,
    scenario: "engine-model",
    why: "A snapshot shows the write that came right after it.",
  },
  {
    name: "cache-probe-stops-at-a-gap",
    file: "core/engine/slot-table.ts",
    find: `      if (((at - hash) & mask) < ((at - hole) & mask)) continue;`,
    replace: `      if (((at - hash) & mask) >= 0) continue;`,
    oracles: ["any"],
    scenario: "engine-model",
    why: "Cached records are lost from sight, miss their invalidation, and are seen again later.",
  },
  {
    name: "cache-slot-written-while-found",
    file: "core/engine/record-cache.ts",
    find: `    this.#table.remove(view.getInt32(slot, true), place);
    this.#setState(place, stateFree);`,
    replace: `    this.#setState(place, stateFree);`,
    // Else what is found is compared with the key that is asked for.
    also: {
      file: "core/engine/record-cache.ts",
      find: `if (!recordHasKey(bytes, view, offset, family, key)) return false;`,
      replace: `if (bytes[slot + 4] === stateFree && !recordHasKey(bytes, view, offset, family, key)) return false;`,
    },
    oracles: ["any"],
    scenario: "engine-model",
    why: "A slot that was evicted can still be found, and is filled with another record.",
  },
  {
    name: "retained-memtables-oldest-first",
    file: "core/engine/memtables.ts",
    find: `    this.#retained.unshift(flushed);`,
    replace: `    this.#retained.push(flushed);`,
    oracles: wrong,
    scenario: "disk-pressure",
    why: "Reads show overwritten values after a flush.",
  },
  {
    name: "retained-memtables-leave-newest-first",
    file: "core/engine/memtables.ts",
    find: `const oldest = this.#retained.pop();`,
    replace: `const oldest = this.#retained.shift();`,
    oracles: wrong,
    scenario: "engine-model",
    why: "Reads show overwritten values once memory for flushed memtables runs out.",
  },
  {
    name: "memtable-too-large-to-retain-leaves-older-ones",
    file: "core/engine/memtables.ts",
    find: `    if (memtable.count === 0) return this.#drop(flushed);`,
    replace: `    const isLarge = memtable.arena.length > this.#retainedBytesMax;
    if (memtable.count === 0 || isLarge) return this.#drop(flushed);`,
    oracles: wrong,
    scenario: "engine-model",
    why: "After a large batch reads show what it overwrote.",
  },
  {
    name: "point-hides-older-version",
    file: "core/lsm/table-reader.ts",
    find: `if (readVersion(view, offset) > version) return this.#findInBlock(family, key, version);`,
    replace: `if (readVersion(view, offset) > version) return null;`,
    oracles: wrong,
    scenario: "engine-model",
    why: "A snapshot misses keys that were written again after it.",
  },
  {
    name: "point-shows-newer-version",
    file: "core/lsm/table-reader.ts",
    find: `      if (readVersion(view, offset) > version) return this.#findInBlock(family, key, version);
`,
    replace: ``,
    oracles: wrong,
    scenario: "engine-model",
    why: "A snapshot shows what was written after it.",
  },
  {
    name: "point-checksum-not-compared",
    file: "core/lsm/table-file.ts",
    find: `if (filled === length && crc32(bytes, start, start + length, seed) === checksum) return;`,
    replace: `if (filled === length) return;`,
    oracles: ["any"],
    scenario: "engine-model",
    why: "Rotten bytes are returned as values.",
  },
  {
    name: "point-read-once-only",
    file: "core/lsm/table-file.ts",
    find: `      if (filled === length && crc32(bytes, start, start + length, seed) === checksum) return;
    }`,
    replace: `      if (filled === length && crc32(bytes, start, start + length, seed) === checksum) return;
      break;
    }`,
    oracles: ["any"],
    scenario: "engine-model",
    why: "One bit flipped in flight makes a read fail although the disk holds the right bytes.",
  },
  {
    name: "point-page-of-closed-table-kept",
    file: "core/lsm/table-reader.ts",
    find: `    this.#points?.drop();
`,
    replace: ``,
    oracles: ["any"],
    scenario: "engine-model",
    why: "Memory of tables that are gone fills the budget until no point is in memory any more.",
  },
];
