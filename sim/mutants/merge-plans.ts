import type { Mutant } from "./mutant.ts";

const scenario = "region-merges";
const storm = "merge-storm";
const wrong = [
  "region-map", "region", "linearizability", "history", "history-hash", "replicas", "exception", "errors",
  "durability", "lead", "liveness", "definite", "twice", "proposal", "state-machine",
];
const lost = [...wrong, "timestamps", "bank", "list-append", "snapshot-isolation", "serializability"];

/** Merges that the Coordinator knows of and plans, and what stores make of each other's words. */
export const mergePlanMutants: readonly Mutant[] = [
  {
    name: "merge-plan-of-the-dead-stays",
    file: "node/range-plans.ts",
    find: `        if (before.has(transitionId)) this.cancel(change, transitionId);`,
    replace: `        if (change === "split" && before.has(transitionId)) this.cancel(change, transitionId);`,
    oracles: ["liveness"],
    scenario,
    why: "A plan whose maker died keeps two regions from every other change for ever.",
  },
  {
    name: "merge-that-was-driven-out-counts-as-done",
    file: "coordinator/reduce.ts",
    find: `    return heir !== null && otherIds.includes(heir.id) ? "completed" : "superseded";`,
    replace: `    return heir === null || otherIds.length > 0 ? "completed" : "superseded";`,
    oracles: ["transitions"],
    scenario,
    why: "An operator is told that two regions are one, and they are not.",
  },
  {
    name: "merge-frozen-source-counts-as-merged",
    file: "coordinator/reduce.ts",
    find: `    if (region !== null) return region.epoch.version > base.version + 1 ? "superseded" : null;`,
    replace: `    if (region !== null) return region.epoch.version > base.version ? "completed" : null;`,
    oracles: ["transitions"],
    scenario,
    why: "A merge that is taken back later counts as done, and its regions are changed by others meanwhile.",
  },
  {
    name: "merge-plan-overlooks-its-target",
    file: "coordinator/assess.ts",
    find: `  const other = plan.otherIds.map((id) => openChange(state, id)).find((change) => change !== null);`,
    replace: `  const other = plan.otherIds.map(() => openChange(state, -1)).find((change) => change !== null);`,
    oracles: ["transitions"],
    scenario,
    why: "A region is divided and merged into at once, and one of the two is in vain.",
  },
  {
    name: "merge-planned-of-any-size",
    file: "coordinator/merge-plan.ts",
    find: `report.sizeBytes === 0 || report.sizeBytes >= mergeBytesMax) return null;`,
    replace: `mergeBytesMax === 0) return null;`,
    oracles: ["liveness"],
    scenario,
    why: "Regions are divided and merged again, for ever.",
  },
  {
    name: "merge-locks-of-the-source-are-forgotten",
    file: "txn/server/txn-region.ts",
    find: `    this.#view.gc = readGcState(this.#host.store, this.#host.region.id);
    this.#loadLocks();
    this.#schedule();`,
    replace: `    this.#view.gc = readGcState(this.#host.store, this.#host.region.id);
    this.#schedule();`,
    oracles: lost,
    scenario,
    why: "Readers of the merged region pass over locks that stood in its source.",
  },
  {
    name: "merge-of-regions-that-lie-apart",
    file: "raft/store/merge-rules.ts",
    find: `  return alone === undefined ? null : \`region \${target.id} has no peer on store \${alone.storeId}\`;`,
    replace: `  return alone === undefined ? null : null;`,
    oracles: lost,
    scenario,
    why: "A store is to take a source of which it has nothing.",
  },
  {
    name: "merge-is-proposed-at-whatever-epoch",
    file: "raft/store/merge-desk.ts",
    find: `peer.leadingTerm === 0 || !epochEquals(peer.epoch, epoch)) return;`,
    replace: `peer.leadingTerm === 0 || !epochEquals(epoch, epoch)) return;`,
    oracles: wrong,
    scenario: storm,
    why: "A call that comes late commits a merge that was taken back.",
  },
  {
    name: "merge-late-answer-of-an-earlier-freeze",
    file: "raft/store/merge-watch.ts",
    find: `    if (freezeIndex !== this.merge.freezeIndex) return;
`,
    replace: `    if (freezeIndex > this.merge.freezeIndex) return;
`,
    oracles: wrong,
    scenario: storm,
    why: "Who was frozen the last time counts as frozen now, and its store takes a source that is not complete.",
  },
  {
    name: "merge-any-freeze-will-do",
    file: "raft/store/merge-desk.ts",
    find: `    return peer !== null && peer.isFrozen && peer.merge?.freezeIndex === freezeIndex ? peer.peerId : 0;`,
    replace: `    return peer !== null && peer.isFrozen && freezeIndex > 0 ? peer.peerId : 0;`,
    oracles: wrong,
    scenario: storm,
    why: "A replica that is still at an earlier freeze says that it holds this one.",
  },
  {
    name: "merge-source-goes-while-its-target-comes",
    file: "raft/store/merge-desk.ts",
    find: `    return peer !== null && (peer.initialised || peer.installing !== null);`,
    replace: `    return peer?.initialised === true;`,
    oracles: wrong,
    scenario: storm,
    why: "A store buries the source while the snapshot that takes it is being installed.",
  },
];
