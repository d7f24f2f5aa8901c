import type { Mutant } from "./mutant.ts";

const scenario = "cold-rot";

/** A store that reads by itself what nobody else reads. */
export const scrubMutants: readonly Mutant[] = [
  {
    name: "scrub-skips-the-last-block",
    file: "core/lsm/part-walk.ts",
    find: `      if (!isWhole || !isPartSealed(this.#window, at, end - this.position, this.#number, this.position)) {`,
    replace: `      const isLast = this.#at + 1 === ends.length;
      if (!isLast && !isPartSealed(this.#window, at, end - this.position, this.#number, this.position)) {`,
    oracles: ["scrub"],
    scenario,
    why: "What stands at the end of what was read at a time rots unseen.",
  },
  {
    name: "scrub-skips-value-files",
    file: "core/engine/scrub-list.ts",
    find: `      ...version.valueFiles().map((file) => this.#valueFile(file)),
`,
    replace: ``,
    oracles: ["scrub"],
    scenario,
    why: "Large values rot unseen.",
  },
  {
    name: "scrub-skips-the-raft-log",
    file: "node/store-scrub.ts",
    find: `[...engine.scrub.files(), ...log.scrubFiles()]`,
    replace: `engine.scrub.files()`,
    oracles: ["scrub"],
    scenario,
    why: "A vote, or an entry that a majority counts on, rots unseen until the process begins anew.",
  },
  {
    name: "scrub-skips-the-point-index",
    file: "core/lsm/part-walk.ts",
    find: `    return Float64Array.from(all.filter((partEnd) => partEnd > from));`,
    replace: `    this.position = end;
    return new Float64Array(0);`,
    oracles: ["scrub"],
    scenario,
    why: "The part of a table that point reads of old keys need rots unseen.",
  },
  {
    name: "scrub-finding-dropped",
    file: "core/engine/scrubber.ts",
    find: `      if (damage !== null && file.inUse()) return this.#damaged(damage);`,
    replace: `      if (damage !== null && file.inUse()) this.#unreadable++;`,
    oracles: ["scrub"],
    scenario,
    why: "Rot is found and counted, and the store goes on as if it were whole.",
  },
  {
    name: "scrub-never-begins-again",
    file: "core/engine/scrubber.ts",
    find: `    this.#after(this.#delayMs(1), () => this.#beginPass());`,
    replace: ``,
    oracles: ["scrub"],
    scenario,
    why: "What rots after the first day rots unseen.",
  },
  {
    name: "scrub-pass-grows-with-the-log",
    file: "core/engine/scrub-list.ts",
    find: `(from < endBytes ? { kind: "log", number, magic: fileMagic.wal, epoch, endBytes } : null)`,
    replace: `
        from < segment.wholeBytes
          ? { kind: "log", number, magic: fileMagic.wal, epoch, endBytes: segment.wholeBytes }
          : null`,
    oracles: ["scrub"],
    scenario,
    why: "A pass that began when a store was small goes through what is written since at the pace of then, for weeks.",
  },
  {
    name: "scrub-keeps-files-open",
    file: "core/lsm/scrub-job.ts",
    find: `    if (this.#file !== null) closeFile(this.#file);`,
    replace: `    if (this.#file !== null && this.#job.from === 0) closeFile(this.#file);`,
    oracles: ["leaks"],
    scenario,
    why: "Files that merges removed keep their room on the disk, and handles run out.",
  },
  {
    name: "scrub-outlives-its-store",
    file: "node/store-node.ts",
    find: `  await scrubbed;
`,
    replace: ``,
    oracles: ["leaks", "exception"],
    scenario,
    why: "A directory is given back while files of it are still read.",
  },
  {
    name: "scrub-takes-a-refusal-for-rot",
    file: "core/lsm/scrub-job.ts",
    find: `      if (error.code === "ENOENT") return this.#done(`,
    replace: `      if (error.code !== "EMFILE") return this.#done(`,
    oracles: ["errors", "scrub"],
    scenario,
    why: "A cable that is loose for a moment costs a store its place in the cluster.",
  },
  {
    name: "scrub-judges-what-is-gone",
    file: "core/engine/scrub-list.ts",
    find: `      inUse: () => memtables.segments().includes(segment),`,
    replace: `      inUse: () => true,`,
    oracles: ["errors", "scrub"],
    scenario,
    why: "A log that a flush made superfluous is called missing, and a sound store stops for good.",
  },
  {
    name: "scrub-believes-one-read",
    file: "core/lsm/part-walk.ts",
    find: `const attemptsMax = 3;`,
    replace: `const attemptsMax = 1;`,
    oracles: ["errors", "scrub"],
    scenario,
    why: "A bit that flipped on the way from the disk once stops a sound store for good.",
  },
];
