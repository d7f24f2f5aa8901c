// HOT: every committed entry is applied here.
import { assert } from "../../core/assert.ts";
import { encode } from "../../core/bytes/layout.ts";
import { VersionedBatch } from "../../core/engine/versioned-batch.ts";
import type { VersionedStore } from "../../core/engine/versioned-store.ts";
import { decodeConfChange } from "../conf-change.ts";
import { type Entry, type LogIndex, type Term, entryBytes } from "../entry.ts";
import { type RegionMeta, peerById, peerOnStore, regionLayout } from "../region.ts";
import { type AdminEffect, effectOf } from "./admin-entry.ts";
import { adminOf, dataOf, isAdmin, versionOfData } from "./entry-envelope.ts";
import type { Leaving } from "./graveyard.ts";
import { HistoryHash } from "./history-hash.ts";
import { type ApplyState, putApplyState, putMergeState, putRegionState } from "./local-records.ts";
import { clearMachineState } from "./machine-state.ts";
import { type CommitMerge, type MergeState, mergeStateLayout } from "./merge-state.ts";
import { regionAfterPeers } from "./peer-change.ts";
import type { CommittedEntry, RegionMachine } from "./region-machine.ts";
import { bootstrapIndex, bootstrapTerm } from "./tombstone.ts";

export interface ApplierLimits {
  readonly applyEntriesMax: number;
  readonly applyBytesMax: number;
}

/** Whose entries are applied. */
export interface ApplierOwner {
  readonly peerId: number;
  readonly storeId: number;
  readonly region: RegionMeta;
  /** Not null: the region is frozen. */
  readonly merge: MergeState | null;
  readonly machine: RegionMachine;
  /** The source of a merge on this store, frozen as `commit` says. */
  sourceHere(commit: CommitMerge): Leaving;
  /** Which of the children of a split begin here; the others were here before, and are not any more. */
  childrenHere(children: readonly RegionMeta[]): readonly RegionMeta[];
  /** What this peer proposed at that place; 0: it was another. */
  proposalAt(index: LogIndex, term: Term): number;
  /** A run is in the engine. */
  applied(run: AppliedRun): void;
}

/** Entries that went into the engine in one batch. */
export interface AppliedRun {
  readonly index: LogIndex;
  readonly term: Term;
  readonly entries: number;
  /** The batch's ticket in the engine. */
  readonly ticket: number;
  /** A configuration entry: the region after it, which is the one before where the entry did nothing. */
  readonly conf: RegionMeta | null;
  /** A command to the region itself, done or refused. */
  readonly admin: AdminRun | null;
  readonly told: boolean;
}

export interface AdminRun {
  readonly effect: AdminEffect;
  /** Those of its children that begin on this store: their records are in the batch. */
  readonly born: readonly Birth[];
  /** Behind the entry. */
  readonly merge: MergeState | null;
  /** What the region took, whose records are its own now; its tombstone is in the batch. */
  readonly taken: Leaving | null;
}

/** A child of a split, on this store. */
export interface Birth {
  readonly region: RegionMeta;
  readonly peerId: number;
  readonly state: ApplyState;
}

/** A run that waits for room in the engine. */
interface Prepared {
  readonly batch: VersionedBatch;
  readonly state: ApplyState;
  readonly entries: number;
  readonly conf: RegionMeta | null;
  readonly admin: AdminRun | null;
  /** The machine has put something into it. */
  readonly told: boolean;
}

/**
 * Applies the committed entries of one region in their order, a run of them in one batch of the engine: what they do,
 * how far the region is now, and the region's descriptor where it changed (R4). A crash leaves all of a run or nothing
 * of it, and the log begins again behind it.
 */
export class Applier {
  #state: ApplyState;
  /** Where the last runs ended; the oldest first. */
  readonly #recent: ApplyState[] = [];
  readonly #store: VersionedStore;
  readonly #owner: ApplierOwner;
  readonly #limits: ApplierLimits;
  #queue: Entry[] = [];
  #first = 0;
  #prepared: Prepared | null = null;

