import type { Mutant } from "./mutant.ts";

const unsaid = ["durability", "election-safety", "term", "linearizability", "leader-completeness", "errors", "lead"];
const lost = ["errors", "durability", "history", "exception", "term", "liveness", "lead"];

/** Peers, their logs, and what is said to other stores. */
export const raftPeerMutants: readonly Mutant[] = [
  {
    name: "store-says-before-it-is-durable",
    file: "raft/store/peer.ts",
    find: `    if (task.snapshot === null) batch.add(this, task);`,
    replace: `    if (task.snapshot === null) {
      this.#send(task.sendAfter);
      batch.add(this, { ...task, sendAfter: [] });
    }`,
    oracles: unsaid,
    scenario: "raft-store",
    why: "Votes and acknowledgements leave before the disk has what they promise (R1, R2).",
  },
  {
    name: "store-batch-synced-for-the-last",
    file: "raft/store/lane-batch.ts",
    find: `    this.mustSync ||= task.mustSync;`,
    replace: `    this.mustSync = task.mustSync;`,
    oracles: unsaid,
    scenario: "raft-store",
    why: "What shares a submit with a commit index is told without a sync.",
  },
  {
    name: "store-submit-sometimes-not-synced",
    file: "raft/store/turns.ts",
    find: `    log.submit(batch.changes, batch.mustSync, () => {`,
    replace: `    log.submit(batch.changes, batch.mustSync && stats.submits % 5 > 0, () => {`,
    oracles: unsaid,
    scenario: "raft-store",
    why: "One acknowledgement in five rests on nothing but a page cache.",
  },
  {
    name: "store-says-what-is-under-way",
    file: "raft/store/turns.ts",
    find: `      if (newest !== undefined) for (const task of batch.tasks) newest.tasks.push(task);
      else clock.soon(() => this.#written(batch));`,
    replace: `      if (newest === null) return;
      clock.soon(() => this.#written(batch));`,
    oracles: [...unsaid, "exception"],
    scenario: "raft-store",
    why: "A message that waits for an earlier write overtakes it.",
  },
  {
    name: "store-cuts-what-is-applied",
    file: "raft/store/log-keeper.ts",
    find: `    const index = Math.min(this.durableIndex, this.#floor());`,
    replace: `    const index = Math.min(this.#newest?.index ?? 0, this.#floor());`,
    oracles: lost,
    scenario: "raft-store-snapshots",
    why: "The log is cut up to what a power loss takes from the engine (R5).",
  },
  {
    name: "store-log-never-cut",
    file: "raft/store/log-keeper.ts",
    find: `    return newest.index - group.start.index <= logKeepEntries + Math.max(1, logKeepEntries >> 1);`,
    replace: `    return newest.index - group.start.index <= logKeepEntries + 1_000_000;`,
    oracles: ["liveness", "bounds"],
    scenario: "raft-store",
    why: "The log of a store grows for ever.",
  },
  {
    name: "store-cut-below-the-snapshot",
    file: "raft/store/log-keeper.ts",
    find: `    if (index <= Math.max(base, this.#peer.status().base)) return;`,
    replace: `    if (index <= base) return;`,
    oracles: ["exception"],
    scenario: "raft-store-snapshots",
    why: "A store that gets a snapshot while its log is cut dies of it.",
  },
  {
    name: "store-leads-before-it-knows",
    file: "raft/store/peer-office.ts",
    find: `    if (!this.isLeader || this.#leadingTerm !== 0 || term !== this.#term) return false;`,
    replace: `    if (!this.isLeader || this.#leadingTerm !== 0) return false;`,
    oracles: ["lead", "linearizability", "exception"],
    scenario: "raft-store",
    why: "A new leader serves before it has applied what earlier ones acknowledged.",
  },
  {
    name: "store-conf-of-the-past",
    file: "raft/store/peer.ts",
    find: `this.#step({ kind: "confApplied", conf: voterConfiguration(after) });`,
    replace: `this.#step({ kind: "confApplied", conf: voterConfiguration(before) });`,
    oracles: ["any"],
    scenario: "raft-store-members",
    why: "A leader counts the votes of those who were removed.",
  },
  {
    name: "store-joint-never-left",
    file: "raft/store/peer.ts",
    find: `    if (this.leadingTerm === 0 || !isJointRegion(this.region) || this.#requests.changing) return;`,
    replace: `    if (this.leadingTerm >= 0 || !isJointRegion(this.region) || this.#requests.changing) return;`,
    oracles: ["liveness"],
    scenario: "raft-store-members",
    why: "A region needs two majorities for ever.",
  },
  {
    name: "store-hope-never-lost",
    file: "raft/store/peer-office.ts",
    find: `    if (this.#idleTicks < ticks) return false;`,
    replace: `    if (this.#idleTicks < ticks * 1_000_000) return false;`,
    oracles: ["liveness"],
    scenario: "raft-store",
    why: "Whoever proposed to a leader of the past waits for ever.",
  },
  {
    name: "store-tasks-overtake-a-snapshot",
    file: "raft/store/peer-snapshot.ts",
    find: `    if (this.#installing === null) return true;`,
    replace: `    if (this.#installing === null || task.snapshot === null) return true;`,
    oracles: ["any"],
    scenario: "raft-store-snapshots",
    why: "Entries behind a snapshot are written to a log that does not have it yet.",
  },
  {
    name: "store-reads-outlive-their-records",
    file: "raft/store/peer.ts",
    find: `    this.#requests.refuseReads();
`,
    replace: ``,
    oracles: ["reply", "liveness", "linearizability"],
    scenario: "raft-store-stranded",
    why: "A read is answered from records that a snapshot has replaced.",
  },
  {
    name: "store-waiters-outlive-a-snapshot",
    file: "raft/store/peer.ts",
    find: `    this.#requests.giveUp("a snapshot took its place");
`,
    replace: ``,
    oracles: ["reply", "liveness", "definite", "exception"],
    scenario: "raft-store-snapshots",
    why: "A proposal whose place is in a snapshot is answered wrongly, or never.",
  },
  {
    name: "store-refused-reads-are-answered",
    file: "raft/store/requests.ts",
    find: `      if (pending?.kind === "proposal") this.#drop(pending.proposal, endOf(why));
      else if (pending?.kind === "read") pending.done(false);`,
    replace: `      if (pending?.kind === "proposal") this.#drop(pending.proposal, endOf(why));
      else if (pending?.kind === "read") pending.done(true);`,
    oracles: ["linearizability"],
    scenario: "raft-store",
    why: "A leader of the past answers reads with what it remembers.",
  },
  {
    name: "store-reads-before-they-are-applied",
    file: "raft/store/requests.ts",
    find: `      if (applied >= index) pending.done(true);`,
    replace: `      if (applied + 3 >= index) pending.done(true);`,
    oracles: ["linearizability"],
    scenario: "raft-store",
    why: "A read misses writes that were acknowledged (lease-vs-split).",
  },
  {
    name: "store-waits-for-room-for-ever",
    file: "raft/store/turns.ts",
    find: `      this.#waitsForRoom = false;
`,
    replace: ``,
    oracles: ["liveness"],
    scenario: "raft-store-room",
    why: "A store whose engine was full once applies nothing any more.",
  },
  {
    name: "store-dead-peers-write",
    file: "raft/store/lane-batch.ts",
    find: `    if (!this.tasks.some((waiting) => waiting.peer === peer)) return;`,
    replace: `    if (this.tasks.length >= 0) return;`,
    oracles: ["any"],
    scenario: "raft-store-members",
    why: "What a removed peer had to write is taken for the beginning of its successor.",
  },
  {
    name: "store-log-goes-while-its-tombstone-may-be-lost",
    file: "raft/store/graveyard.ts",
    find: `    engine.whenDurable(ticket, (error) => {`,
    replace: `    engine.whenDurable(Math.min(ticket, 1), (error) => {`,
    oracles: lost,
    scenario: "raft-store-members",
    why: "A crash leaves a peer without a log that nothing says was removed (R13).",
  },
  {
    name: "store-buries-without-room",
    file: "raft/store/graveyard.ts",
    find: `    if (!engine.hasRoom(batch.byteLength)) return false;
`,
    replace: ``,
    oracles: ["errors", "exception"],
    scenario: "raft-store-room",
    why: "A store whose engine is full dies when a peer is taken from it.",
  },
  {
    name: "store-dead-rise",
    file: "raft/store/post.ts",
    find: `    if (tombstone !== null && message.to <= tombstone.peerId) this.#answerForDead`,
    replace: `    if (tombstone !== null && message.to < tombstone.peerId) this.#answerForDead`,
    oracles: ["any"],
    scenario: "raft-store-members",
    why: "A removed peer comes back without its log, and votes again.",
  },
  {
    name: "store-dead-do-not-answer",
    file: "raft/store/post.ts",
    find: `    if ((kind !== "preVote" && kind !== "vote") || tombstone.index === 0) return;`,
    replace: `    if ((kind !== "preVote" && kind !== "vote") || tombstone.index >= 0) return;`,
    oracles: ["liveness"],
    scenario: "raft-store-members",
    why: "Those who do not know of a removal wait for a voter that is gone.",
  },
  {
    name: "store-strangers-are-heard",
    file: "raft/store/post.ts",
    find: `    else if (this.#isStranger(peer, received)) this.#tell(fromStore, message.from, peer.region);
`,
    replace: ``,
    oracles: ["liveness"],
    scenario: "raft-store-members",
    why: "A removed peer is never told, and stays for ever.",
  },
  {
    name: "store-log-goes-under-a-snapshot",
    file: "raft/store/log-keeper.ts",
    find: `return held === null ? floor : Math.min(floor, Math.max(held, last - heldTimes * logEntriesMax));`,
    replace: `return held === null || heldTimes > 0 ? floor : held;`,
    oracles: ["repair", "liveness"],
    scenario: "store-loss",
    why: "Where a region is written faster than its snapshot is made, no new replica ever catches up.",
  },
  {
    name: "stale-learners-never-ask",
    file: "raft/store/stale-peers.ts",
    find: `    if (peer.raft.quiesced) return true;
    const isLearner`,
    replace: `    if (peer.raft.quiesced) return true;
    if (this.#lap >= 0) return false;
    const isLearner`,
    oracles: ["liveness"],
    scenario: "raft-store-forsaken",
    why: "A learner that was removed while its store was down stays for ever.",
  },
  {
    name: "stale-sleepers-never-ask",
    file: "raft/store/stale-peers.ts",
    find: `    if (peer.raft.quiesced) return true;
    const isLearner`,
    replace: `    if (peer.raft.quiesced) return false;
    const isLearner`,
    oracles: ["liveness"],
    scenario: "raft-store-forsaken",
    why: "A learner that was removed while nobody heard its store sleeps on, and its range is in the way of others.",
  },
  {
    name: "stale-those-who-left-say-nothing",
    file: "raft/store/post.ts",
    find: `    const region = peer?.initialised === true ? peer.region : this.#office.tombstone(regionId)?.region;`,
    replace: `    const region = peer?.initialised === true ? peer.region : undefined;`,
    oracles: ["liveness"],
    scenario: "raft-store-forsaken",
    why: "A learner whose old companions have all left asks nobody who knows.",
  },
  {
    name: "store-predecessors-are-heard",
    file: "raft/store/post.ts",
    find: `    if (peer.peerId > message.to) this.#stats.messagesDropped++;`,
    replace: `    if (peer.peerId > message.to) peer.message(fromStore, message);`,
    oracles: ["any"],
    scenario: "raft-store-members",
    why: "What was meant for a removed peer is taken by its successor.",
  },
  {
    name: "store-vote-of-nobody",
    file: "raft/store/peer-table.ts",
    find: `    context.log.submit([{ op: "note", group: regionId, key: noteKey.peer, value }], false, () => {});
`,
    replace: `    if (value.length === 0) return null;
`,
    oracles: ["term", "election-safety", "errors"],
    scenario: "raft-store-members",
    why: "A vote that was given before the first snapshot is forgotten in a crash (R11).",
  },
  {
    name: "store-snapshot-without-intent",
    file: "raft/store/snapshot-installer.ts",
    find: `    log.submit([{ op: "note", group: peer.regionId, key: noteKey.snapshotIntent, value }], true, () => {
      if (!this.#stopped()) this.#tryReplace(peer, intent);
    });`,
    replace: `    if (value.length > 0) this.#replaceRecords(peer, intent);`,
    oracles: lost,
    scenario: "raft-store-snapshots",
    why: "A crash while a snapshot is installed leaves records that the log does not lead to (R8, R9).",
  },
  {
    name: "store-tombstone-takes-its-successors-log",
    file: "raft/store/graveyard.ts",
    find: `    if (note !== undefined && decodePeerNote(note) > leaving.peerId) return;
`,
    replace: `    if (note !== undefined && decodePeerNote(note) === 0) return;
`,
    oracles: ["durability", "term", "election-safety"],
    scenario: "raft-store-members",
    why: "A restart takes the vote of a peer whose predecessor on that store was removed (R11).",
  },
  {
    name: "store-snapshot-of-the-dead-keeps-its-place",
    file: "raft/store/snapshot-receiver.ts",
    find: `    if (before !== null && !before.attached) before`,
    replace: `    if (before !== null && before === stream) before`,
    oracles: ["repair", "liveness"],
    scenario: "store-loss",
    why: "A leader that dies while it sends a snapshot keeps its follower from any other for ten minutes.",
  },
];
