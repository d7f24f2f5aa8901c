// HOT: everything that happens to a region on this store passes here.
import { assert } from "../../core/assert.ts";
import type { VersionedStore } from "../../core/engine/versioned-store.ts";
import type { Clock } from "../../core/env/clock.ts";
import { snapshotAfterDone } from "../../failpoints/catalog.ts";
import { isEmpty } from "../conf-state.ts";
import { type Entry, type LogIndex, type PeerId, type Term, nobody } from "../entry.ts";
import type { RegionEpoch } from "../epoch.ts";
import type { Input } from "../input.ts";
import type { Message } from "../message.ts";
import type { Restored } from "../raft-options.ts";
import { Raft, type Status } from "../raft.ts";
import type { AppendTask, Fetch, SoftState } from "../ready.ts";
import { type RegionMeta, peerById } from "../region.ts";
import type { SnapshotMeta } from "../snapshot-meta.ts";
import { isJointRegion, voterConfiguration } from "../voter-configuration.ts";
import { Applier, type ApplierOwner, type AppliedRun } from "./applier.ts";
import type { LaneBatch } from "./lane-batch.ts";
import type { ApplyState } from "./local-records.ts";
import type { Leaving } from "./graveyard.ts";
import { LogKeeper } from "./log-keeper.ts";
import type { CommitMerge, MergeState } from "./merge-state.ts";
import { leaveJointOf } from "./peer-change.ts";
import type { PeerContext } from "./peer-context.ts";
import { PeerFreeze } from "./peer-freeze.ts";
import { PeerIntake } from "./peer-intake.ts";
import { PeerOffice } from "./peer-office.ts";
import { PeerSnapshot } from "./peer-snapshot.ts";
import { type SnapshotIntent, regionOfSnapshot } from "./snapshot-intent.ts";
import type { ProposalEnd, RegionHost, RegionMachine } from "./region-machine.ts";
import { Requests } from "./requests.ts";
import { fetchEntries } from "./restored.ts";

const noEpoch: RegionEpoch = { version: 0, confVer: 0 };
export const noApplyState: ApplyState = { index: 0, term: 0, high: 0, low: 0 };

export interface PeerParts {
  readonly regionId: number;
  readonly peerId: PeerId;
  /** Null: it has heard of its region, and waits for a snapshot. */
  readonly region: RegionMeta | null;
  readonly state: ApplyState;
  /** Not null: its region is frozen. */
  readonly merge: MergeState | null;
  readonly restored: Restored;
}

/**
 * One region's replica on this store: the protocol's machine, the log's end of it, and what is applied. Whatever comes
 * is stepped at once and has its effects in the store's next turn.
 */
export class Peer implements RegionHost, ApplierOwner {
  readonly regionId: number;
  readonly peerId: PeerId;
  readonly raft: Raft;
  readonly #context: PeerContext;
  readonly #keeper: LogKeeper;
  #region: RegionMeta | null = null;
  #machine: RegionMachine | null = null;
  #applier: Applier | null = null;
  readonly #office = new PeerOffice();
  #silentTicks = 0;
  /** Where those live who wrote to this peer, and whom its region does not name. */
  readonly #heardFrom = new Map<PeerId, number>();
  #closed = false;
  readonly #snapshot: PeerSnapshot;
  readonly #freeze: PeerFreeze;
  /** Ticks since this peer had more to do than to say that it is there. */
  #quietTicks = 0;
  readonly #dropped = (proposal: number, why: ProposalEnd): void => this.#machine?.dropped(proposal, why);
  readonly #requests = new Requests(this.#dropped);
  /** What the store's administration asks, and the region's machine. */
  readonly intake: PeerIntake;

