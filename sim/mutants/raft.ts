import type { Mutant } from "./mutant.ts";

const safety = [
  "election-safety",
  "log-matching",
  "leader-completeness",
  "state-machine",
  "durability",
  "history",
  "term",
  "proposal",
  "read",
];
/** The machine's own assertions are as good. */
const unsafe = [...safety, "exception"];
const stuck = ["liveness", "stuck"];

/** Who may lead, who may count, and what a vote promises. */
export const raftElectionMutants: readonly Mutant[] = [
  {
    name: "raft-vote-before-durable",
    file: "raft/election.ts",
    find: `  state.sendAfter.push(reply);
  if (!granted || pre) return;`,
    replace: `  state.sendNow.push(reply);
  if (!granted || pre) return;`,
    oracles: ["durability", "election-safety"],
    scenario: "raft-core",
    why: "A peer that crashes votes for two candidates of one term, and the group gets two leaders.",
  },
  {
    name: "raft-candidacy-before-durable",
    file: "raft/election.ts",
    find: `    if (kind === "vote") state.sendAfter.push(request);`,
    replace: `    if (kind === "vote") state.sendNow.push(request);`,
    oracles: ["durability", "election-safety", "log-matching"],
    scenario: "raft-core",
    why: "A candidate that crashes wins the same term twice, by the votes of others, with two different logs.",
  },
  {
    name: "raft-up-to-date-by-index",
    file: "raft/raft-log.ts",
    find: `return term > this.lastTerm || (term === this.lastTerm && index >= this.last);`,
    replace: `return index >= this.last && term >= 0;`,
    oracles: unsafe,
    scenario: "raft-elections",
    why: "A peer with a long log of a deposed leader is elected, and committed writes are overwritten.",
  },
  {
    name: "raft-vote-forgotten-in-term",
    file: "raft/roles.ts",
    find: `  if (term > state.term) enterTerm(state, term);
  assert(`,
    replace: `  if (term > state.term) enterTerm(state, term);
  else state.vote = nobody;
  assert(`,
    oracles: [...unsafe],
    scenario: "raft-core",
    why: "A peer votes for two candidates of one term.",
  },
  {
    name: "raft-refusal-tells-no-commit",
    file: "raft/election.ts",
    find: `  if (reply.reject) adoptCommit(state, reply);`,
    replace: ``,
    oracles: stuck,
    scenario: "raft-acts",
    why: "A leader that removed itself and stepped down holds up its group: nobody has a log as long as its.",
  },
  {
    name: "raft-pre-vote-is-a-vote",
    file: "raft/election.ts",
    find: `  if (!granted || pre) return;`,
    replace: `  if (!granted) return;`,
    oracles: [...unsafe, ...stuck],
    scenario: "raft-core",
    why: "Whoever only asks whether it could win takes votes from those who stand.",
  },
  {
    name: "raft-pre-vote-past-lease",
    file: "raft/raft.ts",
    find: `if (asks && !message.force && state.inLease) return;`,
    replace: `if (kind === "vote" && !message.force && state.inLease) return;`,
    oracles: ["disturbed-leader"],
    scenario: "raft-core",
    why: "A peer that hears nobody deposes a healthy leader again and again.",
  },
  {
    name: "raft-check-quorum-never",
    file: "raft/leader.ts",
    find: `    if (!state.tracker.quorumActive()) {`,
    replace: `    if (state.tracker.members.length === 0) {`,
    oracles: ["deposed", ...stuck],
    scenario: "raft-core",
    why: "A leader that lost its majority goes on as if it led, and its clients wait for nothing.",
  },
  {
    name: "raft-election-by-incoming-half",
    file: "raft/tracker.ts",
    find: `return jointVote(ballots(this.#incoming), ballots(this.#outgoing));`,
    replace: `return jointVote(ballots(this.#incoming), ballots([]));`,
    oracles: unsafe,
    scenario: "raft-acts",
    why: "While members change, the new half elects a leader without what the old half has committed.",
  },
  {
    name: "raft-commit-by-incoming-half",
    file: "raft/tracker.ts",
    find: `return Math.min(this.#matched(this.#incoming), this.#matched(this.#outgoing));`,
    replace: `return Math.min(this.#matched(this.#incoming), this.#matched([]));`,
    oracles: unsafe,
    scenario: "raft-members",
    why: "While members change, the new half commits what the old half can overrule.",
  },
  {
    name: "raft-learners-count",
    file: "raft/tracker.ts",
    find: `    this.#incoming = ofIds(conf.voters);`,
    replace: `    this.#incoming = ofIds([...conf.voters, ...conf.learners]);`,
    oracles: [...unsafe, ...stuck],
    scenario: "raft-core",
    why: "A write counts as safe when learners have it.",
  },
  {
    name: "raft-campaign-with-unapplied-conf",
    file: "raft/raft-log.ts",
    find: `return first !== undefined && first <= this.committed ? first : 0;`,
    replace: `return first !== undefined && first < 0 ? first : 0;`,
    oracles: unsafe,
    scenario: "raft-acts",
    why: "A peer that has not applied its removal is elected by a majority of the past.",
  },
  {
    name: "raft-conf-before-own-term",
    file: "raft/roles.ts",
    find: `  state.pendingConf = log.last;`,
    replace: `  state.pendingConf = 0;`,
    oracles: unsafe,
    scenario: "raft-acts",
    why: "Two changes of members are in flight, and two majorities that share nobody decide.",
  },
  {
    name: "raft-removed-leader-leads-on",
    file: "raft/raft.ts",
    find: `  if (!isVoter(state.tracker.conf, state.id)) {
    // Removed`,
    replace: `  if (state.tracker.members.length === 0) {
    // Removed`,
    oracles: ["exception", ...stuck],
    scenario: "raft-members",
    why: "A leader that was removed goes on leading, and the group depends on it.",
  },
];