  // oxlint-disable-next-line max-params
  constructor(store: VersionedStore, owner: ApplierOwner, limits: ApplierLimits, state: ApplyState) {
    this.#store = store;
    this.#owner = owner;
    this.#limits = limits;
    this.#state = state;
    this.#recent.push(state);
  }

  /** As it is in the engine. */
  get state(): ApplyState {
    return this.#state;
  }

  /** Where replicas can be compared that stopped elsewhere just now. */
  get recent(): readonly ApplyState[] {
    return this.#recent;
  }

  get pending(): boolean {
    return this.#prepared !== null || this.#first < this.#queue.length;
  }

  push(entries: readonly Entry[]): void {
    for (let i = 0; i < entries.length; i++) this.#queue.push(entries[i] as Entry);
  }

  /** A snapshot replaces everything: what waits is in it. */
  reset(state: ApplyState): void {
    this.#queue = [];
    this.#first = 0;
    this.#prepared = null;
    this.#state = state;
  }

  /** Applies one run. False: the engine has no room for it, and it waits. Throws what the engine throws. */
  step(): boolean {
    assert(this.pending, "a step applies something");
    const run = this.#prepared ?? this.#prepare();
    if (!this.#store.hasRoom(run.batch.byteLength)) {
      // Whether a child begins here is judged in the turn in which it does.
      if (run.admin === null) this.#prepared = run;
      return false;
    }
    if (run.admin !== null) this.#take();
    this.#prepared = null;
    const ticket = this.#store.apply(run.batch);
    this.#state = run.state;
    this.#recent.push(run.state);
    if (this.#recent.length > recentMax) this.#recent.shift();
    const { entries, conf, admin, told } = run;
    this.#owner.applied({ index: run.state.index, term: run.state.term, entries, ticket, conf, admin, told });
    return true;
  }

  #prepare(): Prepared {
    const hash = new HistoryHash(this.#state.high, this.#state.low);
    const batch = new VersionedBatch();
    const next = this.#peek();
    assert(next?.index === this.#state.index + 1, "entries are applied one after the other");
    if (isAlone(next) && next.kind === "normal") return this.#prepareAdmin(next, batch, hash);
    const first = this.#take();
    return first.kind === "conf" ? this.#prepareConf(first, batch, hash) : this.#prepareRun(first, batch, hash);
  }

  /** Entries up to the next one that may change what those behind it mean. */
  #prepareRun(first: Entry, batch: VersionedBatch, hash: HistoryHash): Prepared {
    const { applyEntriesMax, applyBytesMax } = this.#limits;
    const committed: CommittedEntry[] = [];
    let entry = first;
    let count = 1;
    let bytes = entryBytes(first);
    this.#admit(entry, committed);
    for (let next = this.#peek(); next !== null && !isAlone(next); next = this.#peek()) {
      bytes += entryBytes(next);
      if (count >= applyEntriesMax || bytes > applyBytesMax) break;
      entry = this.#take();
      count++;
      this.#admit(entry, committed);
    }
    if (committed.length > 0) this.#owner.machine.apply(committed, batch, hash);
    return this.#seal(entry, batch, hash, { entries: count, conf: null, admin: null, told: committed.length > 0 });
  }

  #admit(entry: Entry, committed: CommittedEntry[]): void {
    const { index, term, data } = entry;
    const proposal = this.#owner.proposalAt(index, term);
    const version = entry.kind === "normal" ? versionOfData(data) : -1;
    if (version < 0) return;
    const { region, merge } = this.#owner;
    const stale = version !== region.epoch.version || merge !== null;
    committed.push({ index, term, data: dataOf(data), proposal, stale });
  }

  #prepareConf(entry: Entry, batch: VersionedBatch, hash: HistoryHash): Prepared {
    const { region, peerId, merge } = this.#owner;
    this.#owner.proposalAt(entry.index, entry.term);
    const change = merge === null ? decodeConfChange(entry.data) : null;
    const after = change === null ? "it is damaged, or the region is frozen" : regionAfterPeers(region, change);
    hash.number(entry.index);
    if (typeof after === "string") return this.#seal(entry, batch, hash, alone(region, null));
    hash.bytes(encode(regionLayout, after));
    const state = peerById(after, peerId) === null ? "tombstone" : "normal";
    putRegionState(batch, this.#store, { state, peerId, region: after });
    return this.#seal(entry, batch, hash, alone(after, null));
  }

