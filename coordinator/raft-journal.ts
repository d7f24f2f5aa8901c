// HOT: every timestamp of a cluster waits for a round of this.
import { decode, encode } from "../core/bytes/layout.ts";
import { assert } from "../core/assert.ts";
import type { Clock, Timer } from "../core/env/clock.ts";
import { DiskError } from "../core/env/disk.ts";
import type { Random } from "../core/env/random.ts";
import { refusal } from "../core/engine/failure.ts";
import { NokvError } from "../core/errors.ts";
import type { IncomingRequest } from "../net/rpc/incoming-request.ts";
import type { ConfState } from "../raft/conf-state.ts";
import { type Entry, type PeerId, type Term, nobody } from "../raft/entry.ts";
import type { Input } from "../raft/input.ts";
import type { Message } from "../raft/message.ts";
import { Raft, type Status } from "../raft/raft.ts";
import type { AppendTask, Fetch, SoftState } from "../raft/ready.ts";
import type { LogChange } from "../raft/store/log-change.ts";
import type { PeerWatch } from "../raft/store/peer-watch.ts";
import { readEntries, toLogEntry } from "../raft/store/restored.ts";
import { CoordinatorError } from "./coordinator-error.ts";
import {
  noToken,
  type OfficeWatcher,
  type Proposed,
  type RootJournal,
  type RootStatus,
  type RootToken,
} from "./journal.ts";
import { type RaftJournalLimits, raftJournalLimits } from "./raft-journal-options.ts";
import { reduce } from "./reduce.ts";
import { checkpointNote, type RootCheckpoint, restoreRoot, rootGroup } from "./root-checkpoint.ts";
import type { RootDirectory } from "./root-directory.ts";
import { type RootEvent, rootEventLayout } from "./root-event.ts";
import { RootKeeper } from "./root-keeper.ts";
import { RootPost, type Sender } from "./root-post.ts";
import { RootRequests } from "./root-requests.ts";
import { type PartRequest, SnapshotIn, SnapshotsOut } from "./root-snapshots.ts";
import type { Caller } from "./service/group-caller.ts";
import { coordinatorIdOf, memberIdOf } from "./service/methods.ts";
import type { CoordinatorState } from "./state.ts";

export interface RaftJournalParts {
  readonly world: { readonly clock: Clock; readonly random: Random };
  readonly directory: RootDirectory;
  /** Of the directory, for messages. */
  readonly path: string;
  readonly transport: Sender & Caller;
  readonly memberId: number;
  /** All of them, this one included. The same on every member, for ever. */
  readonly members: readonly number[];
  readonly limits?: Partial<RaftJournalLimits>;
  /** Called once: the disk refused, and this member does nothing more. */
  readonly failed: (error: NokvError) => void;
  /** Of the simulator. */
  readonly watch?: PeerWatch;
}

/**
 * The journal of a group: root events are the entries of one Raft group, of which every member is a voter and none
 * ever changes. Whoever leads decides; the others have a state that is behind. Every entry is assessed when it is
 * applied, by each member alike, so members that have applied the same entries have the same state.
 *
 * Whatever comes is stepped into the machine at once, and has its effects in the next turn: one submit of the log for
 * all that came together.
 */
export class RaftJournal implements RootJournal {
  readonly memberId: number;
  readonly #parts: RaftJournalParts;
  readonly #limits: RaftJournalLimits;
  readonly #conf: ConfState;
  readonly #raft: Raft;
  readonly #post: RootPost;
  readonly #requests = new RootRequests(() => this.#elsewhere());
  readonly #snapshotsOut: SnapshotsOut;
  readonly #snapshotIn: SnapshotIn;
  readonly #keeper: RootKeeper;
  readonly #watchers: OfficeWatcher[] = [];
  #state: CoordinatorState;
  #token: RootToken;
  #soft: SoftState = { role: "follower", leader: nobody, transferee: nobody };
  /** Of the office that the soft state speaks of. */
  #term: Term = 0;
  /** It leads, and everything that was decided before is in its state. */
  #leads = false;
  /** A snapshot that is whole, until the machine has said whether it is of use. */
  #offer: RootCheckpoint | null = null;
  /** What the machine took, until it is durable. */
  #installing: RootCheckpoint | null = null;
  /** Tasks of submits that are not told yet, oldest first. */
  readonly #flying: AppendTask[][] = [];
  /** After so many ticks it stands for election, if there is no leader by then; 0: not before its time. */
  #standTicks = 0;
  #scheduled = false;
  #started = false;
  #stopped = false;
  #failure: NokvError | null = null;
  #timer: Timer | null = null;
  readonly #bound = (): void => this.#turn();