/** What is acknowledged, what is committed, and what is thrown away. */
export const raftReplicationMutants: readonly Mutant[] = [
  {
    name: "raft-ack-before-durable",
    file: "raft/follower.ts",
    find: `  reply.index = index;
  reply.applied = state.log.applied;
  state.sendAfter.push(reply);`,
    replace: `  reply.index = index;
  reply.applied = state.log.applied;
  state.sendNow.push(reply);`,
    oracles: ["durability"],
    scenario: "raft-core",
    why: "After a power loss of all peers, acknowledged writes are gone.",
  },
  {
    name: "raft-own-match-before-durable",
    file: "raft/leader.ts",
    find: `  log.push(entry);
  state.proposed.push(`,
    replace: `  log.push(entry);
  state.tracker.get(state.id)?.matched(log.last);
  state.proposed.push(`,
    oracles: ["durability", "exception"],
    scenario: "raft-core",
    why: "The leader counts itself before its own disk has the write.",
  },
  {
    name: "raft-commit-of-old-term",
    file: "raft/leader.ts",
    find: `if (index <= log.committed || log.term(index) !== state.term) return;`,
    replace: `if (index <= log.committed) return;`,
    oracles: unsafe,
    scenario: "raft-acts",
    why: "A write that was counted to a majority is overwritten by a leader of a term between (figure 8).",
  },
  {
    name: "raft-heartbeat-tells-all-commits",
    file: "raft/leader.ts",
    find: `heartbeat.commit = Math.min(progress.match, state.log.committed);`,
    replace: `heartbeat.commit = state.log.committed;`,
    oracles: unsafe,
    scenario: "raft-core",
    why: "A follower commits what it does not have.",
  },
  {
    name: "raft-append-commits-what-is-stale",
    file: "raft/follower.ts",
    find: `  log.commitTo(Math.min(append.commit, last));`,
    replace: `  log.commitTo(Math.min(append.commit, log.last));`,
    oracles: ["state-machine", "durability", "leader-completeness", "exception", "history"],
    scenario: "raft-elections",
    why: "A follower commits what a deposed leader left behind the end of an append. (5)",
  },
  {
    name: "raft-append-truncates-always",
    file: "raft/raft-log.ts",
    find: `      if (this.terms.term(entry.index) === entry.term) continue;`,
    replace: `      if (entry.index > this.last + 1) continue;`,
    oracles: unsafe,
    scenario: "raft-core",
    why: "An append that was overtaken cuts off what was acknowledged after it.",
  },
  {
    name: "raft-lane-not-clamped",
    file: "raft/append-lane.ts",
    find: `      if (task.last >= index) task.last = index - 1;`,
    replace: `      if (task.last < index - 1) task.last = index - 1;`,
    oracles: unsafe,
    scenario: "raft-acts",
    why: "An entry that was overwritten on its way to the disk makes its successor count as durable.",
  },
  {
    name: "raft-stable-not-lowered",
    file: "raft/raft-log.ts",
    find: `    this.stable = Math.min(this.stable, index - 1);
    this.handed`,
    replace: `    this.handed`,
    oracles: unsafe,
    scenario: "raft-core",
    why: "An entry is applied before it is durable, and after a crash another one takes its place.",
  },
  {
    name: "raft-full-window-says-nothing",
    file: "raft/sending.ts",
    find: `  if (progress.state === "snapshot" || (!flows && !emptyWanted)) return false;`,
    replace: `  if (progress.state === "snapshot" || !flows) return false;`,
    oracles: stuck,
    scenario: "raft-core",
    why: "A follower that lost a full window of appends never gets anything again.",
  },
  {
    name: "raft-snapshot-behind-match",
    file: "raft/leader.ts",
    find: `snapshot.index < state.log.base || snapshot.index <= progress.match`,
    replace: `snapshot.index < state.log.base`,
    oracles: ["exception", ...stuck],
    scenario: "raft-core",
    why: "A snapshot that comes late sends a follower back behind what it has.",
  },
  {
    name: "raft-snapshot-failed-too-late",
    file: "raft/progress.ts",
    find: `    this.pendingSnapshot = 0;
    this.becomeProbe();`,
    replace: `    this.becomeProbe();
    this.pendingSnapshot = 0;`,
    oracles: ["progress"],
    scenario: "raft-core",
    why: "After a snapshot that failed, the leader goes on as if it had arrived.",
  },
  {
    name: "raft-transfer-never-given-up",
    file: "raft/leader.ts",
    find: `    state.transferee = nobody;
    if (!state.tracker`,
    replace: `    if (!state.tracker`,
    oracles: stuck,
    scenario: "raft-core",
    why: "After a handover that failed, the leader takes no more writes.",
  },
  {
    name: "raft-transfer-before-match",
    file: "raft/leader.ts",
    find: `  if (progress.id !== state.transferee || progress.match !== state.log.last) return;`,
    replace: `  if (progress.id !== state.transferee) return;`,
    oracles: ["progress"],
    scenario: "raft-core",
    why: "A peer that can not win is told to stand, and the group is without a leader.",
  },
  {
    name: "raft-read-before-own-commit",
    file: "raft/gather.ts",
    find: `return state.role === "leader" && state.reads.waiting && knowsCommitted(state);`,
    replace: `return state.role === "leader" && state.reads.waiting;`,
    oracles: ["read"],
    scenario: "raft-elections",
    why: "A new leader answers a read without writes that its predecessor has acknowledged.",
  },
  {
    name: "raft-read-by-older-round",
    file: "raft/leader.ts",
    find: `  if (reply.readSeq <= progress.readSeq) return;
  progress.readSeq = reply.readSeq;`,
    replace: `  progress.readSeq = state.reads.seq;`,
    oracles: ["read"],
    scenario: "raft-acts",
    why: "A deposed leader takes an old answer for a new one, and serves a stale read.",
  },
  {
    name: "raft-missed-ticks-made-up",
    file: "raft/ticker.ts",
    find: `this.#nextUs = nowUs + this.#intervalUs;
    return true;`,
    replace: `this.#nextUs += this.#intervalUs;
    return true;`,
    oracles: ["spurious-election"],
    scenario: "raft-core",
    why: "A process that was stopped for a second stands for election against a healthy leader.",
  },
];
