import type { Mutant } from "./mutant.ts";

const scenario = "cluster";
const wrong = [
  "timestamps", "bank", "replicas", "history-hash", "linearizability", "list-append", "snapshot-isolation",
  "serializability", "long-fork", "exception", "liveness",
];

/** Bytes that rot under one store of a cluster, or flip on the way between two of its nodes. */
export const rotMutants: readonly Mutant[] = [
  {
    name: "cluster-takes-damaged-frames",
    file: "net/rpc/frame-reader.ts",
    find: `    if (bodyCrc !== crc32(bytes, bodyStart, bodyEnd, headerCrc)) {`,
    replace: `    if (bodyCrc === crc32(bytes, bodyStart, bodyEnd, headerCrc) + 1) {`,
    oracles: [...wrong, "errors", "region", "region-map", "incarnation", "protocol"],
    scenario,
    why: "What a bit that flipped on the way makes of a message is taken for what was said.",
  },
  {
    name: "cluster-serves-from-damaged-tables",
    file: "core/lsm/table-file.ts",
    find: `    throw corruption(this.path, offset, \`bad checksum of \${what}\`, "restore this file from a backup");`,
    replace: `    if (what !== "a table block") throw corruption(this.path, offset, \`bad checksum of \${what}\`);`,
    oracles: [...wrong, "errors", "region"],
    scenario,
    why: "A store reads, merges and hands on what its disk has made of a block.",
  },
  {
    name: "replica-takes-damage-for-nothing-there",
    file: "txn/server/engine-view.ts",
    find: `    return this.#store.newest(columnFamily.data, key, upTo);`,
    replace: `    try {
      return this.#store.newest(columnFamily.data, key, upTo);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "NOKV_CORRUPTION") return null;
      throw error;
    }`,
    oracles: wrong,
    scenario,
    why: "Where one replica cannot read a key it decides as if the key were not there, and others decide otherwise.",
  },
  {
    name: "replica-scans-past-damage",
    file: "txn/server/engine-view.ts",
    find: `    return this.#store.scan(wish);`,
    replace: `    try {
      return this.#store.scan(wish);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "NOKV_CORRUPTION") return [];
      throw error;
    }`,
    oracles: wrong,
    scenario,
    why: "A leader answers a scan without what it could not read.",
  },
  {
    name: "damaged-store-tries-again",
    file: "node/store-failure.ts",
    find: `    if (error.code === "NOKV_CORRUPTION") noteDamage(this.#env.disk, this.#workDir, error);
`,
    replace: ``,
    oracles: ["damage"],
    scenario,
    why: "A store with a damaged directory comes back again and again, so nobody replaces it.",
  },
  {
    name: "damaged-store-is-let-in",
    file: "node/store-directory.ts",
    find: `  lookForDamage(env, workDir);
`,
    replace: ``,
    oracles: ["damage"],
    scenario,
    why: "The same, although the note is there.",
  },
  {
    name: "damage-of-the-background-untold",
    file: "node/damage-watch.ts",
    find: `    if (damage === null) return;`,
    replace: `    if (damage === null || damage.code === "NOKV_CORRUPTION") return;`,
    oracles: ["liveness"],
    scenario,
    why: "A store whose merges meet damage fills up until it takes no more entries.",
  },
  {
    name: "damaged-export-is-put-off",
    file: "raft/store/engine-transfer.ts",
    find: `error.code === "NOKV_CORRUPTION" ? error : error.message;`,
    replace: `error.message;`,
    oracles: ["liveness"],
    scenario,
    why: "A leader that cannot read its region promises a follower its snapshot for ever.",
  },
  {
    name: "damaged-read-outside-a-turn-ends-more",
    file: "raft/store/peer.ts",
    find: `    this.#context.guard(run);`,
    replace: `    run();`,
    oracles: ["exception"],
    scenario,
    why: "A process whose disk refuses a read at the wrong moment dies with a stack and without a word.",
  },
  {
    name: "raft-log-entries-unchecked",
    file: "raft/store/log-change.ts",
    find: `(view.getUint32(body, true) !== crc32(bytes, body + 4, end, 0)) return`,
    replace: `(view.getUint32(body, true) === crc32(bytes, body + 4, end, 0) + 1) return`,
    oracles: [...wrong, "state-machine", "log-matching"],
    scenario,
    why: "A follower that lags is sent what the leader's disk has made of its log.",
  },
];
