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
    find: `        if (peer.leaderStore === storeId) orphans.push(peer);`,
    replace: `        if (peer.leaderStore === storeId && this.#liveness.isAlive(storeId)) orphans.push(peer);`,
    oracles: ["asleep", "liveness"],
    scenario: "cluster",
    why: "A leader's store falls silent, and its groups have no leader until a client asks.",
  },
  {
    name: "asleep-before-the-laggard",
    file: "raft/store/hibernation.ts",
    find: `    if (this.#liveness.isAlive(storeId)) peer.input({ kind: "wake" });`,
    replace: `    if (this.#liveness.isAlive(storeId)) return;`,
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
  {
    name: "asleep-with-the-dead",
    file: "raft/leader.ts",
    find: `    state.absent = absent;
    return;`,
    replace: `    return;`,
    oracles: ["asleep"],
    scenario: "cluster",
    why: "A leader sleeps on over the loss of a store, and nobody hears that a replica is missing.",
  },
  {
    name: "asleep-without-a-majority",
    file: "raft/leader.ts",
    find: `    wake(state);
    return;`,
    replace: `    return;`,
    oracles: ["asleep"],
    scenario: "cluster",
    why: "A leader that has lost its majority sleeps on, and says that it leads.",
  },
  {
    name: "elections-keep-their-places",
    file: "raft/store/election-turns.ts",
    find: `if (peer.closed || !peer.raft.stands || peer.raft.overdueTicks >= 0) this.#standing.delete(peer);`,
    replace: `if (peer.closed) this.#standing.delete(peer);`,
    oracles: ["liveness", "stuck"],
    scenario: "region-storm",
    why: "Those who stood for election once keep all others from it.",
  },
  {
    name: "elections-in-no-turn",
    file: "raft/store/election-turns.ts",
    find: `    for (const peer of this.#due(awake)) this.#stand(peer);`,
    replace: `    if (nowTick < 0) for (const peer of this.#due(awake)) this.#stand(peer);`,
    oracles: ["liveness", "stuck"],
    scenario: "region-storm",
    why: "Only regions that slept get a new leader.",
  },
];
