import type { Mutant } from "./mutant.ts";

/** What the observer of a group sees, what the witness of all replicas sees, and what the store itself asserts. */
const replicas = [
  "durability",
  "log-matching",
  "leader-completeness",
  "state-machine",
  "history",
  "history-hash",
  "twice",
  "contract",
  "term",
  "exception",
  "election-safety",
  "region",
  "replicas",
  "errors",
];
const stuck = ["liveness", "stuck"];
const answers = ["definite", "reply", "linearizability", "lead", "read", "proposal", ...replicas, ...stuck];

/** How committed entries reach the engine, and who is told of it. */
export const storeApplyMutants: readonly Mutant[] = [
  {
    name: "store-applied-index-not-with-data",
    file: "raft/store/applier.ts",
    find: `    putApplyState(batch, this.#store, this.#owner.region.id, state);
    return`,
    replace: `    if (run.conf !== null) putApplyState(batch, this.#store, this.#owner.region.id, state);
    return`,
    oracles: replicas,
    scenario: "raft-store",
    why: "After a crash a counter is incremented again by what it was incremented by before.",
  },
  {
    name: "store-read-without-round",
    file: "raft/store/peer-intake.ts",
    find: `    this.#step({ kind: "readIndex", token: this.#requests.add({ kind: "read", done }) });`,
    replace: `    this.#answerLater(() => done(this.#peer.isLeader));`,
    oracles: answers,
    scenario: "raft-store",
    why: "A leader that was cut off goes on reading from a world that has moved on.",
  },
  {
    name: "store-leads-before-it-has-everything",
    file: "raft/store/peer-office.ts",
    find: `this.#leadingTerm !== 0 || term !== this.#term) return false;`,
    replace: `this.#leadingTerm !== 0 || term > this.#term) return false;`,
    oracles: answers,
    scenario: "raft-store",
    why: "A new leader decides about locks before it has applied those of its predecessor.",
  },
  {
    name: "store-region-not-with-its-entry",
    file: "raft/store/applier.ts",
    find: `    putRegionState(batch, this.#store, { state, peerId, region: after });`,
    replace: `    if (state === "tombstone") putRegionState(batch, this.#store, { state, peerId, region: after });`,
    oracles: answers,
    scenario: "raft-store",
    why: "After a crash a replica counts votes by a membership of the past.",
  },
];

/** What must be durable before what, and what becomes of peers. */
export const storeLogMutants: readonly Mutant[] = [
  {
    name: "store-acknowledges-before-durable",
    file: "raft/store/peer.ts",
    find: `    this.#send(ready.sendNow);`,
    replace: `    this.#send(ready.sendNow);
    this.#send(ready.append?.sendAfter ?? []);`,
    oracles: ["durability", ...replicas],
    scenario: "raft-store",
    why: "Writes are acknowledged that a power loss takes back.",
  },
  {
    name: "store-submits-without-sync",
    file: "raft/store/lane-batch.ts",
    find: `    this.mustSync ||= task.mustSync;`,
    replace: `    this.mustSync ||= task.snapshot !== null;`,
    oracles: replicas,
    scenario: "raft-store",
    why: "Votes and entries that others rely on are lost with the power.",
  },
  {
    name: "store-log-cut-before-engine-is-durable",
    file: "raft/store/log-keeper.ts",
    find: `const index = Math.min(this.durableIndex, this.#floor());`,
    replace: `const index = this.#floor();`,
    oracles: answers,
    scenario: "raft-store-snapshots",
    why: "What the engine loses with the power is gone from the log too: acknowledged writes are lost.",
  },
  {
    name: "store-entries-borrow-the-frame",
    file: "raft/store/post.ts",
    find: `const bytes = type === storeMessage.append ? body.slice() : body;`,
    replace: `const bytes = body;`,
    oracles: answers,
    scenario: "raft-store",
    why: "A follower applies bytes of whatever frame came next.",
  },
  {
    name: "store-snapshot-says-what-is-committed",
    file: "raft/store/snapshot-senders.ts",
    find: `const { index, term, high, low } = applyState;`,
    replace: `const { term, high, low } = applyState;
    const index = peer.status().committed;`,
    oracles: answers,
    scenario: "raft-store",
    why: "A snapshot claims entries that it does not hold: its receiver never applies them.",
  },
  {
    name: "store-snapshot-forgets-the-history",
    file: "raft/store/peer.ts",
    find: `this.#host(region, { index: snapshot.index, term: snapshot.term, high, low });`,
    replace: `this.#host(region, { index: snapshot.index, term: snapshot.term, high: high & 0, low: low & 0 });`,
    oracles: ["history-hash", ...replicas],
    scenario: "raft-store",
    why: "Replicas can not be compared after a snapshot: a difference between them stays unseen.",
  },
  {
    name: "store-snapshot-done-before-it-is",
    file: "raft/store/snapshot-installer.ts",
    find: `    const batch = stateOfSnapshot(engine, intent, region);`,
    replace: `    const batch = stateOfSnapshot(engine, intent, region);
    peer.installed();`,
    oracles: answers,
    scenario: "raft-store",
    why: "A crash leaves a log that begins behind what the engine has: the replica is damaged.",
  },
  {
    name: "store-snapshot-forgotten-by-recovery",
    file: "raft/store/snapshot-recovery.ts",
    find: `  if (isThere) {
    const { term,`,
    replace: `  if (isThere && applied < snapshot.index) {
    const { term,`,
    oracles: answers,
    scenario: "raft-store-snapshots",
    why: "A store that crashed after a snapshot was installed, and whose files were swept, does not open any more.",
  },
  {
    name: "store-log-goes-before-its-tombstone",
    file: "raft/store/graveyard.ts",
    find: `    engine.whenDurable(ticket, (error) => {
      if (error === null) this.#parts.failpoints.hit(tombstoneBeforeLog);
      if (error !== null) fail(error);
      else if (!stopped()) this.destroyLog(regionId);
    });`,
    replace: `    this.destroyLog(regionId);
    this.#parts.failpoints.hit(tombstoneBeforeLog);
    engine.whenDurable(ticket, (error) => {
      if (error !== null && !stopped()) fail(error);
    });`,
    oracles: answers,
    scenario: "raft-store",
    why: "A crash leaves a replica without its log: the store takes itself for damaged and does not open.",
  },
  {
    name: "store-removed-peer-says-nothing",
    file: "raft/store/post.ts",
    find: `if ((kind !== "preVote" && kind !== "vote") || tombstone.index === 0) return;`,
    replace: `if (kind !== "timeoutNow") return;`,
    oracles: stuck,
    scenario: "raft-store",
    why: "Of two replicas one is removed, and the other never learns that it is alone: the region is lost.",
  },
  {
    name: "store-snapshot-of-who-left-goes-on",
    file: "raft/store/snapshot-senders.ts",
    find: `if (!peer.isLeader || peerById(peer.region, sending.to) === null) this.#end(key, sending);`,
    replace: `if (!peer.isLeader && sending.index < 0) this.#end(key, sending);`,
    oracles: ["liveness", "repair"],
    scenario: "cold-rot",
    why: "A learner that was given up stands in the way of the next one as long as its snapshot takes.",
  },
];
