import { assert } from "../core/assert.ts";
import { VersionedBatch } from "../core/engine/versioned-batch.ts";
import type { Clock } from "../core/env/clock.ts";
import type { RegionMeta } from "../raft/region.ts";
import { HistoryHash } from "../raft/store/history-hash.ts";
import type { CommittedEntry, RegionHost } from "../raft/store/region-machine.ts";
import type { Dice } from "../sim/dice.ts";
import type { World } from "../sim/world.ts";
import type { MemoryVersionedStore } from "../txn/server/memory-versioned-store.ts";
import { txnRegionOptions } from "../txn/server/region-options.ts";
import { TxnRegion, type TimestampSource } from "../txn/server/txn-region.ts";

/** What a group's log holds. `replica`, `life`: who proposed it, in which of its lives. */
export type LogEntry =
  | {
      readonly kind: "data";
      readonly data: Uint8Array;
      readonly version: number;
      readonly replica: ModelReplica;
      readonly life: number;
      readonly proposal: number;
      /** Its proposer has given up waiting. */
      givenUp: boolean;
    }
  | { readonly kind: "split"; readonly key: Uint8Array; readonly childId: number };

/** The log of a region, as its replicas see it. */
export interface ReplicaGroup {
  readonly committed: number;
  entry(index: number): LogEntry;
  isLeader(replica: ModelReplica): boolean;
  propose(replica: ModelReplica, proposal: number, data: Uint8Array): void;
  /** `replica` has evaluated a run up to `index`. */
  evaluated(replica: ModelReplica, run: EvaluatedRun): void;
  /** `replica` is at a split. */
  split(replica: ModelReplica, key: Uint8Array, childId: number): void;
  /** Its log of this life has ended: its proposals are nobody's. */
  restarted(replica: ModelReplica): void;
}

export interface EvaluatedRun {
  readonly index: number;
  readonly hash: HistoryHash;
  readonly batch: VersionedBatch;
}

/** One store of the model: a clock, an engine, and what is slow here. */
export interface ModelNode {
  readonly storeId: number;
  readonly world: World;
  readonly dice: Dice;
  readonly store: MemoryVersionedStore;
  readonly clock: Clock;
  readonly timestamps: TimestampSource;
  readonly applyUsMax: number;
  /** Of a round that confirms a leader. */
  readonly confirmUsMax: number;
  /** Now and then the engine has no room for a while. */
  readonly isTight: boolean;
}

/**
 * One region's replica on one node: the product's machine over the product's view, in a host whose log is simulated.
 * It applies in runs of any length, at its own pace; a run may wait between its evaluation and the engine.
 */
export class ModelReplica implements RegionHost {
  readonly node: ModelNode;
  readonly group: ReplicaGroup;
  region: RegionMeta;
  leadingTerm = 0;
  leaderStore = 0;
  machine: TxnRegion;
  life = 1;
  applied: number;
  #hash: HistoryHash;
  #waiting: EvaluatedRun | null = null;
  #reads: { readonly index: number; readonly term: number; readonly done: (ok: boolean) => void }[] = [];

  // oxlint-disable-next-line max-params
  constructor(node: ModelNode, group: ReplicaGroup, region: RegionMeta, applied = 0, hash = new HistoryHash()) {
    this.node = node;
    this.group = group;
    this.region = region;
    this.applied = applied;
    this.#hash = hash;
    this.machine = this.#makeMachine();
  }

  get store(): MemoryVersionedStore {
    return this.node.store;
  }

  get clock(): Clock {
    return this.node.clock;
  }

  get peerId(): number {
    return 100 + this.node.storeId;
  }

  /** The hash at `applied`. */
  get history(): string {
    return `${this.#hash.high}.${this.#hash.low}`;
  }

  /** A run was evaluated and is not in the engine. */
  get isEvaluating(): boolean {
    return this.#waiting !== null;
  }

  propose(proposal: number, data: Uint8Array): void {
    this.group.propose(this, proposal, data);
  }

