import type { Mutant } from "./mutant.ts";

const scenario = "region-storm";
const wrong = ["region-map", "region", "linearizability", "history", "history-hash", "replicas", "exception", "errors"];
const forgotten = ["term", "election-safety", "durability", "leader-completeness", "errors", "lead", ...wrong];

/** Regions that are divided. */
export const splitMutants: readonly Mutant[] = [
  {
    name: "split-entries-of-the-past-count",
    file: "raft/store/applier.ts",
    find: `    const stale = version !== region.epoch.version || merge !== null;`,
    replace: `    const stale = version < 0 || version > region.epoch.version || merge !== null;`,
    oracles: [...wrong, "durability", "lead"],
    scenario,
    why: "The parent writes to keys that are a child's by now.",
  },
  {
    name: "split-of-the-past-counts",
    file: "raft/store/admin-entry.ts",
    find: `  if (!epochAllows("split", entry.epoch, region.epoch)) return refuse(entry, region, changedSince);
`,
    replace: ``,
    oracles: [...wrong, "liveness", "durability"],
    scenario,
    why: "A region is divided for peers or a range that it had once (D35).",
  },
  {
    name: "split-child-speaks-before-its-records-are-durable",
    file: "raft/store/births.ts",
    find: `    let waits = 2;`,
    replace: `    let waits = 1;`,
    oracles: [...forgotten, "liveness"],
    scenario,
    why: "A crash takes the child's records back, and with them what its log acknowledged.",
  },
  {
    name: "split-log-of-a-child-goes-at-the-start",
    file: "raft/store/peer-table.ts",
    find: `    if (peerId === 0) graveyard.destroyLog(regionId);`,
    replace: `    const begun = (context.log.group(regionId)?.start.index ?? 0) > 0;
    if (peerId === 0 || begun) graveyard.destroyLog(regionId);`,
    oracles: forgotten,
    scenario,
    why: "The vote of a child whose parent is to be divided again after a crash is forgotten.",
  },
  {
    name: "split-takes-a-vote-back",
    file: "raft/store/births.ts",
    find: `    const vow = known?.peerId === peerId ? known.status() : { term: 0, vote: 0 };`,
    replace: `    const vow = { term: 0, vote: 0 };`,
    oracles: forgotten,
    scenario,
    why: "A child votes twice in one term: once before it knew its region, once after.",
  },
  {
    name: "split-overlapping-snapshot-is-taken",
    file: "raft/store/snapshot-receiver.ts",
    find: `    return other === null ? null :`,
    replace: `    return other === null || other.epoch.version > 0 ? null :`,
    oracles: [...wrong, "durability", "liveness", "lead"],
    scenario,
    why: "A child's snapshot lands on a store whose parent still has its range, and goes on writing there.",
  },
  {
    name: "split-everybody-votes-in-the-child",
    file: "raft/store/admin-entry.ts",
    find: `({ ...peer, peerId: peerIds[i] ?? 0 }))`,
    replace: `({ ...peer, role: "voter" as const, peerId: peerIds[i] ?? 0 }))`,
    oracles: ["region-map"],
    scenario,
    why: "A learner of the parent votes in the child.",
  },
  {
    name: "split-child-has-the-old-version",
    file: "raft/store/admin-entry.ts",
    find: `  regions.push({ id, start, end: region.end, epoch, peers });`,
    replace: `  regions.push({ id, start, end: region.end, epoch: region.epoch, peers });`,
    oracles: [...wrong, "liveness"],
    scenario,
    why: "Nobody can tell the child's descriptor from the parent's that had its keys before.",
  },
  {
    name: "split-answers-reads-of-another-range",
    file: "txn/server/txn-region.ts",
    find: `    if (!ticket.proposed && ticket.version !== this.#host.region.epoch.version) {`,
    replace: `    if (!ticket.proposed && ticket.version > this.#host.region.epoch.version) {`,
    oracles: ["any"],
    scenario: "cluster",
    why: "A read that waited is answered from a range that the region does not have any more (D6).",
  },
  {
    name: "split-machine-state-stays-behind",
    file: "txn/server/txn-region.ts",
    find: `    for (const { id } of children) putGcState(batch,`,
    replace: `    for (const { id } of children) if (floor < 0) putGcState(batch,`,
    oracles: ["any"],
    scenario: "cluster",
    why: "A child does not know up to where versions were collected.",
  },
  {
    name: "split-last-range-has-an-end",
    file: "raft/region.ts",
    find: `  return end.length === 0 || compareKeys(key, end) < 0;`,
    replace: `  return compareKeys(key, end) < 0;`,
    oracles: ["any"],
    scenario,
    why: "The end of everything is taken for a key below all keys (D21).",
  },
  {
    name: "split-birth-not-finished",
    file: "raft/store/births.ts",
    find: `    if (state === "normal" && isBegun && !hasBegun(log, regionId)) {`,
    replace: `    if (state === "normal" && isBegun && hasBegun(log, regionId) && peerId === 0) {`,
    oracles: ["errors", "liveness"],
    scenario,
    why: "A child whose log did not begin before a crash keeps its store from opening.",
  },
];
