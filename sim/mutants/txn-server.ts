import type { Mutant } from "./mutant.ts";

const scenario = "txn-model";
const seen = ["timestamps", "bank"];
const replicas = [...seen, "history", "replicas", "exception"];
const anyOf = [...replicas, "hygiene", "liveness", "mirror", "stuck", "answers"];

/** What a store does with transactions between a request and its answer. */
export const txnServerMutants: readonly Mutant[] = [
  {
    name: "txn-server-applies-by-its-clock",
    file: "txn/server/txn-region.ts",
    find: `    this.#run = this.#applier.apply(entries, batch, hash);`,
    replace: `    const isLate = this.#host.clock.monotonicUs() % 16 === 0;
    const judged = entries.map((entry) => ({ ...entry, stale: entry.stale || isLate }));
    this.#run = this.#applier.apply(judged, batch, hash);`,
    oracles: ["history", "replicas", "history-hash", ...seen],
    scenario: "txn-model",
    why: "What becomes of a committed entry is decided by the clock of each store. (37)",
  },
  {
    name: "txn-server-proposes-for-another-range",
    file: "txn/server/txn-region.ts",
    find: `    if (ticket.version !== this.#host.region.epoch.version) return this.#end(token, this.#staleEpoch());
    return true;`,
    replace: `    return true;`,
    oracles: anyOf,
    scenario: "txn-splits",
    why: "A write that was let in before a split goes through the log of the region that its key has left. (D5)",
  },
  {
    name: "txn-server-read-without-confirmation",
    file: "txn/server/txn-region.ts",
    find: `    this.#host.readIndex((ok) => {`,
    replace: `    ((confirmed: (ok: boolean) => void) => confirmed(true))((ok) => {`,
    oracles: seen,
    scenario,
    why: "A leader that was deposed and does not know it yet answers reads from the past.",
  },
  {
    name: "txn-server-commands-of-a-run-blind",
    file: "txn/server/run-applier.ts",
    find: `execute(overlay, commands[i] as Command)`,
    replace: `execute(i === 0 ? overlay : this.#view, commands[i] as Command)`,
    oracles: anyOf,
    scenario,
    why: "Of two increments in one entry one is lost.",
  },
  {
    name: "txn-server-mirror-ahead-of-engine",
    file: "txn/server/txn-region.ts",
    find: `    this.#run = this.#applier.apply(entries, batch, hash);`,
    replace: `    this.#run = this.#applier.apply(entries, batch, hash);
    this.#leader.appliedWrites(this.#run.writes);`,
    oracles: [...seen, "mirror"],
    scenario,
    why: "While the engine has no room a read finds neither the lock nor what was committed under it.",
  },
  {
    name: "txn-server-answers-mixed-up",
    file: "txn/server/txn-region.ts",
    find: `else this.#leader.applied(token, responses[i] as Response);`,
    replace: `else this.#leader.applied(token, responses[Math.max(0, i - 1)] as Response);`,
    oracles: anyOf,
    scenario,
    why: "Of commands that share an entry one is told what became of another. (D1)",
  },
  {
    name: "txn-server-floor-forgotten",
    file: "txn/server/run-applier.ts",
    find: `    if (gc.floor !== this.#view.gcFloor || gc.safePoint !== this.#view.gcSafePoint) {`,
    replace: `    if (gc.safePoint !== this.#view.gcSafePoint) {`,
    oracles: anyOf,
    scenario,
    why: "A store that starts over lets in what the others refuse, and its replica is another one from then on.",
  },
  {
    name: "txn-server-floor-takes-no-effect",
    file: "txn/server/txn-region.ts",
    find: `    this.#view.gc = run.gc;
`,
    replace: "",
    oracles: anyOf,
    scenario,
    why: "Garbage is never collected.",
  },
  {
    name: "txn-server-starts-without-locks",
    file: "txn/server/txn-region.ts",
    find: `    this.#applier = new RunApplier(host.store, this.#leader.table.over(this.#view), host.region.id);
    this.#loadLocks();`,
    replace: `    this.#applier = new RunApplier(host.store, this.#leader.table.over(this.#view), host.region.id);`,
    oracles: anyOf,
    scenario,
    why: "After a restart transactions walk through each other's locks.",
  },
  {
    name: "txn-server-keeps-locks-of-other-ranges",
    file: "txn/server/txn-region.ts",
    find: `    this.#view.gc = readGcState(this.#host.store, this.#host.region.id);
    this.#loadLocks();`,
    replace: `    this.#view.gc = readGcState(this.#host.store, this.#host.region.id);`,
    oracles: ["mirror"],
    scenario,
    why: "Locks of what a region has lost by a split stay in memory for ever.",
  },
  {
    name: "txn-server-dropped-keeps-its-claims",
    file: "txn/server/txn-region.ts",
    find: `    this.#leader.drop(token);
    const ticket`,
    replace: `    const ticket`,
    oracles: ["liveness", "hygiene", "stuck", "runaway"],
    scenario,
    why: "Reads wait for ever for an operation whose proposal is gone.",
  },
  {
    name: "txn-server-stale-entry-executed",
    file: "txn/server/run-applier.ts",
    find: `      if (entry.stale) {`,
    replace: `      if (entry.stale && proposal !== 0) {`,
    oracles: anyOf,
    scenario,
    why: "An entry of before a split is skipped by its leader and executed by the followers. (D5)",
  },
  {
    name: "txn-server-page-goes-on-behind-what-was-cut",
    file: "txn/server/command-bytes.ts",
    find: `    return { kind: "page", entries: entries.slice(0, count), next: successor(last.key), lock: null };`,
    replace: `    return { ...response, entries: entries.slice(0, count) };`,
    oracles: seen,
    scenario,
    why: "A scan of large values leaves some out.",
  },
  {
    name: "txn-server-overlay-shows-the-oldest",
    file: "txn/server/overlay.ts",
    find: `  for (let i = versions.length - 1; i >= 0; i--) {`,
    replace: `  for (let i = 0; i < versions.length; i++) {`,
    oracles: anyOf,
    scenario,
    why: "The third increment of a key in one run counts from the first.",
  },
  {
    name: "txn-server-overlay-shows-removed-locks",
    file: "txn/server/overlay.ts",
    find: `    const kept = below.filter(({ key }) => this.#locks.get(key) === null);`,
    replace: `    const kept = below;`,
    oracles: anyOf,
    scenario,
    why: "A lock that was committed in the same run is resolved once more.",
  },
  {
    name: "txn-server-versions-of-a-run-lost",
    file: "txn/server/overlay.ts",
    find: `      for (const { version, value, expiresAtMs } of versions) {`,
    replace: `      for (const { version, value, expiresAtMs } of versions.slice(-1)) {`,
    oracles: anyOf,
    scenario,
    why: "A snapshot between two writes of one run sees neither.",
  },
  {
    name: "txn-server-lock-only-decoded-as-delete",
    file: "txn/server/command-codec.ts",
    find: `      mutations.push({ kind, key });`,
    replace: `      mutations.push({ kind: "delete", key });`,
    oracles: anyOf,
    scenario,
    why: "Who promotes a read deletes what was read.",
  },
  {
    name: "txn-server-decrements-lose-their-sign",
    file: "txn/server/mutation-codec.ts",
    find: `  return isNegative ? -magnitude : magnitude;`,
    replace: `  return magnitude;`,
    oracles: anyOf,
    scenario,
    why: "DECR counts up.",
  },
  {
    name: "txn-server-forgotten-operation-decided-anew",
    file: "txn/percolator/atomic.ts",
    find: `  if (opId < view.gcSafePoint) return refuse({ kind: "forgotten", safePoint: view.gcSafePoint });
  // Asked`,
    replace: `  // Asked`,
    oracles: seen,
    scenario,
    why: "A late copy of a SET NX is told that it happened, because what stood in its way is collected.",
  },
];
