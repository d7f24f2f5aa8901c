import type { Mutant } from "./mutant.ts";

const untrue = ["linearizability", "ledger", "counters", "replies"];
const scenario = "gateway-cluster";

/** The client of the cluster, and the gateway before it. */
export const txnRemoteMutants: readonly Mutant[] = [
  {
    name: "cluster-undetermined-told-as-busy",
    file: "txn/remote/txn-client.ts",
    find: `finish(this.#undetermined(operation), null);`,
    replace: `finish(this.#unavailable(operation), null);`,
    oracles: untrue,
    scenario,
    why: "A client of a cluster is told that its write failed, and it survives.",
  },
  {
    name: "silence-taken-for-unsent",
    file: "txn/remote/command-outcome.ts",
    find: `return isUndetermined(error) ? { kind: "lost" } : { kind: "unsent" };`,
    replace: `return isUndetermined(error) ? { kind: "unsent" } : { kind: "unsent" };`,
    oracles: untrue,
    scenario,
    why: "A write whose answer was lost is told as one that never left.",
  },
  {
    name: "cluster-watch-is-forgotten",
    file: "txn/remote/transact-machine.ts",
    find: `    if (watched.length === 0) return this.#read(txn);`,
    replace: `    if (watched.length < 1_000) return this.#read(txn);`,
    oracles: untrue,
    scenario,
    why: "On a cluster, WATCH says OK and watches nothing.",
  },
  {
    name: "answers-of-a-request-swapped",
    file: "txn/remote/command-sender.ts",
    find: `      const answer = answers[i];`,
    replace: `      const answer = answers[answers.length - 1 - i];`,
    oracles: [...untrue, "liveness", "exception", "assertion"],
    scenario,
    why: "Two clients whose requests travelled together are told each other's answers.",
  },
  {
    name: "another-name-for-every-attempt",
    file: "txn/client/atomic-machine.ts",
    find: `return { kind: "atomic", opId, commitTs`,
    replace: `return { kind: "atomic", opId: this.#sentBefore ? opId + 1 : opId, commitTs`,
    oracles: [...untrue, "history", "replicas"],
    scenario,
    why: "An increment whose answer was lost is executed once more.",
  },
  {
    name: "pipeline-without-order",
    file: "net/redis/gateway.ts",
    find: `this.kv.ordered ? this.options.inFlightMax : 1;`,
    replace: `this.kv.ordered ? this.options.inFlightMax : this.options.inFlightMax;`,
    oracles: untrue,
    scenario,
    why: "On a cluster, a GET behind a SET in one pipeline does not see it.",
  },
  {
    name: "refused-commit-told-as-done",
    file: "txn/remote/client-transaction.ts",
    find: `        const error = this.#failureOf(outcome);`,
    replace: `        const error = outcome.kind === "aborted" ? null : this.#failureOf(outcome);`,
    oracles: untrue,
    scenario,
    why: "A transaction that met another is told as committed.",
  },
];
