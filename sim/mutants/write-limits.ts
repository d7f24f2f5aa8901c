import type { Mutant } from "./mutant.ts";

const limit = ["write-limit"];
const blocked = ["write-limit", "liveness"];

/** The limit of writes per key and second. */
export const writeLimitMutants: readonly Mutant[] = [
  {
    name: "write-limit-never-lifted",
    file: "core/hot/hot-ring.ts",
    find: `        node.recent -= node.slots[at] as number;
`,
    replace: ``,
    oracles: blocked,
    scenario: "engine-model",
    why: "A key that is written steadily below its limit is refused in the end, and then for good.",
  },
  {
    name: "write-limit-counts-refusals",
    file: "core/hot/hot-ring.ts",
    find: `      this.clamps++;
      return true;`,
    replace: `      this.clamps++;
      this.touch(family, key, nowMs);
      return true;`,
    oracles: blocked,
    scenario: "engine-model",
    why: "Who tries again too soon is refused for ever.",
  },
  {
    name: "write-limit-passes-one-more",
    file: "core/hot/hot-ring.ts",
    find: `if (this.count(family, key, nowMs) >= limit) {`,
    replace: `if (this.count(family, key, nowMs) > limit) {`,
    oracles: limit,
    scenario: "disk-pressure",
    why: "One write more than allowed reaches a hot key in each second.",
  },
  {
    name: "write-limit-follows-the-wall-clock",
    file: "core/engine/hot-keys.ts",
    find: `return Math.floor(this.#clock.monotonicUs() / 1000);`,
    replace: `return this.#clock.wallMs();`,
    oracles: ["any"],
    scenario: "engine-model",
    why: "When the wall clock goes back a hot key stays refused until it has caught up.",
  },
  {
    name: "write-limit-sees-first-key-only",
    file: "core/engine/hot-keys.ts",
    find: `at < byteLength; at += recordBytesAt(view, at)) {`,
    replace: `at < byteLength; at += byteLength) {`,
    oracles: limit,
    scenario: "engine-model",
    why: "A hot key passes its limit as the second one of a batch.",
  },
  {
    name: "write-limit-forgets-the-family",
    file: "core/engine/hot-keys.ts",
    find: `this.#ring.touchAndClamp(readFamily(view, at), key,`,
    replace: `this.#ring.touchAndClamp(0, key,`,
    oracles: limit,
    scenario: "engine-model",
    why: "Writes of one family use up the limit of a key in another.",
  },
  {
    name: "write-limit-refuses-what-it-took",
    file: "core/engine/write-path.ts",
    find: `    this.#pendingVersion = ticket;
    this.batchCount++;
    return ticket;`,
    replace: `    this.#pendingVersion = ticket;
    this.batchCount++;
    if (this.hot !== null) this.hot.note(batch);
    return ticket;`,
    oracles: ["any"],
    scenario: "engine-model",
    why: "A write is refused and done all the same.",
  },
];
