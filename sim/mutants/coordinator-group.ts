import type { Mutant } from "./mutant.ts";

const scenario = "coordinator-group";
/** Who may see first that a member does not hold what the group promised. */
const lost = [
  "durability", "states", "errors", "timestamps", "ids", "freshness", "liveness", "leader-completeness", "log-matching",
  "state-machine-safety", "exception", "any",
];

/** A Coordinator of three members: who decides, what it rests on, and who is asked. */
export const coordinatorGroupMutants: readonly Mutant[] = [
  {
    name: "fence-stays-with-its-leader",
    file: "coordinator/allocators.ts",
    find: `    this.#journal.propose({ kind: "TSOAllocatorFenced", fence }, ({ error }) => {
      if (error !== null) return this.#unavailable(this.#timestamps, this.#oracle.unfenced(), error);`,
    replace: `    this.#oracle.fenced(fence);
    this.#schedule();
    if (fence > 0) return;
    this.#journal.propose({ kind: "TSOAllocatorFenced", fence }, ({ error }) => {
      if (error !== null) return this.#unavailable(this.#timestamps, this.#oracle.unfenced(), error);`,
    oracles: ["timestamps"],
    scenario,
    why: "The next leader begins below what the last one gave out, and two transactions have one name.",
  },
  {
    name: "new-leader-goes-on-from-its-first-fence",
    file: "coordinator/coordinator.ts",
    find: `    this.#leads = true;
    this.#office = this.#newOffice();`,
    replace: `    this.#leads = true;
    const { allocators } = this.#office;
    this.#office = Object.assign(this.#newOffice(), { allocators });`,
    oracles: ["timestamps", "ids"],
    scenario,
    why: "A member that led before, or whose clock is slow, gives timestamps below those of leaders in between.",
  },
  {
    name: "new-leader-starts-at-its-clock",
    file: "coordinator/allocators.ts",
    find: `    this.#oracle = new TimestampOracle(journal.state.tsoFence, limits, mayBeOld);`,
    replace: `    this.#oracle = new TimestampOracle(0, limits, mayBeOld);`,
    oracles: ["timestamps", "hang"],
    scenario,
    why: "A failover to a slow clock gives timestamps a second time.",
  },
  {
    name: "new-leader-reuses-windows-of-ids",
    file: "coordinator/allocators.ts",
    find: `    this.#ids = new IdAllocator(journal.state.idFence);`,
    replace: `    this.#ids = new IdAllocator(Math.max(0, journal.state.idFence - 1_000));`,
    oracles: ["ids"],
    scenario,
    why: "Two regions get one id after a failover.",
  },
  {
    name: "office-before-the-past-is-applied",
    file: "coordinator/raft-journal.ts",
    find: `    if (soft.role === "leader") this.#term = this.#raft.status().term;
    else this.#leaveOffice();`,
    replace: `    if (soft.role === "leader") this.#enterOffice();
    else this.#leaveOffice();`,
    oracles: ["timestamps", "ids", "hang"],
    scenario,
    why: "A leader gives numbers above the fences that it has applied, not above those that were decided.",
  },
  {
    name: "timestamps-told-without-a-round",
    file: "coordinator/raft-journal.ts",
    find: `    this.#step({ kind: "readIndex", token: this.#requests.confirm(done) });`,
    replace: `    this.#parts.world.clock.soon(() => done(null));`,
    oracles: ["timestamps", "freshness", "ids"],
    scenario,
    why: "A leader that was deposed and does not know it gives timestamps below those of its successor.",
  },
  {
    name: "batch-joins-a-round-under-way",
    file: "raft/read-queue.ts",
    find: `    this.#rounds.push({ seq: this.seq, index, tokens: this.#waiting });`,
    replace: `    const under = this.#rounds.at(-1);
    if (under === undefined) this.#rounds.push({ seq: this.seq, index, tokens: this.#waiting });
    else (under.tokens as number[]).push(...this.#waiting);`,
    oracles: ["reads", "read", "linearizability", "any"],
    scenario: "raft-core",
    why: "A batch is vouched for by a round that began before it: its leader may have been deposed in between.",
  },
  {
    name: "strong-route-without-a-round",
    file: "coordinator/service/server.ts",
    find: `  if (question.freshness !== "STRONG") return answer(question);`,
    replace: `  if (question.key.length >= 0) return answer(question);`,
    oracles: ["freshness"],
    scenario,
    why: "A deposed leader tells a route that is over as if it were the newest.",
  },
  {
    name: "stores-told-without-a-round",
    file: "coordinator/service/server.ts",
    find: `    confirmed(request, () => respond(request, storesLayout, { stores: coordinator.stores() }));`,
    replace: `    respond(request, storesLayout, { stores: coordinator.stores() });`,
    oracles: ["freshness"],
    scenario,
    why: "A store that lost its directory is told that it was never there, and begins its regions a second time.",
  },
  {
    name: "bounded-route-older-than-what-was-seen",
    file: "coordinator/route.ts",
    find: `  if (compareTokens(token, requiredToken) < 0) {`,
    replace: `  if (compareTokens(token, requiredToken) < 0 && freshness === "STRONG") {`,
    oracles: ["freshness"],
    scenario,
    why: "Whoever has read its own change is shown the map from before it.",
  },
  {
    name: "entries-acknowledged-before-they-are-durable",
    file: "coordinator/raft-journal.ts",
    find: `      this.#parts.directory.log.submit(changes, task.mustSync, () => {`,
    replace: `      this.#parts.directory.log.submit(changes, false, () => {`,
    oracles: lost,
    scenario,
    why: "A power loss takes back what the group promised.",
  },
  {
    name: "log-cut-without-a-checkpoint",
    file: "coordinator/root-keeper.ts",
    find: `    const changes: LogChange[] = [checkpointNote(checkpoint)];`,
    replace: `    const changes: LogChange[] = this.#checkpoint > 0 ? [] : [checkpointNote(checkpoint)];`,
    oracles: ["errors", "liveness"],
    scenario,
    why: "A member cannot start any more: its log begins behind the last state that it kept.",
  },
  {
    name: "checkpoint-over-a-snapshot",
    file: "coordinator/raft-journal.ts",
    find: `      if (this.#installing === null) this.#keeper.tick(`,
    replace: `      this.#keeper.tick(`,
    oracles: ["errors", "liveness", "durability", "any"],
    scenario,
    why: "A crash while a snapshot comes in leaves a log that begins behind its checkpoint, for good.",
  },
  {
    name: "snapshot-without-its-state",
    file: "coordinator/raft-journal.ts",
    find: `    this.#state = this.#installing.state;
`,
    replace: "",
    oracles: ["states", "durability", "timestamps", "ids", "freshness"],
    scenario,
    why: "A member that was away goes on with the state from before.",
  },
  {
    name: "snapshot-as-of-what-is-not-applied",
    file: "coordinator/root-snapshots.ts",
    find: `      this.#bytes = encode(checkpointLayout, checkpoint);`,
    replace: `      if (this.#bytes.length === 0) this.#bytes = encode(checkpointLayout, checkpoint);`,
    oracles: lost,
    scenario,
    why: "A member gets an old state under the place of a new one.",
  },
  {
    name: "snapshot-given-up-is-never-sent-again",
    file: "coordinator/raft-journal.ts",
    find: `        this.#step({ kind: "snapshotStatus", peer, ok: false });`,
    replace: `        if (peer < 0) this.#step({ kind: "snapshotStatus", peer, ok: false });`,
    oracles: ["liveness"],
    scenario,
    why: "A member whose snapshot was lost on its way never catches up.",
  },
  {
    name: "dead-member-asked-for-ever",
    file: "coordinator/service/group-caller.ts",
    find: `    this.#current = this.#members.includes(hint) ? hint : (next ?? asked);`,
    replace: `    this.#current = this.#members.includes(hint) ? hint : next === undefined ? hint : asked;`,
    oracles: ["liveness"],
    scenario,
    why: "A process whose member is gone gets nothing any more, although the others decide.",
  },
  {
    name: "attempt-without-an-answer-forgotten",
    file: "coordinator/service/group-caller.ts",
    find: `    this.#mayHaveHappened ||= mayHaveHappened(error);
`,
    replace: "",
    oracles: ["answers"],
    scenario,
    why: "A store is told that it did not join, and it did.",
  },
  {
    name: "lost-event-told-as-refused",
    file: "coordinator/root-requests.ts",
    find: `  readonly #forsake = (event: number): void => this.#endEvent(event, { error: undetermined() });`,
    replace: `  readonly #forsake = (event: number): void => this.#endEvent(event, { error: this.#elsewhere() });`,
    oracles: ["answers"],
    scenario,
    why: "What a deposed leader had proposed is told as not done, and its successor does it.",
  },
  {
    name: "deposed-leader-forgets-its-waiters",
    file: "coordinator/root-requests.ts",
    find: `    this.#placed.giveUp(this.#forsake);
    this.#reads.refuse();`,
    replace: `    this.#reads.refuse();`,
    oracles: ["hang", "liveness", "answers", "any"],
    scenario,
    why: "Requests under way at a failover are answered late or never.",
  },
  {
    name: "lost-directory-takes-part",
    file: "coordinator/group-founding.ts",
    find: `      if (counted === undefined || counted.birth === birth) continue;`,
    replace: `      if (counted === undefined || counted.birth !== 0) continue;`,
    oracles: ["founding", ...lost],
    scenario,
    why: "A member that forgot its votes and entries votes again: what a majority acknowledged can be lost.",
  },
];