  /** Throws `NOKV_CORRUPTION`. Nothing happens before `start`. */
  constructor(parts: RaftJournalParts) {
    const { directory, memberId, members, world, transport, path } = parts;
    assert(members.includes(memberId), "a member is one of its group");
    this.#parts = parts;
    this.memberId = memberId;
    this.#limits = raftJournalLimits(parts.limits ?? {});
    this.#conf = {
      voters: members.toSorted((a, b) => a - b), votersOutgoing: [], learners: [], learnersNext: [],
    };
    const { state, token, restored } = restoreRoot(directory.log, this.#conf, path);
    this.#state = state;
    this.#token = token;
    this.#raft = new Raft({ id: memberId, random: world.random, limits: this.#limits.raft }, restored);
    this.#post = new RootPost(transport, memberId, members);
    this.#snapshotsOut = new SnapshotsOut(this.#limits.partBytesMax, this.#limits.snapshotTicks);
    this.#snapshotIn = new SnapshotIn(transport, (message, checkpoint) => this.#arrived(message, checkpoint));
    this.#keeper = new RootKeeper(directory.log, this.#limits, token.index, (index) => {
      this.#step({ kind: "compacted", index });
      parts.watch?.compacted(rootGroup, memberId, index);
    });
  }

  /** From here on it votes, stands for election and answers the others. */
  start(): void {
    if (this.#started || this.#stopped) return;
    this.#started = true;
    this.#guard(() => {
      this.#parts.watch?.started(rootGroup, this.memberId, this.#raft);
      this.#dirty();
      this.#tickLater();
    });
  }

  get state(): CoordinatorState {
    return this.#state;
  }

  get token(): RootToken {
    return this.#token;
  }

  get status(): RootStatus {
    const { role, leader: at } = this.#soft;
    const leader = at === nobody ? 0 : coordinatorIdOf(at);
    // Whoever decides has everything that is decided.
    if (this.#leads) return { role: "leader", newest: this.#token, lag: 0, bootstrapRequired: false, leader };
    const { last, lastTerm, applied } = this.#raft.status();
    const incoming = this.#snapshotIn.index;
    const term = Math.max(lastTerm, this.#token.term);
    return {
      role: leader === 0 || role === "leader" ? "none" : "follower",
      newest: { term, index: Math.max(last, incoming, this.#token.index) },
      lag: Math.max(last, incoming) - applied,
      bootstrapRequired: incoming > 0 || this.#installing !== null,
      leader,
    };
  }

  /** How the protocol's machine stands. */
  get raft(): Status {
    return this.#raft.status();
  }

  watchOffice(watcher: OfficeWatcher): void {
    this.#watchers.push(watcher);
    if (this.#leads) this.#parts.world.clock.soon(() => watcher.lead());
  }

  propose(event: RootEvent, done: (proposed: Proposed) => void): void {
    const refused = this.#refusal();
    if (refused !== null) {
      this.#parts.world.clock.soon(() => done({ error: refused }));
      return;
    }
    this.#step({ kind: "propose", token: this.#requests.event(done), data: encode(rootEventLayout, event) });
  }

  /** One round of heartbeats for all who ask in a turn. It begins after the turn, so after the call. */
  confirm(done: (error: CoordinatorError | null) => void): void {
    const refused = this.#refusal();
    if (refused !== null) {
      this.#parts.world.clock.soon(() => done(refused));
      return;
    }
    this.#step({ kind: "readIndex", token: this.#requests.confirm(done) });
  }

  /** A frame of another member: `isRootMessage(type)`. `body` is valid only during the call. */
  receive(fromStore: number, type: number, body: Uint8Array): void {
    // Who lost its directory must not as much as vote: others count on what it has forgotten.
    if (this.#stopped || !this.#started) return;
    const message = this.#post.read(fromStore, type, body);
    if (message === null) return;
    const { snapshot } = message;
    // What it stands for travels by itself; until it is here the machine must not count on it.
    const isNews = snapshot !== null && snapshot.index > this.#raft.status().committed;
    if (message.kind === "snapshot" && isNews) this.#snapshotIn.begin(message);
    else this.#step({ kind: "message", message });
  }

  /** A member that fetches a snapshot asks for a part of it. */
  snapshotPart(part: PartRequest, request: IncomingRequest): void {
    this.#snapshotsOut.answer(part, memberIdOf(request.from.storeId), request);
  }

  /** What was sent there lately may be lost. When it is the leader, its process is most likely gone. */
  unreachable(storeId: number): void {
    const peer = memberIdOf(storeId);
    if (!this.#started || !this.#parts.members.includes(peer)) return;
    this.#step({ kind: "unreachable", peer });
    if (peer !== this.#soft.leader || this.#soft.role !== "follower") return;
    // Asked, this member grants its vote to others; and it asks for theirs soon, one member after the other. Whoever
    // still hears of the leader refuses.
    this.#step({ kind: "forgetLeader" });
    const others = this.#parts.members.filter((member) => member !== peer);
    this.#standTicks = 1 + 2 * others.indexOf(this.memberId);
  }

  /** The disk refused: nothing is done, answered or told any more, except that. */
  fail(error: NokvError): void {
    if (this.#stopped) return;
    this.#failure = error;
    this.#stop(new CoordinatorError("ROOT_UNAVAILABLE", `the Coordinator's log takes nothing: ${error.message}`));
    this.#parts.failed(error);
  }

  /** Whoever waits is told. The directory and the transport are their opener's to close. */
  close(): void {
    if (!this.#stopped) this.#stop(new CoordinatorError("STOPPED", "the Coordinator is shutting down"));
  }

  #stop(error: CoordinatorError): void {
    this.#stopped = true;
    this.#timer?.cancel();
    if (this.#started) this.#parts.watch?.ended(rootGroup, this.memberId);
    this.#soft = { role: "follower", leader: nobody, transferee: nobody };
    this.#leaveOffice();
    this.#requests.close(error);
  }

  #refusal(): CoordinatorError | null {
    if (this.#failure !== null) {
      return new CoordinatorError("ROOT_UNAVAILABLE", `the Coordinator's log takes nothing: ${this.#failure.message}`);
    }
    if (this.#stopped) return new CoordinatorError("STOPPED", "the Coordinator is shutting down");
    if (!this.#leads) return this.#elsewhere();
    if (this.#requests.count < this.#limits.waitingMax) return null;
    return new CoordinatorError("BUSY", `${this.#limits.waitingMax} requests wait for the Coordinator's group`);
  }

  #elsewhere(): CoordinatorError {
    const { leader } = this.#soft;
    const isKnown = leader !== nobody && leader !== this.memberId;
    const who = isKnown ? `member ${leader} does` : "nobody is known to";
    const message = `member ${this.memberId} does not lead the Coordinator's group, ${who}`;
    return new CoordinatorError("NOT_LEADER", message, isKnown ? coordinatorIdOf(leader) : 0);
  }

  #step(input: Input): void {
    if (this.#stopped) return;
    this.#raft.step(input);
    this.#parts.watch?.stepped(rootGroup, this.memberId);
    this.#dirty();
  }

  #dirty(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#parts.world.clock.soon(this.#bound);
  }

  /** Everything that is to be done, once. */
  #turn(): void {
    this.#scheduled = false;
    if (this.#stopped || !this.#raft.hasReady()) return;
    this.#guard(() => {
      const ready = this.#raft.ready();
      // Before the office changes: what was placed in it is ended with it.
      this.#requests.settle(ready, this.#token.index);
      if (ready.soft !== null) this.#softChanged(ready.soft);
      this.#send(ready.sendNow);
      if (ready.append !== null) this.#hand(ready.append);
      this.#offer = null;
      if (ready.apply.length > 0) this.#apply(ready.apply);
      for (const fetch of ready.fetches) this.#fetch(fetch);
      for (const to of ready.snapshotsWanted) this.#sendSnapshot(to);
      if (!this.#stopped && this.#raft.hasReady()) this.#dirty();
    });
  }

  #send(messages: readonly Message[]): void {
    const { watch } = this.#parts;
    for (let i = 0; i < messages.length; i++) {
      const message = messages[i] as Message;
      watch?.released(rootGroup, this.memberId, message);
      this.#post.send(message);
    }
  }

  /** Atomic: after a crash all of a task is there or nothing. */
  #hand(task: AppendTask): void {
    const changes: LogChange[] = [];
    if (task.snapshot !== null) {
      const { index, term } = task.snapshot;
      assert(this.#offer?.token.index === index, "the machine takes the snapshot that was offered");
      this.#installing = this.#offer;
      changes.push({ op: "snapshot", group: rootGroup, start: { index, term }, meta: new Uint8Array(0) });
      changes.push(checkpointNote(this.#offer));
    }
    const { entries, hard } = task;
    if (entries.length > 0) changes.push({ op: "entries", group: rootGroup, entries: entries.map(toLogEntry) });
    if (hard !== null) changes.push({ op: "hard", group: rootGroup, hard });
    const newest = this.#flying.at(-1);
    if (changes.length > 0) {
      const tasks = [task];
      this.#flying.push(tasks);
      this.#parts.directory.log.submit(changes, task.mustSync, () => {
        assert(this.#flying.shift() === tasks, "submits are told in their order");
        for (const told of tasks) this.#appended(told);
      });
    } else if (newest === undefined) {
      this.#parts.world.clock.soon(() => this.#appended(task));
    } else {
      // It waits for what is under way, and for nothing else.
      newest.push(task);
    }
  }

  #appended(task: AppendTask): void {
    if (this.#stopped) return;
    this.#guard(() => {
      this.#parts.watch?.persisted(rootGroup, this.memberId, task);
      if (task.snapshot !== null) this.#installed(task.snapshot.index);
      this.#send(task.sendAfter);
      this.#step({ kind: "appended", seq: task.seq });
    });
  }

  #apply(entries: readonly Entry[]): void {
    const { watch } = this.#parts;
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i] as Entry;
      watch?.applied(rootGroup, this.memberId, entry);
      this.#token = { term: entry.term, index: entry.index };
      if (entry.kind === "normal") this.#reduce(entry);
      else this.#requests.applied(this.#token, null);
    }
    const { index, term } = this.#token;
    this.#step({ kind: "applied", index });
    this.#requests.caughtUp(index);
    if (this.#soft.role === "leader" && !this.#leads && term === this.#term && !this.#stopped) this.#enterOffice();
  }

  #reduce(entry: Entry): void {
    const read = decode(rootEventLayout, entry.data);
    if (typeof read === "string") {
      const what = `${this.#parts.path}: event ${entry.index} is not understood: ${read}`;
      throw new NokvError("NOKV_CORRUPTION", `${what}; run the version of this program that wrote it`);
    }
    const { state, assessment } = reduce(this.#state, read.value);
    this.#state = state;
    this.#requests.applied(this.#token, assessment);
  }

  #fetch({ to, low, high, bytesMax }: Fetch): void {
    const { log } = this.#parts.directory;
    const base = log.group(rootGroup)?.start.index ?? 0;
    const entries = low <= base ? "compacted" : readEntries(log, rootGroup, low, high, bytesMax);
    this.#step({ kind: "fetched", to, low, entries });
  }

  // Who decides.

  #softChanged(soft: SoftState): void {
    this.#soft = soft;
    if (soft.role === "leader") this.#term = this.#raft.status().term;
    else this.#leaveOffice();
  }

  #stand(): void {
    const { role, leader } = this.#raft.status();
    if (role === "follower" && leader === nobody) this.#step({ kind: "campaign", force: false });
  }

  #enterOffice(): void {
    this.#leads = true;
    for (const watcher of this.#watchers) watcher.lead();
  }

  #leaveOffice(): void {
    this.#snapshotsOut.clear();
    this.#requests.stepDown();
    if (!this.#leads) return;
    this.#leads = false;
    for (const watcher of this.#watchers) watcher.stepDown();
  }

  // Snapshots.

  #sendSnapshot(to: PeerId): void {
    if (this.#token === noToken) return;
    const checkpoint = { state: this.#state, token: this.#token };
    const { base } = this.#raft.status();
    const snapshot = this.#snapshotsOut.begin(to, { checkpoint, conf: this.#conf, base });
    this.#step({ kind: "snapshot", to, snapshot });
  }

  #arrived(message: Message, checkpoint: RootCheckpoint): void {
    if (this.#stopped || this.#installing !== null) return;
    this.#guard(() => {
      // What came before is carried out first: the offer is for this message alone.
      this.#turn();
      this.#offer = checkpoint;
      this.#step({ kind: "message", message });
      this.#turn();
    });
  }

  #installed(index: number): void {
    assert(this.#installing?.token.index === index, "what is installed was begun");
    this.#state = this.#installing.state;
    this.#token = this.#installing.token;
    this.#installing = null;
    this.#keeper.installed(index);
  }

  // Time.

  /** After everything that waits to be read: a timer that comes late says nothing about those whom it waited for. */
  #tickLater(): void {
    if (this.#stopped) return;
    const { clock } = this.#parts.world;
    this.#timer = clock.after(this.#limits.tickUs, () => clock.soon(() => this.#tick()));
  }

  #tick(): void {
    if (this.#stopped) return;
    this.#guard(() => {
      this.#step({ kind: "tick" });
      if (this.#standTicks > 0 && --this.#standTicks === 0) this.#stand();
      const status = this.#raft.status();
      const stateOf = (to: PeerId): string => status.peers.find(({ id }) => id === to)?.state ?? "";
      for (const peer of this.#snapshotsOut.tick((to) => stateOf(to) === "snapshot")) {
        this.#step({ kind: "snapshotStatus", peer, ok: false });
      }
      const checkpoint = { state: this.#state, token: this.#token };
      if (this.#installing === null) this.#keeper.tick(checkpoint, status, (index) => this.#raft.termAt(index));
    });
    this.#tickLater();
  }

  /** What the disk refuses ends this member; everything else is a defect and ends more. */
  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      if (error instanceof NokvError) this.fail(error);
      else if (error instanceof DiskError) this.fail(refusal(error, `the Coordinator's log in ${this.#parts.path}`));
      else throw error;
    }
  }
}
