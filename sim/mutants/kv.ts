import type { Mutant } from "./mutant.ts";

const engineKv = "core/kv/engine-kv.ts";
const untrue = ["linearizability", "ledger", "counters", "replies"];

/** Decisions on pending writes, atomicity, and lifetimes. */
export const kvMutants: readonly Mutant[] = [
  {
    name: "read-does-not-wait-for-pending",
    file: engineKv,
    find: `    } else if (sight.version <= this.#engine.visibleVersion) {`,
    replace: `    } else if (sight.version >= 0) {`,
    oracles: untrue,
    scenario: "gateway-clients",
    why: "A client reads a value that a crash takes back.",
  },
  {
    name: "refusal-rests-on-pending",
    file: engineKv,
    find: `this.#whenVisible(answer.version, (failure) => {`,
    replace: `this.#whenVisible(0, (failure) => {`,
    oracles: untrue,
    scenario: "gateway-clients",
    why: "SET NX says that somebody was first, and after a crash nobody was.",
  },
  {
    name: "mutation-reads-visible",
    file: engineKv,
    find: `    const sight = this.#latest(keysRead(mutation));`,
    replace: `    const sight = { entries: this.#visible(keysRead(mutation)), version: 0 };`,
    oracles: untrue,
    scenario: "gateway-clients",
    why: "Two INCRs at the same time count as one.",
  },
  {
    name: "set-nx-ignores-pending",
    file: engineKv,
    find: `    const sight = this.#latest(keysRead(mutation));`,
    replace: `    const conditional = mutation.kind === "put" && mutation.condition === "absent";
    const sight = conditional
      ? { entries: this.#visible([mutation.key]), version: 0 }
      : this.#latest(keysRead(mutation));`,
    oracles: untrue,
    scenario: "gateway-clients",
    why: "Two clients both get a lock by SET NX.",
  },
  {
    name: "doomed-value-shown",
    file: engineKv,
    find: `failure === null ? sight.entries : attempt(() => this.#visible(keys))`,
    replace: `failure === null || keys.length > 0 ? sight.entries : attempt(() => this.#visible(keys))`,
    oracles: untrue,
    scenario: "gateway-clients",
    why: "After a failed sync a client reads a value that the next start does not find.",
  },
  {
    name: "mset-not-atomic",
    file: engineKv,
    find: `    commitment.fill(writes, outcome, done);`,
    replace: `    for (const { key, value, expiresAtMs } of writes.slice(1)) {
      const part = new Batch();
      if (value === null) part.delete(key);
      else part.set(key, value, expiresAtMs);
      this.#engine.commit(part, () => {});
    }
    commitment.fill(writes.slice(0, 1), outcome, done);`,
    oracles: ["replies", "linearizability"],
    scenario: "gateway-clients",
    why: "A crash leaves half of an MSET.",
  },
  {
    name: "set-drops-kept-lifetime",
    file: "core/kv/evaluate.ts",
    find: `    case "keep":
      return currentMs;`,
    replace: `    case "keep":
      return 0;`,
    oracles: ["lifetime"],
    scenario: "gateway-clients",
    why: "SET KEEPTTL makes a key live for ever.",
  },
  {
    name: "incr-drops-lifetime",
    file: "core/kv/evaluate.ts",
    find: `value: formatDecimal(after), expiresAtMs: entry === null ? 0 : entry.expiresAtMs`,
    replace: `value: formatDecimal(after), expiresAtMs: 0`,
    oracles: ["lifetime"],
    scenario: "gateway-clients",
    why: "INCR makes a counter with a lifetime live for ever: a rate limit never resets.",
  },
  {
    name: "append-drops-lifetime",
    file: "core/kv/evaluate.ts",
    find: `    writes: [{ key, value, expiresAtMs: entry.expiresAtMs }],`,
    replace: `    writes: [{ key, value, expiresAtMs: 0 }],`,
    oracles: ["lifetime"],
    scenario: "gateway-clients",
    why: "APPEND makes a key with a lifetime live for ever.",
  },
  {
    name: "set-keeps-old-lifetime",
    file: "core/kv/evaluate.ts",
    find: `    case "never":
      return 0;
    case "keep":`,
    replace: `    case "never":
      return currentMs;
    case "keep":`,
    oracles: ["lifetime", "linearizability"],
    scenario: "gateway-clients",
    why: "PERSIST, or SET over a key with a lifetime, leaves the lifetime: the new value vanishes.",
  },
];
