import type { Mutant } from "./mutant.ts";

const untrue = ["linearizability", "ledger", "counters", "replies"];
const scenario = "gateway-clients";

/** MULTI, EXEC and WATCH. */
export const gatewayTransactionMutants: readonly Mutant[] = [
  {
    name: "watch-sees-no-change",
    file: "core/kv/engine-kv.ts",
    find: `      if ((now.value !== null) !== alive || now.version > version) return now.version;`,
    replace: ``,
    oracles: untrue,
    scenario,
    why: "Two clients read the same balance under WATCH, and both of their transactions write.",
  },
  {
    name: "watch-asks-whether-it-is-there",
    file: "core/kv/engine-kv.ts",
    find: `!== alive || now.version > version) return now.version;`,
    replace: `!== alive) return now.version;`,
    oracles: untrue,
    scenario,
    why: "A watched key may be set to something else, as long as it is there.",
  },
  {
    name: "exec-forgets-what-was-watched",
    file: "net/redis/commands/transactions.ts",
    find: `gateway.kv.transact({ operations, watched },`,
    replace: `gateway.kv.transact({ operations, watched: [] },`,
    oracles: untrue,
    scenario,
    why: "WATCH says OK and watches nothing.",
  },
  {
    name: "steps-see-what-was-before",
    file: "core/kv/evaluate-transaction.ts",
    find: `      entries.set(text, value === null ? null : { value, expiresAtMs });`,
    replace: `      void expiresAtMs;`,
    oracles: untrue,
    scenario,
    why: "A command of a transaction does not see what the one before it wrote.",
  },
  {
    name: "first-write-of-a-key-counts",
    file: "core/kv/evaluate-transaction.ts",
    find: `      writes.set(text, write);`,
    replace: `      if (!writes.has(text)) writes.set(text, write);`,
    oracles: untrue,
    scenario,
    why: "Two increments in one transaction are told as two and kept as one.",
  },
  {
    name: "transaction-in-two-batches",
    file: "core/kv/engine-kv.ts",
    find: `    const batch = new Batch();
    fill(batch, writes);`,
    replace: `    const first = new Batch();
    fill(first, writes.slice(0, 1));
    this.#engine.commit(first, () => {});
    const batch = new Batch();
    fill(batch, writes.length > 1 ? writes.slice(1) : writes);`,
    oracles: untrue,
    scenario,
    why: "A crash leaves the first half of a transaction.",
  },
  {
    name: "exec-acknowledged-before-durable",
    file: "core/kv/engine-kv.ts",
    find: `    this.#engine.commit(batch, (error) => done(error, error === null ? results : null));`,
    replace: `    this.#engine.commit(batch, () => {});
    done(null, results);`,
    oracles: untrue,
    scenario,
    why: "EXEC replies, and a crash takes the transaction back.",
  },
  {
    name: "refused-queue-is-executed",
    file: "net/redis/commands/transactions.ts",
    find: `  if (transaction.broken) return call.error(errorText.execAbort);`,
    replace: ``,
    oracles: ["replies"],
    scenario,
    why: "A transaction one of whose commands was refused is executed without it.",
  },
  {
    name: "discard-keeps-the-queue",
    file: "net/redis/commands/transactions.ts",
    find: `errorText.discardWithoutMulti);
  session.endTransaction();`,
    replace: `errorText.discardWithoutMulti);`,
    oracles: [...untrue, "liveness"],
    scenario,
    why: "After DISCARD the next commands are queued, and the next EXEC runs what was discarded.",
  },
  {
    name: "nil-though-nothing-changed",
    file: "core/kv/engine-kv.ts",
    find: `    if (changed !== null) return { results: null, version: changed };`,
    replace: `    if (changed !== null || operations.length > 4) return { results: null, version: 0 };`,
    oracles: ["replies"],
    scenario,
    why: "A transaction of many commands is never executed.",
  },
];
