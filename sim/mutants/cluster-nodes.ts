import type { Mutant } from "./mutant.ts";

const scenario = "cluster";
const torn = ["timestamps", "bank", "replicas", "history-hash", "linearizability", "list-append", "snapshot-isolation"];

/** How the parts of a cluster are put together into processes. */
export const clusterNodeMutants: readonly Mutant[] = [
  {
    name: "cluster-snapshot-leaves-the-locks",
    file: "node/region-ranges.ts",
    find: `    ...[data, lock, prewrite].map(`,
    replace: `    ...[data, ...(start.length > 1_000 ? [lock, prewrite] : [])].map(`,
    oracles: [...torn, "serializability", "liveness", "exception", "errors"],
    scenario,
    why: "A store that got a snapshot does not know of the transactions that were under way.",
  },
  {
    name: "cluster-snapshot-takes-the-neighbours-records",
    file: "node/region-ranges.ts",
    find: `end: isLast ? null : txnRecordBound(end) },`,
    replace: `end: isLast || start.length < 1_000 ? null : txnRecordBound(end) },`,
    oracles: [...torn, "serializability", "liveness", "exception", "errors"],
    scenario,
    why: "A snapshot of one region replaces what the transactions of those behind it have decided.",
  },
  {
    name: "cluster-store-joins-before-its-regions",
    file: "node/first-regions.ts",
    find: `    else this.#ask();
  }

  /** Resolves when a promotion that is under way has written what it writes. */
  async stop(): Promise<void> {`,
    replace: `    else {
      this.#parts.begun();
      this.#ask();
    }
  }

  /** Resolves when a promotion that is under way has written what it writes. */
  async stop(): Promise<void> {`,
    oracles: ["errors", "liveness", "exception"],
    scenario,
    why: "A new store is taken for one that has lost its directory, and for good.",
  },
  {
    name: "cluster-incarnation-stays",
    file: "node/store-directory.ts",
    find: `    const ident = await beginIncarnation(log, clusterId, storeId);`,
    replace: `    const ident = readIdent(log) ?? (await beginIncarnation(log, clusterId, storeId));`,
    oracles: ["incarnation"],
    scenario,
    why: "What a dead process of a store left on its way is taken for its successor's.",
  },
  {
    name: "cluster-failed-store-tells-nobody",
    file: "node/store-failure.ts",
    find: `    this.onTell(error);
    this.#onFatal(error);`,
    replace: `    this.onTell(error);`,
    oracles: ["liveness", "damage"],
    scenario,
    why: "A store whose disk failed once lives on, and serves nothing until somebody looks.",
  },
  {
    name: "cluster-store-closes-its-engine-first",
    file: "node/store-node.ts",
    find: `  await store?.close();
  client.close();`,
    replace: `  await engine.close();
  await store?.close();
  client.close();`,
    oracles: ["any"],
    scenario,
    why: "An orderly end of a store looks like a crash, or is one.",
  },
  {
    name: "cluster-garbage-is-driven-once",
    file: "node/store-node.ts",
    find: `() => collector.step());`,
    replace: `() => void (collector.step(), garbage.stop()));`,
    oracles: ["liveness"],
    scenario,
    why: "What transactions leave behind takes space for ever.",
  },
  {
    name: "cluster-timestamps-come-again",
    file: "coordinator/allocators.ts",
    find: `    this.#journal.propose({ kind: "TSOAllocatorFenced", fence }, ({ error }) => {
      if (error !== null) return this.#unavailable(this.#timestamps, this.#oracle.unfenced(), error);
      this.#oracle.fenced(fence);
      this.#schedule();
    });`,
    replace: `    this.#journal.propose({ kind: "TSOAllocatorFenced", fence: fence > 0 ? 1 : 0 }, ({ error }) => {
      if (error !== null) return this.#unavailable(this.#timestamps, this.#oracle.unfenced(), error);
      this.#oracle.fenced(fence);
      this.#schedule();
    });`,
    oracles: ["timestamps", "bank", "exception", "liveness", "list-append", "snapshot-isolation", "replicas"],
    scenario,
    why: "A Coordinator that was started again gives timestamps that were given before.",
  },
  {
    name: "cluster-client-stays-with-a-dead-leader",
    file: "txn/remote/command-sender.ts",
    find: `    } else if (error.kind !== "server-busy" && error.kind !== "cancelled") {
      places.passOver(region.id, store);`,
    replace: `    } else if (error.kind === "epoch-not-match") {
      places.passOver(region.id, store);`,
    oracles: ["liveness"],
    scenario: "gateway-cluster",
    why: "A gateway asks a store that is gone, and none of those that have taken over.",
  },
  {
    name: "first-regions-ask-for-no-room",
    file: "raft/store/peer-table.ts",
    find: `      if (engine.hasRoom(batch.byteLength)) {`,
    replace: `      if (batch.byteLength > 0) {`,
    oracles: ["liveness"],
    scenario: "cluster",
    why: "A store that begins many regions at once ends for want of memory, and does so at each start.",
  },
];