  readIndex(done: (ok: boolean) => void): void {
    const { world, dice, confirmUsMax } = this.node;
    const [index, term, life] = [this.group.committed, this.leadingTerm, this.life];
    world.after(dice.skewed(1, confirmUsMax), () => {
      if (this.life !== life) return;
      if (term === 0 || this.leadingTerm !== term || !this.group.isLeader(this)) return done(false);
      this.#reads.push({ index, term, done });
      this.#answerReads();
    });
  }

  /** Its store is memory, and refuses nothing. */
  guard(run: () => void): void {
    run();
  }

  lead(term: number): void {
    assert(this.applied === this.group.committed, "a leader has applied everything of earlier terms");
    this.leadingTerm = term;
    this.leaderStore = this.node.storeId;
    this.machine.lead(term);
  }

  stepDown(): void {
    if (this.leadingTerm === 0) return;
    this.leadingTerm = 0;
    this.machine.stepDown();
    for (const { done } of this.#reads.splice(0)) done(false);
  }

  /** Another life over the same engine: what was evaluated and not put into it is evaluated again. */
  restart(): void {
    this.leadingTerm = 0;
    this.machine.close();
    this.#reads = [];
    this.#waiting = null;
    this.life++;
    this.group.restarted(this);
    this.machine = this.#makeMachine();
  }

  /** Applies up to `index`. `now`: whatever the engine says. */
  applyTo(index: number, now: boolean): void {
    if (this.#waiting !== null) {
      if (!now) return;
      this.#finish(this.#waiting);
    }
    while (this.applied < index) {
      const next = this.group.entry(this.applied + 1);
      if (next.kind === "split") {
        this.group.split(this, next.key, next.childId);
        this.applied++;
        this.#hash = hashOf(this.#hash, this.applied);
        this.#answerReads();
        continue;
      }
      const run = this.#evaluate(index);
      if (!now && this.node.isTight && this.node.dice.chance(1, 8)) return this.#wait(run);
      this.#finish(run);
    }
  }

  #evaluate(index: number): EvaluatedRun {
    const length = this.node.dice.skewed(1, 8);
    const entries: CommittedEntry[] = [];
    for (let at = this.applied + 1; at <= index && entries.length < length; at++) {
      const entry = this.group.entry(at);
      if (entry.kind === "split") break;
      const isOurs = entry.replica === this && entry.life === this.life && !entry.givenUp;
      const stale = entry.version !== this.region.epoch.version;
      entries.push({ index: at, term: 1, data: entry.data, proposal: isOurs ? entry.proposal : 0, stale });
    }
    const run = { index: this.applied + entries.length, hash: hashOf(this.#hash, 0), batch: new VersionedBatch() };
    this.machine.apply(entries, run.batch, run.hash);
    this.group.evaluated(this, run);
    return run;
  }

  #wait(run: EvaluatedRun): void {
    const { world, dice, applyUsMax } = this.node;
    this.#waiting = run;
    world.after(dice.skewed(1, applyUsMax), () => {
      if (this.#waiting !== run) return;
      this.#finish(run);
      this.applyTo(this.group.committed, false);
    });
  }

  #finish(run: EvaluatedRun): void {
    this.#waiting = null;
    this.store.apply(run.batch);
    this.applied = run.index;
    this.#hash = run.hash;
    this.machine.applied();
    this.#answerReads();
  }

  #answerReads(): void {
    const ready = this.#reads.filter(({ index }) => index <= this.applied);
    if (ready.length === 0) return;
    this.#reads = this.#reads.filter(({ index }) => index > this.applied);
    for (const { done } of ready) done(true);
  }

  #makeMachine(): TxnRegion {
    const { dice, timestamps } = this.node;
    const options = txnRegionOptions({
      entryCommandsMax: dice.pick([1, 3, 1_024]),
      entryBytesMax: dice.pick([100, 2_000, 256 * 1024]),
      stampsMax: dice.pick([1, 2, 4_096]),
      pageBytesMax: dice.pick([100, 256 * 1024]),
    });
    return new TxnRegion(this, { timestamps, options });
  }
}

/** A copy; a `salt` of more than 0 goes in. */
function hashOf(hash: HistoryHash, salt: number): HistoryHash {
  const copy = new HistoryHash(hash.high, hash.low);
  if (salt > 0) copy.number(salt);
  return copy;
}
