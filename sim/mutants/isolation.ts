import type { Mutant } from "./mutant.ts";

const scenario = "isolation";
const torn = ["snapshot-isolation", "list-append"];

/** What transactions promise each other, as lists tell it. */
export const isolationMutants: readonly Mutant[] = [
  {
    name: "exec-on-a-snapshot",
    file: "txn/remote/transact-machine.ts",
    find: `this.#client.begin({ serializable: true, timeoutMs }`,
    replace: `this.#client.begin({ serializable: false, timeoutMs }`,
    oracles: ["serializability"],
    scenario,
    why: "Two EXECs each read what the other one is about to write, and both commit.",
  },
  {
    name: "exec-tries-again-with-what-it-read",
    file: "txn/remote/transact-machine.ts",
    find: `    if (waiting === 0) return this.#decide(txn, present);`,
    replace: `    const kept = Reflect.get(this.#transaction, "kept") as typeof present | undefined;
    if (waiting === 0 || kept !== undefined) return this.#decide(txn, kept ?? present);
    Reflect.set(this.#transaction, "kept", present);`,
    oracles: [...torn, "serializability"],
    scenario,
    why: "An EXEC that met another one writes what it computed from before it. (98)",
  },
  {
    name: "transaction-reads-the-newest",
    file: "txn/client/transaction.ts",
    find: `this.#reader = new Reader(calls, startTs, options.pageEntriesMax);`,
    replace: `this.#reader = new Reader(calls, Number.MAX_SAFE_INTEGER, options.pageEntriesMax, startTs);`,
    oracles: [...torn, "serializability"],
    scenario,
    why: "Two readers see two writers in two orders (long fork).",
  },
  {
    name: "transaction-begins-in-the-past",
    file: "txn/remote/txn-client.ts",
    find: `          operation.calls,
          startTs,
        );`,
    replace: `          operation.calls,
          Math.max(1, startTs - 4_096 * 500),
        );`,
    oracles: torn,
    scenario,
    why: "A transaction misses what had been told to somebody before it began.",
  },
  {
    name: "transaction-does-not-see-its-own-writes",
    file: "txn/client/transaction.ts",
    find: `    if (written !== null && written.kind !== "lock") then(null, this.#entryOf(written));`,
    replace: `    if (written !== null && written.kind === "delete") then(null, this.#entryOf(written));`,
    oracles: torn,
    scenario,
    why: "The second of two writes of a transaction to one key takes the first one away.",
  },
  {
    name: "serializable-commit-rests-on-its-first-read",
    file: "txn/client/transaction.ts",
    find: `    const reads = serializable ? this.#reads : [];`,
    replace: `    const reads = serializable ? this.#reads.slice(0, 1) : [];`,
    oracles: ["serializability"],
    scenario,
    why: "Of two accounts that a transaction rests on only one is looked at again.",
  },
];
