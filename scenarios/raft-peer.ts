import { assert } from "../core/assert.ts";
import type { Env } from "../core/env/env.ts";
import { scramble } from "../core/bytes/keyed-draw.ts";
import { changeConf, decodeConfChange } from "../raft/conf-change.ts";
import { type ConfState, isJoint } from "../raft/conf-state.ts";
import { type Entry, type LogIndex, type PeerId, noBytes } from "../raft/entry.ts";
import type { Input } from "../raft/input.ts";
import type { Message } from "../raft/message.ts";
import { Raft } from "../raft/raft.ts";
import type { AppendTask, Ready } from "../raft/ready.ts";
import type { SnapshotMeta } from "../raft/snapshot-meta.ts";
import { Ticker } from "../raft/ticker.ts";
import type { ObservedPeer, RaftObserver } from "../sim/checkers/raft-observer.ts";
import type { Dice } from "../sim/dice.ts";
import type { Machine } from "../sim/machine.ts";
import type { World } from "../sim/world.ts";
import { RaftImage } from "../sim/raft-image.ts";
import { RaftLane } from "./raft-lane.ts";
import type { Mailbox, RaftNetwork } from "./raft-network.ts";
import type { RaftPlan } from "./raft-plan.ts";

/** The replicated state: a hash of everything applied, and the configuration. */
export interface AppliedState {
  readonly applied: LogIndex;
  readonly hash: readonly [number, number];
  readonly conf: ConfState;
}

/** What the peers have in common. */
export interface RaftGroup {
  readonly plan: RaftPlan;
  readonly network: RaftNetwork;
  readonly observer: RaftObserver;
  readonly requests: RequestLog;
  isUp(peer: PeerId): boolean;
}

/** Who asked for what, and may be told. */
export interface RequestLog {
  proposed(token: number, index: LogIndex, term: number): void;
  dropped(token: number): void;
  read(peer: PeerId, token: number, index: LogIndex): void;
  applied(peer: PeerId, entry: Entry, state: AppliedState): void;
  restored(peer: PeerId, state: AppliedState): void;
}

/** Entries that one turn of the apply lane takes. */
const applyCountMax = 8;

/** A machine with one peer: its disk, its applied state, and the loop around the protocol. */
export class RaftPeer implements ObservedPeer, Mailbox {
  readonly id: PeerId;
  readonly machine: Machine;
  readonly image = new RaftImage();
  raft: Raft | null = null;
  incarnation = 0;
  calm = false;
  /** Would be found after a crash. */
  #durable: AppliedState;
  #state: AppliedState;
  readonly #group: RaftGroup;
  readonly #dice: Dice;
  #env: Env | null = null;
  #lane: RaftLane | null = null;
  #ticker: Ticker | null = null;
  #inbox: Message[] = [];
  #applying: Entry[] = [];
  #applyBusy = false;
  #jointTicks = 0;
  #held = false;
  readonly #slowApply: boolean;

  constructor(id: PeerId, world: World, group: RaftGroup, first: AppliedState) {
    this.id = id;
    this.machine = world.machine(`peer-${id}`);
    this.#group = group;
    this.#dice = world.dice("peer", id);
    this.#slowApply = this.#dice.chance(1, 2);
    this.#durable = first;
    this.#state = first;
    if (first.applied > 0) {
      const term = 1;
      this.image.hard = { term, vote: 0, commit: first.applied };
      this.image.base = first.applied;
      this.image.baseTerm = term;
    }
  }

  get state(): AppliedState {
    return this.#state;
  }

  get durableApplied(): LogIndex {
    return this.#durable.applied;
  }