  /** It stays in the queue until it is applied: where there is no room, it is judged again. */
  #prepareAdmin(entry: Entry, batch: VersionedBatch, hash: HistoryHash): Prepared {
    const owner = this.#owner;
    owner.proposalAt(entry.index, entry.term);
    const effect = effectOf(adminOf(entry.data), owner.region, owner.merge);
    hash.number(entry.index);
    if (effect.refused !== null) {
      const nothing = { effect, born: [], merge: owner.merge, taken: null };
      return this.#seal(entry, batch, hash, alone(null, nothing));
    }
    const here = owner.childrenHere(effect.children);
    const { region, target } = effect;
    for (const after of [region, ...effect.children]) hash.bytes(encode(regionLayout, after));
    const taken = effect.taken === null ? null : this.#takeSource(effect.taken, batch, hash);
    const { high, low } = hash;
    const merge = target === null ? null : { target, freezeIndex: entry.index, high, low };
    const state = merge === null ? "normal" : "merging";
    putRegionState(batch, this.#store, { state, peerId: owner.peerId, region });
    if (merge !== owner.merge) putMergeState(batch, this.#store, region.id, merge);
    if (here.length > 0) owner.machine.split(here, batch);
    const born = here.map((child) => this.#putChild(child, batch, hash));
    return this.#seal(entry, batch, hash, alone(null, { effect, born, merge, taken }));
  }

  /** In one batch with the range that now covers it: its replica here ends, and its records stay. */
  #takeSource(commit: CommitMerge, batch: VersionedBatch, hash: HistoryHash): Leaving {
    const source = this.#owner.sourceHere(commit);
    const { own, peerId } = source;
    hash.bytes(encode(mergeStateLayout, { ...commit, target: own }));
    this.#owner.machine.merge(own, batch);
    putRegionState(batch, this.#store, { state: "tombstone", peerId, region: own });
    putMergeState(batch, this.#store, own.id, null);
    clearMachineState(batch, this.#store, own.id);
    return source;
  }

  /** It begins where every region begins, with a history of its own. */
  #putChild(region: RegionMeta, batch: VersionedBatch, { high, low }: HistoryHash): Birth {
    const peerId = peerOnStore(region, this.#owner.storeId)?.peerId ?? 0;
    assert(peerId > 0, "a child has a peer where its parent has one");
    const hash = new HistoryHash(high, low);
    hash.number(region.id);
    putRegionState(batch, this.#store, { state: "normal", peerId, region });
    const state = { index: bootstrapIndex, term: bootstrapTerm, high: hash.high, low: hash.low };
    putApplyState(batch, this.#store, region.id, state);
    return { region, peerId, state };
  }

  // oxlint-disable-next-line max-params
  #seal(
    last: Entry,
    batch: VersionedBatch,
    hash: HistoryHash,
    run: Pick<Prepared, "entries" | "conf" | "admin" | "told">,
  ): Prepared {
    const state = { index: last.index, term: last.term, high: hash.high, low: hash.low };
    putApplyState(batch, this.#store, this.#owner.region.id, state);
    return { batch, state, ...run };
  }

  #peek(): Entry | null {
    return this.#queue[this.#first] ?? null;
  }

  #take(): Entry {
    const entry = this.#queue[this.#first];
    assert(entry !== undefined, "an entry waits to be applied");
    this.#first++;
    if (this.#first === this.#queue.length || this.#first === queueSlack) {
      this.#queue.splice(0, this.#first);
      this.#first = 0;
    }
    return entry;
  }
}

const queueSlack = 4_096;
const recentMax = 64;

function alone(conf: RegionMeta | null, admin: AdminRun | null): Pick<Prepared, "entries" | "conf" | "admin" | "told"> {
  return { entries: 1, conf, admin, told: false };
}

/** It may change what those behind it mean. */
function isAlone({ kind, data }: Entry): boolean {
  return kind === "conf" || (kind === "normal" && isAdmin(data));
}
