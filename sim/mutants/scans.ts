import type { Mutant } from "./mutant.ts";

/** Whose memory a scan shows, how it reads ahead, and what it gives back. */
export const scanMutants: readonly Mutant[] = [
  {
    name: "pinned-block-evicted",
    file: "core/lsm/clock-ring.ts",
    find: `if (block === null || block.pins > 0) continue;`,
    replace: `if (block === null) continue;`,
    oracles: ["any"],
    scenario: "engine-model",
    why: "While an iterator stands in a block, other reads put another block in its memory.",
  },
  {
    name: "closed-table-frees-pinned-memory",
    file: "core/lsm/block-cache.ts",
    find: `      if (block.pins === 0) this.giveBack(block);
    }`,
    replace: `      if (block.isFrame) this.#spare.push(block);
    }`,
    // Else the last iterator of a table leaves its blocks before it leaves the table.
    also: {
      file: "core/engine/iterator.ts",
      find: `    this.#cursor.release();
    this.#view.release(this);`,
      replace: `    this.#view.release(this);
    this.#cursor.release();`,
    },
    oracles: ["any"],
    scenario: "engine-model",
    why: "When a table goes, memory that an iterator stands in is given out twice.",
  },
  {
    name: "block-left-is-unpinned-at-once",
    file: "core/lsm/table-cursor.ts",
    find: `    this.#previous = this.#block;
    this.#block = null;
    const block`,
    replace: `    if (this.#block !== null) this.#cache.unpin(this.#block);
    this.#previous = null;
    this.#block = null;
    const block`,
    oracles: ["any"],
    scenario: "engine-model",
    why: "The entry of a reverse scan that stands at the end of a block changes while it is shown.",
  },
  {
    name: "read-ahead-unverified",
    file: "core/lsm/table-blocks.ts",
    find: `if (!isPartSealed(staging.bytes, at, length, this.#file.number, offset)) return null;`,
    replace: ``,
    oracles: ["any"],
    scenario: "engine-model",
    why: "A flipped bit in what was read ahead becomes a wrong answer.",
  },
  {
    name: "read-ahead-takes-neighbours-bytes",
    file: "core/lsm/table-blocks.ts",
    find: `      block.bytes.set(staging.bytes.subarray(at, at + length), block.start);`,
    replace: `      block.bytes.set(staging.bytes.subarray(0, length), block.start);`,
    oracles: ["any"],
    scenario: "engine-model",
    why: "Every block of a read ahead holds the first one's records.",
  },
  {
    name: "reused-frame-keeps-its-keys",
    file: "core/lsm/block.ts",
    find: `    this.#prefixes = null;
    this.#plainSearches = 0;
    return this;`,
    replace: `    return this;`,
    oracles: ["any"],
    scenario: "facade-model",
    why: "A search in a block is led by the keys of the block whose memory it took over.",
  },
  {
    name: "reverse-scan-lends-what-it-left",
    file: "core/engine/iterator.ts",
    find: `        this.#keep();`,
    replace: ``,
    oracles: ["any"],
    scenario: "engine-model",
    why: "A reverse scan past newer versions of a key shows memory that holds something else by then.",
  },
  {
    name: "closed-iterator-keeps-its-pins",
    file: "core/engine/iterator.ts",
    find: `    this.#cursor.release();`,
    replace: ``,
    oracles: ["any"],
    scenario: "engine-model",
    why: "Every scan takes a block from the cache for ever.",
  },
  {
    name: "next-table-shows-block-of-last",
    file: "core/lsm/table-cursor.ts",
    find: `    this.#blockAt = -1;
  }

  seekFirst`,
    replace: `  }

  seekFirst`,
    oracles: ["any"],
    scenario: "engine-model",
    why: "A scan over a level shows the first table's block again in the place of the second's.",
  },
];