  boot(): void {
    const { plan, observer } = this.#group;
    const env = this.machine.boot();
    this.#env = env;
    this.incarnation++;
    this.#state = this.#durable;
    this.#inbox = [];
    this.#applying = [];
    this.#applyBusy = false;
    this.#lane = new RaftLane({
      clock: env.clock,
      dice: this.#dice,
      plan: plan.disk,
      persist: (task) => this.#persist(task),
      done: (task) => this.#written(task),
    });
    this.#lane.calm = this.calm;
    this.#ticker = new Ticker(plan.tickUs, env.clock.monotonicUs());
    observer.restarted(this);
    const { applied, conf } = this.#durable;
    const options = { id: this.id, random: env.random, limits: plan.limits };
    this.raft = new Raft(options, this.image.restored(applied, conf));
    this.#tickLater();
    this.#turn();
  }

  crash(): void {
    if (this.raft === null) return;
    this.raft = null;
    this.#lane?.crash();
    this.machine.crash("process");
  }

  relax(): void {
    this.calm = true;
    if (this.#lane !== null) this.#lane.calm = true;
  }

  /** On this peer's own turn; nothing when it is down by then. */
  soon(run: () => void): void {
    if (this.raft !== null) this.#env?.clock.soon(run);
  }

  input(input: Input): void {
    this.soon(() => {
      this.#step(input);
      this.#turn();
    });
  }

  receive(message: Message): void {
    if (this.raft === null) return;
    this.#inbox.push(message);
    if (this.#inbox.length === 1) this.soon(() => this.#turn());
  }

  snapshotStatus(to: PeerId, ok: boolean): void {
    this.soon(() => {
      const peerOf = (): { state: string; next: number; match: number } | undefined =>
        this.raft?.status().peers.find(({ id }) => id === to);
      const before = peerOf();
      this.#step({ kind: "snapshotStatus", peer: to, ok });
      const after = peerOf();
      if (before?.state === "snapshot" && !ok && after !== undefined) this.#group.observer.snapshotFailed(to, after);
      this.#turn();
    });
  }

  /** Nothing more is applied until `release`. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.soon(() => this.#applyLater());
  }

  holdDisk(): void {
    this.#lane?.hold();
  }

  releaseDisk(): void {
    this.soon(() => this.#lane?.release());
  }

  /** The first write that is held back is done. */
  releaseWrite(): void {
    this.soon(() => this.#lane?.releaseOne());
  }

  /** Everything applied so far survives a crash. */
  flush(): void {
    this.#durable = this.#state;
  }

  /** Drops the log up to `index`, which survives a crash as applied state. */
  compact(index: LogIndex): void {
    assert(index <= this.#durable.applied, "only what is durable as state leaves the log");
    this.image.compact(index);
    this.input({ kind: "compacted", index });
  }

  #tickLater(): void {
    this.#env?.clock.after(this.#group.plan.tickUs, () => {
      this.#tickLater();
      this.#turn();
    });
  }

  #step(input: Input): void {
    const { raft } = this;
    if (raft === null) return;
    raft.step(input);
    raft.check();
    this.#group.observer.stepped(this);
  }

  /** Everything that has come, then the tick if one is due, then what is to be done. */
  #turn(): void {
    const env = this.#env;
    if (this.raft === null || env === null) return;
    const inbox = this.#inbox;
    this.#inbox = [];
    for (const message of inbox) {
      this.#step({ kind: "message", message });
      if (this.#dice.chance(1, 4)) this.#carryOut();
    }
    while (this.#ticker?.due(env.clock.monotonicUs()) === true) this.#tick();
    this.#carryOut();
  }

  #tick(): void {
    const status = this.raft?.status();
    if (status === undefined) return;
    const { leader, role, quiesced, conf } = status;
    // Asleep, nobody would notice: what stores know of each other tells them.
    if (quiesced && role === "follower" && !this.#group.isUp(leader)) this.#step({ kind: "forgetLeader" });
    this.#jointTicks = isJoint(conf) ? this.#jointTicks + 1 : 0;
    if (role === "leader" && isJoint(conf) && (this.calm || this.#jointTicks > this.#group.plan.jointTicks)) {
      this.#step({ kind: "conf", token: 0, change: { ops: [], leaveJoint: true, context: noBytes } });
    }
    this.#step({ kind: "tick" });
  }

  #carryOut(): void {
    while (this.raft?.hasReady() === true) this.#carryOutOne(this.raft.ready());
    this.raft?.check();
    this.#group.observer.stepped(this);
  }

  #carryOutOne(ready: Ready): void {
    const { requests, network, plan } = this.#group;
    for (const { token, index, term } of ready.proposed) requests.proposed(token, index, term);
    for (const { token } of ready.dropped) requests.dropped(token);
    for (const { token, index } of ready.reads) requests.read(this.id, token, index);
    this.#send(ready.sendNow, network);
    if (ready.append !== null) this.#lane?.submit(ready.append);
    this.#applying.push(...ready.apply);
    this.#applyLater();
    const clock = this.#env?.clock;
    for (const { to, low, high, bytesMax } of ready.fetches) {
      clock?.after(this.#dice.below(plan.disk.syncUsMax + 1), () => {
        this.#step({ kind: "fetched", to, low, entries: this.image.read(low, high, bytesMax) });
        this.#turn();
      });
    }
    for (const to of ready.snapshotsWanted) this.#snapshotLater(to);
  }

  #send(messages: readonly Message[], network: RaftNetwork): void {
    for (const message of messages) {
      this.#group.observer.released(this, message);
      network.send(message);
    }
  }

  // The append lane.

  #persist(task: AppendTask): void {
    this.#group.observer.wrote(this, task);
    this.image.write(task);
    const { snapshot } = task;
    if (snapshot === null) return;
    const { index, historyHash, conf } = snapshot;
    this.#durable = { applied: index, hash: historyHash, conf };
    this.#state = this.#durable;
    // What was to be applied is in it.
    this.#applying = [];
    this.#group.requests.restored(this.id, this.#state);
  }

  #written(task: AppendTask): void {
    if (this.raft === null) return;
    this.#send(task.sendAfter, this.#group.network);
    this.#step({ kind: "appended", seq: task.seq });
    this.#turn();
  }

  // The apply lane.

  #applyLater(): void {
    if (this.#held || this.#applyBusy || this.#applying.length === 0) return;
    this.#applyBusy = true;
    const { applyUsMax } = this.#group.plan.disk;
    const delayUs = this.#slowApply && !this.calm ? this.#dice.below(applyUsMax + 1) : 0;
    this.#env?.clock.after(delayUs, () => {
      this.#applyBusy = false;
      for (const entry of this.#applying.splice(0, applyCountMax)) this.#apply(entry);
      this.#step({ kind: "applied", index: this.#state.applied });
      this.#applyLater();
      this.#turn();
    });
  }

  #apply(entry: Entry): void {
    const { applied, hash } = this.#state;
    assert(entry.index === applied + 1, "entries are applied one after the other");
    const { observer, requests } = this.#group;
    observer.applied(this, entry);
    const conf = this.#confAfter(entry);
    this.#state = { applied: entry.index, hash: hashAfter(hash, entry), conf };
    requests.applied(this.id, entry, this.#state);
    if (entry.kind === "conf") this.#step({ kind: "confApplied", conf });
  }

  #confAfter(entry: Entry): ConfState {
    const { conf } = this.#state;
    if (entry.kind !== "conf") return conf;
    const change = decodeConfChange(entry.data);
    assert(change !== null, "a configuration entry is a change");
    return changeConf(conf, change) ?? conf;
  }

  // Snapshots.

  /** Taken now, sent later: by then it may be old. */
  #snapshotLater(to: PeerId): void {
    const { applied, hash, conf } = this.#state;
    const term = this.raft?.termAt(applied) ?? 0;
    const snapshot: SnapshotMeta = { index: applied, term, conf, historyHash: hash, context: noBytes };
    this.#env?.clock.after(this.#dice.below(this.#group.plan.tickUs * 2), () => {
      if (this.raft?.status().role !== "leader") return;
      this.#step({ kind: "snapshot", to, snapshot });
      this.#turn();
    });
  }
}

function hashAfter([low, high]: readonly [number, number], { index, term, data }: Entry): readonly [number, number] {
  let hash = scramble(low ^ index ^ (term << 16));
  for (const byte of data) hash = scramble(hash ^ byte);
  return [hash >>> 0, scramble(high + hash) >>> 0];
}
