import type { Mutant } from "./mutant.ts";

const scenario = "coordinator-service";

/** The Coordinator over the network: the client's queue, the methods, and the process. */
export const coordinatorServiceMutants: readonly Mutant[] = [
  {
    name: "timestamp-shares-overlap",
    file: "coordinator/service/timestamp-queue.ts",
    find: `      first += caller.count;`,
    replace: `      first += 1;`,
    oracles: ["timestamps"],
    scenario,
    why: "Callers that share a request share timestamps too, and two transactions have one name.",
  },
  {
    name: "timestamp-caller-waits-for-ever",
    file: "coordinator/service/timestamp-queue.ts",
    find: `    this.#unsettled--;
    const why`,
    replace: `    this.#unsettled--;
    if (caller.count > 0) return;
    const why`,
    oracles: ["hang", "liveness"],
    scenario,
    why: "A transaction whose timestamp does not come in time hangs for ever.",
  },
  {
    name: "timestamps-not-asked-for-again",
    file: "coordinator/service/timestamp-queue.ts",
    find: `    this.#clock.after(delayMs * 1_000, () => {
      this.#scheduled = false;`,
    replace: `    this.#clock.after(delayMs * 1_000, () => {`,
    oracles: ["liveness"],
    scenario,
    why: "After the first failure a process never gets a timestamp again.",
  },
  {
    name: "timestamps-kept-for-later",
    file: "coordinator/service/timestamp-queue.ts",
    find: `    let first = range.first;
    for (const caller of callers) {`,
    replace: `    let first = Math.max(1, range.first - count);
    for (const caller of callers) {`,
    oracles: ["timestamps"],
    scenario,
    why: "A process gives out timestamps that are older than its caller's request.",
  },
  {
    name: "cluster-named-before-its-regions",
    file: "node/found-cluster.ts",
    find: `  for (let at = 0; at < firstRegions.length; at += atATime) {`,
    replace: `  await publish(coordinator, { kind: "ConfigSet", name: clusterEntry, value: asked });
  for (let at = 0; at < firstRegions.length; at += atATime) {`,
    oracles: ["regions", "liveness"],
    scenario,
    why: "A crash in its first moments leaves a Coordinator that never learns who holds which keys.",
  },
  {
    name: "coordinator-listens-before-it-has-a-name",
    file: "node/found-cluster.ts",
    find: `  return config.some(({ name }) => name === clusterEntry);`,
    replace: `  return config.length >= 0;`,
    oracles: ["regions", "answers", "any"],
    scenario: "coordinator-group",
    why: "Whoever asks first names the cluster, and finds no regions.",
  },
  {
    name: "failed-journal-not-told",
    file: "coordinator/local-journal.ts",
    find: `    this.#failed(error);
`,
    replace: "",
    oracles: ["liveness"],
    scenario,
    why: "After one failure of the disk the Coordinator's process lives on and decides nothing, until somebody looks.",
  },
];
