import type { Mutant } from "./mutant.ts";

const unreadable = ["reads", "errors", "liveness", "prefix", "recovery"];

/** Compression, and what looks at a directory without being its owner. */
export const toolMutants: readonly Mutant[] = [
  {
    name: "compressed-table-says-none",
    file: "core/lsm/table-builder.ts",
    find: `      codec: codecId[this.#options.compression],`,
    replace: `      codec: codecId.none,`,
    oracles: unreadable,
    scenario: null,
    why: "A database that compresses can not read what it wrote.",
  },
  {
    name: "packed-block-loses-its-end",
    file: "core/lsm/block-packer.ts",
    find: `this.#codec.compress(image.subarray(0, rawBytes));`,
    replace: `this.#codec.compress(image.subarray(0, rawBytes - 4));`,
    oracles: unreadable,
    scenario: null,
    why: "A database that compresses can not read what it wrote.",
  },
  {
    name: "zstd-read-as-deflate",
    file: "core/lsm/table-reader.ts",
    find: `codecOf(properties.codec), cache)`,
    replace: `codecOf(Math.min(1, properties.codec)), cache)`,
    oracles: unreadable,
    scenario: null,
    why: "Tables of one codec are unreadable beside tables of another.",
  },
  {
    name: "block-too-poor-to-pack-is-lost",
    file: "core/lsm/table-builder.ts",
    find: `if (this.#packer !== null && packed > 0) this.#writeRange`,
    replace: `if (this.#packer !== null) this.#writeRange`,
    oracles: [...unreadable, "exception"],
    scenario: null,
    why: "Values that do not compress are not written at all.",
  },
];
