import type { Mutant } from "./mutant.ts";

const scenario = "region-storm";
/** Merges that are cut short: what `region-storm` meets too rarely. */
const storm = "merge-storm";
const rules = "raft/store/merge-rules.ts";
const wrong = [
  "region-map", "region", "linearizability", "history", "history-hash", "replicas", "exception", "errors",
  "durability", "lead", "liveness", "definite", "twice", "proposal",
];

/** Regions that are merged. The first six are found by `nokv explore` too, among all states of a small world. */
export const mergeMutants: readonly Mutant[] = [
  {
    name: "merge-waits-for-a-majority-only",
    file: rules,
    find: `  if (source.peers.every(({ peerId }) => frozen.has(peerId))) return "commit";`,
    replace: `  if (frozen.size > source.peers.length >> 1) return "commit";`,
    oracles: wrong,
    scenario,
    why: "A replica of the target takes a source that is not complete on its store.",
  },
  {
    name: "merge-is-taken-back-because-it-is-late",
    file: rules,
    find: `  return isLate ? "bump" : "ask";`,
    replace: `  return isLate ? "rollback" : "ask";`,
    oracles: wrong,
    scenario: storm,
    why: "A source serves again, and its target's entry was only late: two regions hold one range.",
  },
  {
    name: "merge-is-committed-at-any-epoch",
    file: rules,
    find: `  if (!epochAllows("commit-merge", asked, target.epoch)) return "the region has changed since";
`,
    replace: ``,
    oracles: wrong,
    scenario: storm,
    why: "A merge that was taken back is committed after all.",
  },
  {
    name: "merge-freeze-is-reported-before-it-is-durable",
    file: "raft/store/peer-freeze.ts",
    find: `    return this.#merge !== null && this.#isDurable;`,
    replace: `    return this.#merge !== null;`,
    oracles: wrong,
    scenario: storm,
    why: "A crash takes the freeze back on a store that all others count on.",
  },
  {
    name: "merge-evidence-does-not-look-why",
    file: rules,
    find: `  return compareKeys(target.start, source.end) < 0 ? "merged" : "never";`,
    replace: `  return "never";`,
    oracles: wrong,
    scenario: storm,
    why: "The merge itself is taken for the evidence that it can not happen.",
  },
  {
    name: "merge-source-goes-before-its-target-has-it",
    file: rules,
    find: `  return fate === "merged" && !isTargetHere;`,
    replace: `  return fate === "merged";`,
    oracles: wrong,
    scenario,
    why: "A store that hears of the merge deletes what its own replica of the target was to take.",
  },
  {
    name: "merge-of-the-last-region-into-the-first",
    file: rules,
    find: `  if (source.end.length === 0) return \`region \${source.id} is the last one, and has no right neighbour\`;
`,
    replace: ``,
    oracles: wrong,
    scenario,
    why: "The end of all keys is taken for their beginning (D21).",
  },
  {
    name: "merge-frozen-region-is-read",
    file: "raft/store/peer-intake.ts",
    find: `    if (this.#peer.isMerging || this.#requests.readCount >= options.readsMax) {`,
    replace: `    if (this.#requests.readCount >= options.readsMax) {`,
    oracles: wrong,
    scenario: storm,
    why: "A source answers from before the merge while its target has new values.",
  },
  {
    name: "merge-frozen-region-is-written",
    file: "raft/store/applier.ts",
    find: `    const stale = version !== region.epoch.version || merge !== null;`,
    replace: `    const stale = version + (merge === null ? 0 : 1) !== region.epoch.version;`,
    oracles: wrong,
    scenario: storm,
    why: "What was proposed before the freeze is applied behind it, on some stores before they are taken.",
  },
  {
    name: "merge-restart-forgets-the-freeze",
    file: "raft/store/peer-table.ts",
    find: `        this.#addRegion(peerId, region, applyState, merge);`,
    replace: `        this.#addRegion(peerId, region, applyState, null);`,
    oracles: wrong,
    scenario,
    why: "A store that was started again serves a source that its target is about to take.",
  },
  {
    name: "merge-snapshot-leaves-the-source",
    file: "raft/store/snapshot-recovery.ts",
    find: `source?.state === "merging" && coversSource(region, source.region, merge);`,
    replace: `source === undefined && coversSource(region, region, merge);`,
    oracles: wrong,
    scenario: storm,
    why: "After a restart the source is there again, with a range that the target's snapshot has brought.",
  },
  {
    name: "merge-source-takes-its-records-along",
    file: "raft/store/graveyard.ts",
    find: `    this.#burials.set(leaving.own.id, null);`,
    replace: `    this.#burials.set(leaving.own.id, leaving.own);`,
    oracles: wrong,
    scenario,
    why: "The records that the target took are deleted as those of a peer that left.",
  },
  {
    name: "merge-version-is-the-targets-alone",
    file: "raft/epoch.ts",
    find: `  return { version: Math.max(source.version, target.version) + 1, confVer: target.confVer };`,
    replace: `  return { version: target.version + 1, confVer: target.confVer };`,
    oracles: wrong,
    scenario,
    why: "An older range of the source passes for newer than the merged one.",
  },
];
