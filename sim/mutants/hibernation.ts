import type { Mutant } from "./mutant.ts";

/** Groups that sleep, and what has to wake them. */
export const hibernationMutants: readonly Mutant[] = [
  {
    name: "asleep-over-a-restart",
    file: "raft/store/store-liveness.ts",
    find: `    const begins = !known.isAlive || incarnation > known.incarnation;`,
    replace: `    const begins = !known.isAlive;`,
    oracles: ["asleep"],
    scenario: "cluster",
    why: "A store that is back before anybody missed it leads no more, and who slept behind it waits for it.",
  },
  {
    name: "asleep-behind-the-dead",
    file: "raft/store/hibernation.ts",
    find: `        if (peer.leaderStore === storeId) this.#orphan(peer);`,
    replace: `        if (peer.leaderStore === storeId && this.#liveness.isAlive(storeId)) this.#orphan(peer);`,
    oracles: ["asleep", "liveness"],
    scenario: "cluster",
    why: "A leader's store falls silent, and its groups have no leader until a client asks.",
  },
  {
    name: "asleep-before-the-laggard",
    file: "raft/store/hibernation.ts",
    find: `      } else if (peerOnStore(peer.region, storeId) !== null) {`,
    replace: `      } else if (peerOnStore(peer.region, storeId) !== null && !this.#liveness.isAlive(storeId)) {`,
    oracles: ["asleep", "liveness"],
    scenario: "cluster",
    why: "A member that was not waited for is there again, and nobody catches it up.",
  },
  {
    name: "asleep-before-the-newcomer",
    file: "raft/store/hibernation.ts",
    find: `    if (!isAnswer && !this.#neighbours.includes(storeId)) this.#parts.greet(storeId, true);`,
    replace: `    if (isAnswer && !this.#neighbours.includes(storeId)) this.#parts.greet(storeId, true);`,
    oracles: ["liveness"],
    scenario: "region-storm",
    why: "A store that has nothing yet says nothing, and nobody sends it what it is to have.",
  },
  {
    name: "asleep-with-work-to-apply",
    file: "raft/follower.ts",
    find: `  if (log.applied === log.last) state.quiesced = true;`,
    replace: `  state.quiesced = true;`,
    oracles: ["exception", "asleep", "liveness"],
    scenario: "raft-core",
    why: "Who has not applied everything sleeps, and says nothing of it.",
  },
  {
    name: "asleep-before-a-learner",
    file: "raft/tracker.ts",
    find: `    for (const { id, match, applied, state } of this.members) {
      if (absent.includes(id)) continue;`,
    replace: `    for (const { id, match, applied, state, isLearner } of this.members) {
      if (absent.includes(id) || isLearner) continue;`,
    oracles: ["exception", "liveness"],
    scenario: "raft-core",
    why: "A learner that lags is left behind: it stands for no election that would wake anybody.",
  },
];
