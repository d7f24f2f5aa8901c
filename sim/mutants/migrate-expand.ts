import type { Mutant } from "./mutant.ts";

const scenario = "migrate-expand";
const step = "node/migrate/expand-step.ts";
const expand = "node/migrate/expand.ts";
const regionExpansion = "node/migrate/region-expansion.ts";
const journal = "node/migrate/expand-journal.ts";
const check = "node/migrate/content-check.ts";
const replicaHash = "txn/server/replica-hash.ts";

/** One store that becomes three, by an operator's process that may end anywhere. */
export const migrateExpandMutants: readonly Mutant[] = [
  {
    name: "expand-promotes-what-it-did-not-compare",
    file: step,
    find: `  if (unverified.length > 0) return { kind: "verify", peers: unverified };`,
    replace: `  if (unverified.length > 9) return { kind: "verify", peers: unverified };`,
    oracles: ["content", "liveness"],
    scenario,
    why: "A learner votes as soon as its log follows, whatever its records are.",
  },
  {
    name: "expand-overlooks-another-content",
    file: regionExpansion,
    find: `    if (other !== null) {`,
    replace: `    if (other !== null && stores.length > 9) {`,
    oracles: ["content", "liveness"],
    scenario,
    why: "Contents are compared, and nothing follows from it.",
  },
  {
    name: "expand-compares-sizes-only",
    file: "core/bytes/content-hash.ts",
    find: `  const lanes = one.hash.every((lane, at) => lane === other.hash[at]);`,
    replace: `  const lanes = one.hash.length === other.hash.length;`,
    oracles: ["content", "liveness"],
    scenario,
    why: "Two contents of as many keys and as many bytes pass for the same.",
  },
  {
    name: "expand-adds-a-voter",
    file: step,
    find: `change: { op: "addLearner", peerId, storeId }`,
    replace: `change: { op: "addVoter", peerId, storeId }`,
    oracles: ["liveness", "two-voters"],
    scenario,
    why: "A store without data counts in majorities; the leader's store refuses it, and nothing goes on.",
  },
  {
    name: "expand-promotes-one-by-one",
    file: step,
    find: `  const changes = learners.map(`,
    replace: `  const changes = learners.slice(0, 1).map(`,
    oracles: ["two-voters"],
    scenario,
    why: "Between one voter and three there are two, of which neither may end.",
  },
  {
    name: "expand-uses-a-burnt-id",
    file: step,
    find: `  const unreserved = missing.filter((storeId) => entryOf(storeId)?.step !== "reserved");`,
    replace: `  const unreserved = missing.filter((storeId) => entryOf(storeId) === null);`,
    oracles: ["peer-ids", "liveness"],
    scenario,
    why: "A peer that was removed comes again under its id: its store has buried it, and takes nothing for it.",
  },
  {
    name: "expand-reserves-one-id-for-all",
    file: regionExpansion,
    find: `peerId: told.value + at, step`,
    replace: `peerId: told.value, step`,
    oracles: ["peer-ids", "liveness"],
    scenario,
    why: "Two stores get the same peer.",
  },
  {
    name: "expand-journal-not-synced",
    file: journal,
    find: `      file.sync((error) => (error === null ? resolve() : reject(error)));`,
    replace: `      resolve();`,
    oracles: ["operator"],
    scenario,
    why: "After a power loss the journal is there by name, without what was written into it.",
  },
  {
    name: "expand-journal-written-in-place",
    file: journal,
    find: `  const temp = \`\${directory}/\${name}.tmp\`;`,
    replace: `  const temp = \`\${directory}/\${name}\`;`,
    oracles: ["operator"],
    scenario,
    why: "A crash between two halves of a write leaves neither the old journal nor the new one.",
  },
  {
    name: "expand-is-done-when-the-leader-is",
    file: regionExpansion,
    find: `      if (!isThere || replica.applied < this.#settledAt) {`,
    replace: `      if (this.#settledAt < 0) {`,
    oracles: ["done-early"],
    scenario,
    why: "It is told as over while a store does not know that it votes.",
  },
  {
    name: "expand-is-done-before-it-is-known",
    file: regionExpansion,
    find: `    if (published === null || published.epoch.confVer < region.epoch.confVer) {`,
    replace: `    if (published === null) {`,
    oracles: ["done-early"],
    scenario,
    why: "It is told as over while the Coordinator sends clients to one store alone.",
  },
  {
    name: "expand-forgets-children",
    file: expand,
    find: `    const open = regions.filter(({ region }) => !expanded.has(region.id) || !hasVoters(region, order));`,
    replace: `    const open = expanded.size > 0 ? [] : regions;`,
    oracles: ["done-early"],
    scenario,
    why: "Regions that were divided meanwhile keep one voter: where that store dies, their keys are gone.",
  },
  {
    name: "expand-compares-followers-that-lag",
    file: check,
    find: `{ readTs, appliedMin: led.applied });`,
    replace: `{ readTs, appliedMin: 0 });`,
    oracles: ["operator", "content"],
    scenario,
    why: "A replica that is only behind is taken for one that is wrong.",
  },
  {
    name: "replica-hash-reads-the-present",
    file: replicaHash,
    find: `end: end.length === 0 ? null : end, versionMax: readTs, limit, live: true };`,
    replace: `end: end.length === 0 ? null : end, versionMax: Number.MAX_SAFE_INTEGER, limit, live: true };`,
    oracles: ["operator", "content", "liveness"],
    scenario,
    why: "What is written while contents are compared makes them differ.",
  },
  {
    name: "replica-hash-forgets-the-last-page",
    file: replicaHash,
    find: `    for (const data of page) if (isAlive(data, readTs)) hash.entry(data.key, data.value, data.expiresAtMs);`,
    replace:
      `    for (const data of page) if (page.length === limit && isAlive(data, readTs)) ` +
      `hash.entry(data.key, data.value, data.expiresAtMs);`,
    oracles: ["operator", "content", "liveness"],
    scenario,
    why: "A replica's own sum leaves out its last records.",
  },
];