  constructor(context: PeerContext, parts: PeerParts) {
    this.#context = context;
    const { regionId, peerId, region, state, merge, restored } = parts;
    this.regionId = regionId;
    this.peerId = peerId;
    assert(region !== null || isEmpty(restored.conf), "who waits for a snapshot is no member yet");
    const { random } = context.world;
    this.raft = new Raft({ id: peerId, random, limits: context.options.raft }, restored);
    this.#keeper = new LogKeeper(context, this);
    this.#snapshot = new PeerSnapshot(context, this);
    this.#freeze = new PeerFreeze(context, merge);
    this.intake = new PeerIntake(context, this, this.#requests, this.#dropped);
    if (region !== null) this.#host(region, state);
    context.watch?.started(regionId, peerId, this.raft);
  }

  // What a region's machine, and whoever serves it, sees.

  get store(): VersionedStore {
    return this.#context.engine;
  }

  get clock(): Clock {
    return this.#context.world.clock;
  }

  /** It knows what its region is. */
  get initialised(): boolean {
    return this.#region !== null;
  }

  /** It has its region's records, as of what is applied. */
  get serves(): boolean {
    return this.#machine !== null && !this.#closed;
  }

  /** The region that is about to be here; null: no snapshot is being installed. */
  get installing(): RegionMeta | null {
    return this.#snapshot.installing;
  }

  /** Not null: its region is frozen. */
  get merge(): MergeState | null {
    return this.#freeze.merge;
  }

  get isMerging(): boolean {
    return this.#freeze.merge !== null;
  }

  /** Frozen, and no crash of this store takes it back. */
  get isFrozen(): boolean {
    return this.#freeze.isDurable;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get region(): RegionMeta {
    assert(this.#region !== null, "a peer that serves has a region");
    return this.#region;
  }

  get machine(): RegionMachine {
    assert(this.#machine !== null, "a peer that serves has a machine");
    return this.#machine;
  }

  get epoch(): RegionEpoch {
    return this.#region?.epoch ?? noEpoch;
  }

  get applyState(): ApplyState {
    return this.#applier?.state ?? noApplyState;
  }

  get recentStates(): readonly ApplyState[] {
    return this.#applier?.recent ?? [];
  }

  get leadingTerm(): Term {
    return this.#office.leadingTerm;
  }

  get leaderPeer(): PeerId {
    return this.#office.leader;
  }

  get leaderStore(): number {
    return this.storeOf(this.#office.leader);
  }

  get silentTicks(): number {
    return this.#silentTicks;
  }

  get isLeader(): boolean {
    return this.#office.isLeader;
  }

  get quietTicks(): number {
    return this.#quietTicks;
  }

  /** Ticks mean nothing to it until something comes. */
  get asleep(): boolean {
    if (!this.raft.quiesced || this.merge !== null) return false;
    return !this.applies && !this.#requests.placed && this.#keeper.rests && !this.#snapshot.busy;
  }

  status(): Status {
    return this.raft.status();
  }

  /** 0: nobody knows. */
  storeOf(peerId: PeerId): number {
    if (peerId === nobody) return 0;
    if (peerId === this.peerId) return this.#context.storeId;
    const known = this.#region === null ? null : peerById(this.#region, peerId);
    return known?.storeId ?? this.#heardFrom.get(peerId) ?? 0;
  }

  propose(proposal: number, data: Uint8Array): void {
    this.intake.propose(proposal, data);
  }

  readIndex(done: (ok: boolean) => void): void {
    this.intake.readIndex(done);
  }

  guard(run: () => void): void {
    this.#context.guard(run);
  }

  // What comes from the store.

  message(from: number, message: Message): void {
    assert(message.to === this.peerId, "a message reaches whom it is for");
    this.#silentTicks = 0;
    if (this.storeOf(message.from) === 0) this.#heardFrom.set(message.from, from);
    if (this.raft.quiesced) this.#context.waking(this);
    this.#step({ kind: "message", message });
    this.#context.dirty(this);
  }

  input(input: Input): void {
    if (this.#closed) return;
    this.#step(input);
    this.#context.dirty(this);
  }

  /** A snapshot's files are complete. */
  offer(from: number, message: Message, intent: SnapshotIntent): void {
    this.#snapshot.offer(intent);
    this.message(from, message);
  }

  /** The records are the snapshot's, durably: the log follows. */
  installed(): void {
    this.#snapshot.recordsAreThere();
    this.#context.dirty(this);
  }

  unreachable(storeId: number): void {
    if (!this.isLeader) return;
    for (const { peerId, storeId: at } of this.region.peers) {
      if (at === storeId && peerId !== this.peerId) this.#step({ kind: "unreachable", peer: peerId });
    }
    // Asleep it has sent nothing that could be lost: for thousands, each attempt to connect would be a turn.
    if (!this.raft.quiesced) this.#context.dirty(this);
  }

  /** The group sleeps if nobody but the `absent` is behind. */
  rest(absent: readonly PeerId[]): void {
    const sleeps = this.raft.quiesced;
    this.#step({ kind: "quiesce", absent });
    if (sleeps || this.raft.quiesced) this.#context.dirty(this);
  }

  tick(): void {
    this.#quietTicks++;
    if (this.isLeader) this.#leaveJoint();
    this.#silentTicks++;
    // When it is due it stands in its turn: `ElectionTurns`.
    this.#step({ kind: "tick", held: true });
    this.#loseHope();
    this.#keeper.tick();
    if (this.raft.hasReady()) this.#context.dirty(this);
  }

  /** The tasks of a submit are durable. */
  appended(task: AppendTask): void {
    if (this.#closed) return;
    this.#context.watch?.persisted(this.regionId, this.peerId, task);
    if (task.snapshot !== null) this.#publish(task.snapshot);
    this.#send(task.sendAfter);
    this.#step({ kind: "appended", seq: task.seq });
    this.#context.dirty(this);
  }

  /** Everything that is to be done, but applying. */
  carryOut(batch: LaneBatch): void {
    this.#requests.answer();
    this.#snapshot.handHeld(batch);
    if (!this.raft.hasReady()) {
      this.#snapshot.decline();
      return;
    }
    const ready = this.raft.ready();
    if (ready.soft !== null) this.#softChanged(ready.soft);
    this.#requests.settle(ready, this.applyState.index);
    this.#send(ready.sendNow);
    if (ready.append !== null) this.#hand(batch, ready.append);
    this.#snapshot.decline();
    if (ready.apply.length > 0) this.#push(ready.apply);
    for (const fetch of ready.fetches) this.#fetch(fetch);
    for (const to of ready.snapshotsWanted) this.#context.snapshotWanted(this, to);
    if (this.raft.hasReady()) this.#context.dirty(this);
  }

  /** Entries wait to be applied. */
  get applies(): boolean {
    return !this.#closed && (this.#applier?.pending ?? false);
  }

  /** Applies one run; false: the engine has no room. */
  applyStep(): boolean {
    assert(this.#applier !== null, "only a peer with a region applies");
    const done = this.#applier.step();
    if (!done) this.#context.stats.runsDelayed++;
    return done;
  }

  /** Nothing more is done or answered for it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#context.watch?.ended(this.regionId, this.peerId);
    this.#office.end();
    this.#snapshot.abandon();
    this.#requests.close();
    this.#machine?.close();
  }

  // Of what is applied.

  get storeId(): number {
    return this.#context.storeId;
  }

  sourceHere(commit: CommitMerge): Leaving {
    return this.#context.sourceHere(commit);
  }

  childrenHere(children: readonly RegionMeta[]): readonly RegionMeta[] {
    return this.#context.childrenHere(children);
  }

  proposalAt(index: LogIndex, term: Term): number {
    return this.#requests.proposalAt(index, term);
  }

  applied(run: AppliedRun): void {
    const { stats } = this.#context;
    stats.runs++;
    stats.entriesApplied += run.entries;
    this.#keeper.applied(run);
    const before = this.region;
    const after = run.conf ?? run.admin?.effect.region ?? before;
    this.#region = after;
    if (run.conf !== null) this.#step({ kind: "confApplied", conf: voterConfiguration(after) });
    this.#step({ kind: "applied", index: run.index });
    this.#context.dirty(this);
    if (run.told) this.machine.applied();
    this.#requests.applied(run.index);
    if (run.admin !== null) {
      this.#freeze.applied(run.admin, run.ticket);
      this.#context.administered(this, run.admin, run.ticket);
    }
    if (after !== before) this.#regionChanged(before, run.ticket);
    this.#requests.changed(run, before);
    if (this.#closed) return;
    if (this.#office.enters(run.term)) {
      this.machine.lead(run.term);
      this.#context.changed(this);
    }
  }

  #host(region: RegionMeta, state: ApplyState): void {
    this.#region = region;
    this.#applier = new Applier(this.#context.engine, this, this.#context.options, state);
    this.#machine = this.#context.makeMachine(this);
  }

  #softChanged(soft: SoftState): void {
    this.#quietTicks = 0;
    if (this.#office.changed(soft, this.raft.status().term)) this.#machine?.stepDown();
    this.#context.changed(this);
  }

  #send(messages: readonly Message[]): void {
    const { watch } = this.#context;
    for (let i = 0; i < messages.length; i++) {
      const message = messages[i] as Message;
      watch?.released(this.regionId, this.peerId, message);
      this.#context.send(this, message);
    }
  }

  #step(input: Input): void {
    if (isWork(input)) this.#quietTicks = 0;
    this.raft.step(input);
    this.#context.watch?.stepped(this.regionId, this.peerId);
  }

  #push(entries: readonly Entry[]): void {
    const { watch } = this.#context;
    if (watch !== null) for (const entry of entries) watch.applied(this.regionId, this.peerId, entry);
    this.#applier?.push(entries);
  }

  #fetch({ to, low, high, bytesMax }: Fetch): void {
    const entries = fetchEntries(this.#context.log, this.regionId, low, high, bytesMax);
    this.#step({ kind: "fetched", to, low, entries });
  }

  #regionChanged(before: RegionMeta, ticket: number): void {
    const { peerId, region } = this;
    if (peerById(region, peerId) === null) {
      this.#context.removed(this, before, ticket);
      return;
    }
    this.machine.regionChanged();
    this.#context.changed(this);
  }

  /** A joint configuration is left as soon as it is entered. */
  #leaveJoint(): void {
    if (this.leadingTerm === 0 || !isJointRegion(this.region) || this.#requests.changing) return;
    // Token 0 is nobody's. While another change is under way this one is dropped, and tried again with the next tick.
    this.#step({ kind: "conf", token: 0, change: leaveJointOf(this.region) });
  }

  /** Whoever waits for a proposal of a former office is not kept waiting for ever. */
  #loseHope(): void {
    if (this.isLeader || !this.#requests.placed) return;
    if (!this.#office.waitedFor(this.#context.options.proposalTicks)) return;
    this.#requests.giveUp("this peer does not lead any more");
  }

  // Snapshots.

  #hand(batch: LaneBatch, task: AppendTask): void {
    if (!this.#snapshot.passes(task)) return;
    if (task.snapshot === null) batch.add(this, task);
    else this.#install(task);
  }

  /** The machine takes the snapshot: what is here now ends. */
  #install(task: AppendTask): void {
    const intent = this.#snapshot.begin(task);
    this.#requests.giveUp("a snapshot took its place");
    this.#requests.refuseReads();
    this.#machine?.close();
    this.#machine = null;
    this.#applier = null;
    this.#context.changed(this);
    this.#context.install(this, intent);
  }

  /** Records and log are the snapshot's, durably (R9). */
  #publish(snapshot: SnapshotMeta): void {
    const region = regionOfSnapshot(snapshot);
    assert(region !== null, "a snapshot's region was looked at when it came");
    const [high, low] = snapshot.historyHash;
    const { storeId, world } = this.#context;
    world.failpoints.hit(snapshotAfterDone);
    world.trace.emit("store/snapshot-installed", { storeId, regionId: this.regionId, index: snapshot.index });
    this.#freeze.thaw();
    this.#host(region, { index: snapshot.index, term: snapshot.term, high, low });
    this.#context.snapshotSettled(this, this.#snapshot.published());
    this.#context.changed(this);
  }
}

/** More than what a group does to stay awake. */
function isWork(input: Input): boolean {
  if (input.kind !== "message") return input.kind !== "tick" && input.kind !== "quiesce";
  const { kind } = input.message;
  return kind !== "heartbeat" && kind !== "heartbeatReply" && kind !== "quiesce";
}
