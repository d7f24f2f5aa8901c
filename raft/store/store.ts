import { assert } from "../../core/assert.ts";
import { VersionedBatch } from "../../core/engine/versioned-batch.ts";
import type { VersionedStore } from "../../core/engine/versioned-store.ts";
import type { Timer } from "../../core/env/clock.ts";
import { DiskError } from "../../core/env/disk.ts";
import { NokvError } from "../../core/errors.ts";
import type { Hello } from "../../net/rpc/hello.ts";
import type { Transport } from "../../net/rpc/transport.ts";
import type { PeerId } from "../entry.ts";
import type { Restored } from "../raft-options.ts";
import { type RegionMeta, peerOnStore, regionProblem } from "../region.ts";
import { voterConfiguration } from "../voter-configuration.ts";
import { RaftAdmin } from "./admin.ts";
import { LaneBatch } from "./lane-batch.ts";
import { type ApplyState, putApplyState, putRegionState, readApplyStates, readRegionStates } from "./local-records.ts";
import { noteKey, storeGroup } from "./log-notes.ts";
import { Peer, noApplyState } from "./peer.ts";
import type { PeerContext, StoreWorld } from "./peer-context.ts";
import type { PeerView } from "./peer-view.ts";
import type { PeerWatch } from "./peer-watch.ts";
import { Post } from "./post.ts";
import type { RaftLog } from "./raft-log.ts";
import type { RegionMachineMaker } from "./region-machine.ts";
import { blank, restore, restoreUninitialised } from "./restored.ts";
import { type StoreOptions, storeOptions } from "./store-options.ts";
import { StoreStats } from "./store-stats.ts";
import { decodePeerNote, encodePeerNote } from "./peer-note.ts";
import { type Tombstone, bootstrapIndex, bootstrapTerm } from "./tombstone.ts";

export interface StoreParts {
  readonly world: StoreWorld;
  readonly engine: VersionedStore;
  /** Its failures must be told to `Store.fail`. */
  readonly log: RaftLog;
  readonly transport: Transport;
  readonly storeId: number;
  readonly options: Partial<StoreOptions>;
  readonly makeMachine: RegionMachineMaker;
  /** The disk refused something: this store does and says nothing more, and its process should end. */
  readonly onFatal: (error: Error) => void;
  /** Of the simulator. */
  readonly watch?: PeerWatch;
}

/** Called when a peer is there, has another region, another leader or office, or is gone (null). */
export type RegionListener = (regionId: number, peer: PeerView | null) => void;

/**
 * The replicas of a node: one log, one engine, one timer. Everything that comes is stepped into the peer's machine at
 * once; a turn then takes from each peer that has something to do what is to be done, once, so that what came together
 * is written, sent and applied together.
 */
export class Store implements PeerContext {
  readonly storeId: number;
  readonly world: StoreWorld;
  readonly engine: VersionedStore;
  readonly log: RaftLog;
  readonly options: StoreOptions;
  readonly stats = new StoreStats();
  readonly makeMachine: RegionMachineMaker;
  readonly watch: PeerWatch | null;
  readonly admin: RaftAdmin;
  readonly #onFatal: (error: Error) => void;
  readonly #post: Post;
  readonly #peers = new Map<number, Peer>();
  readonly #tombstones = new Map<number, Tombstone>();
  /** Of regions whose log is about to go. */
  readonly #burials = new Set<number>();
  readonly #listeners: RegionListener[] = [];
  /** With something to do in the next turn. */
  #dirty = new Set<Peer>();
  #changed = new Map<number, Peer | null>();
  /** With entries to apply. */
  readonly #applying = new Set<Peer>();
  #batch = new LaneBatch();
  /** Submits that are not told yet, oldest first. */
  readonly #flying: LaneBatch[] = [];
  #scheduled = false;
  #waitsForRoom = false;
  #stopped = false;
  #timer: Timer | null = null;
  readonly #turnBound = (): void => this.#turn();

  private constructor(parts: StoreParts) {
    this.storeId = parts.storeId;
    this.world = parts.world;
    this.engine = parts.engine;
    this.log = parts.log;
    this.options = storeOptions(parts.options);
    this.makeMachine = parts.makeMachine;
    this.watch = parts.watch ?? null;
    this.#onFatal = parts.onFatal;
    this.#post = new Post(parts.transport, this.storeId, this.stats, {
      peer: (regionId) => this.#peers.get(regionId) ?? null,
      tombstone: (regionId) => this.#tombstones.get(regionId) ?? null,
      make: (regionId, peerId) => this.#makeUninitialised(regionId, peerId),
      replace: (peer, peerId) => this.#replaceUninitialised(peer, peerId),
      bury: (peer, region) => this.#bury(peer, region),
    });
    this.admin = new RaftAdmin(this.world.clock, this.options, (regionId) => this.#hosted(regionId));
  }

  /**
   * Every peer that the engine knows comes back where its applied state and its log say. Rejects with
   * `NOKV_CORRUPTION` where the two contradict each other.
   */
  static async open(parts: StoreParts): Promise<Store> {
    const store = new Store(parts);
    store.#recover();
    await Promise.resolve();
    store.#tickLater();
    return store;
  }

  /** A frame from another store: `isStoreMessage(type)`. `body` is valid only during the call. */
  receive(from: Hello, type: number, body: Uint8Array): void {
    if (this.#stopped) return;
    this.#guard(() => this.#post.receive(from.storeId, type, body));
  }

  /** What was sent there lately may be lost. */
  unreachable(storeId: number): void {
    if (this.#stopped) return;
    for (const peer of this.#sorted()) peer.unreachable(storeId);
  }

  /** Null: this store has no replica of it that serves. */
  region(regionId: number): PeerView | null {
    return this.#hosted(regionId);
  }

  /** Ascending by region. */
  regions(): PeerView[] {
    return this.#sorted().filter((peer) => peer.initialised);
  }

  onRegionChange(listener: RegionListener): void {
    this.#listeners.push(listener);
  }

  /**
   * This store's peer of a region that begins: the same on every store of `region.peers`. Resolves when it is durable
   * and runs. Does nothing where the region was known before.
   */
  async bootstrap(region: RegionMeta): Promise<void> {
    const own = peerOnStore(region, this.storeId);
    assert(own !== null, "a store bootstraps a region that it has a peer of");
    assert(regionProblem(region) === null, "a region that begins is sound");
    if (this.#tombstones.has(region.id) || this.#hosted(region.id) !== null) return;
    await new Promise<void>((resolve) => this.#bootstrapLog(region, own.peerId, resolve));
    const state = { index: bootstrapIndex, term: bootstrapTerm, high: 0, low: 0 };
    const batch = new VersionedBatch();
    putRegionState(batch, this.engine, { state: "normal", peerId: own.peerId, region });
    putApplyState(batch, this.engine, region.id, state);
    const ticket = this.engine.apply(batch);
    await new Promise<void>((resolve, reject) => {
      this.engine.whenDurable(ticket, (error) => (error === null ? resolve() : reject(error)));
    });
    if (this.#stopped) return;
    this.#peers.get(region.id)?.close();
    this.#addRegion(own.peerId, region, state);
  }

  /** Nothing is done, answered or told any more. */
  fail(error: Error): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#timer?.cancel();
    this.world.trace.emit("store/failed", { storeId: this.storeId, why: error.message });
    this.#onFatal(error);
  }

  /** Whoever waits is told; resolves when nothing is under way. The engine, log and transport are their opener's. */
  async close(): Promise<void> {
    if (!this.#stopped) {
      this.#stopped = true;
      this.#timer?.cancel();
      for (const peer of this.#sorted()) peer.close();
      this.admin.close();
    }
    await Promise.resolve();
  }

  // What peers tell.

  dirty(peer: Peer): void {
    this.#dirty.add(peer);
    this.#schedule();
  }

  changed(peer: Peer): void {
    this.#changed.set(peer.regionId, peer);
    this.#schedule();
  }

  removed(peer: Peer, ticket: number): void {
    const { regionId, peerId, region, applyState } = peer;
    this.#tombstones.set(regionId, { peerId, region, index: applyState.index, term: applyState.term });
    this.#drop(peer);
    this.#destroyAfter(regionId, ticket);
  }

  send(peer: Peer, message: Parameters<Post["send"]>[1]): void {
    this.#post.send(peer, message);
  }

  snapshotWanted(peer: Peer, to: PeerId): void {
    peer.raft.step({ kind: "snapshotStatus", peer: to, ok: false });
  }

  // The turn.

  #schedule(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    this.world.clock.soon(this.#turnBound);
  }

  #turn(): void {
    this.#scheduled = false;
    if (this.#stopped) return;
    this.stats.turns++;
    this.#guard(() => {
      const dirty = [...this.#dirty].toSorted(byRegion);
      this.#dirty = new Set();
      for (const peer of dirty) this.#carryOut(peer);
      if (this.#batch.urgent) this.#submit();
      this.#apply();
      this.#tellChanges();
    });
  }

  #carryOut(peer: Peer): void {
    if (peer.closed) return;
    peer.carryOut(this.#batch);
    if (peer.applies) this.#applying.add(peer);
  }

  #submit(): void {
    const batch = this.#batch;
    this.#batch = new LaneBatch();
    const newest = this.#flying.at(-1);
    if (batch.changes.length === 0) {
      // They wait for what is under way, and for nothing else.
      if (newest !== undefined) newest.tasks.push(...batch.tasks);
      else this.world.clock.soon(() => this.#written(batch));
      return;
    }
    this.stats.submits++;
    if (batch.mustSync) this.stats.syncs++;
    this.stats.entriesAppended += batch.entryCount;
    this.#flying.push(batch);
    this.log.submit(batch.changes, batch.mustSync, () => {
      assert(this.#flying.shift() === batch, "submits are told in their order");
      this.#written(batch);
    });
  }

  #written(batch: LaneBatch): void {
    if (this.#stopped) return;
    for (const { peer, task } of batch.tasks) peer.appended(task);
  }

  /** One run of each region; more in the next turn. */
  #apply(): void {
    if (this.#waitsForRoom) return;
    for (const peer of [...this.#applying].toSorted(byRegion)) {
      if (!peer.applies) {
        this.#applying.delete(peer);
        continue;
      }
      if (peer.applyStep()) continue;
      this.#waitsForRoom = true;
      this.engine.whenRoom(() => {
        this.#waitsForRoom = false;
        this.#schedule();
      });
      return;
    }
    for (const peer of this.#applying) if (!peer.applies) this.#applying.delete(peer);
    if (this.#applying.size > 0) this.#schedule();
  }

  #tellChanges(): void {
    if (this.#changed.size === 0) return;
    const changed = [...this.#changed].toSorted(([a], [b]) => a - b);
    this.#changed = new Map();
    for (const [regionId, peer] of changed) {
      const view = peer === null || peer.closed || !peer.initialised ? null : peer;
      for (const listener of this.#listeners) listener(regionId, view);
    }
  }

  /** After everything that waits to be read: a timer that comes late says nothing about those whom it waited for. */
  #tickLater(): void {
    if (this.#stopped) return;
    const { clock } = this.world;
    this.#timer = clock.after(this.options.tickUs, () => clock.soon(() => this.#tick()));
  }

  #tick(): void {
    if (this.#stopped) return;
    this.stats.ticks++;
    this.#guard(() => {
      for (const peer of this.#sorted()) peer.tick();
      this.admin.tick();
      if (this.#batch.tasks.length > 0) this.#submit();
    });
    this.#tickLater();
  }

  /** What the disk refuses ends the store; everything else is a defect and ends more. */
  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      if (!(error instanceof DiskError) && !(error instanceof NokvError)) throw error;
      this.fail(error);
    }
  }

  // Peers.

  #recover(): void {
    const states = readRegionStates(this.engine);
    const applied = readApplyStates(this.engine);
    for (const [regionId, { state, peerId, region }] of states) {
      const applyState = applied.get(regionId) ?? null;
      if (applyState === null) {
        throw new NokvError("NOKV_CORRUPTION", `region ${regionId} has no applied state; restore this store`);
      }
      if (state === "normal") {
        this.#addRegion(peerId, region, applyState);
        continue;
      }
      this.#tombstones.set(regionId, { peerId, region, index: applyState.index, term: applyState.term });
      // Whether what was read survives a power loss nobody knows: it is said again.
      if (this.log.group(regionId) === null) continue;
      this.#destroyAfter(regionId, this.engine.apply(this.#tombstoneBatch(peerId, region, applyState)));
    }
    for (const regionId of this.log.groups()) {
      if (regionId !== storeGroup && !this.#peers.has(regionId)) this.#recoverGroup(regionId);
    }
  }

  /** A group of the log that the engine has no region for. */
  #recoverGroup(regionId: number): void {
    if (this.#burials.has(regionId)) return;
    const note = this.log.group(regionId)?.notes.get(noteKey.peer);
    const peerId = note === undefined ? 0 : decodePeerNote(note);
    // The log of a region that did not begin: nobody has heard of it.
    if (peerId === 0) this.#destroyLog(regionId);
    else this.#addUninitialised(regionId, peerId, restoreUninitialised(this.log, regionId));
  }

  #bootstrapLog(region: RegionMeta, peerId: PeerId, done: () => void): void {
    const known = this.#peers.get(region.id);
    const { term, vote } = known?.peerId === peerId ? known.status() : { term: 0, vote: 0 };
    // A vote that it gave before it had a region stays given.
    const kept = term >= bootstrapTerm ? { term, vote } : { term: bootstrapTerm, vote: 0 };
    const group = region.id;
    const start = { index: bootstrapIndex, term: bootstrapTerm };
    known?.close();
    this.#peers.delete(group);
    this.log.submit(
      [
        { op: "note", group, key: noteKey.peer, value: null },
        { op: "snapshot", group, start, meta: new Uint8Array(0) },
        { op: "hard", group, hard: { ...kept, commit: bootstrapIndex } },
      ],
      true,
      done,
    );
  }

  #makeUninitialised(regionId: number, peerId: PeerId): Peer | null {
    // Until the log of the peer before it is gone, its entries would pass for this one's.
    if (this.#burials.has(regionId)) return null;
    const value = encodePeerNote(peerId);
    // Before its first vote, in the same log: whoever finds that one knows whose it is.
    this.log.submit([{ op: "note", group: regionId, key: noteKey.peer, value }], false, () => {});
    return this.#addUninitialised(regionId, peerId, blank);
  }

  #replaceUninitialised({ regionId, peerId: old }: Peer, peerId: PeerId): void {
    assert(peerId > old, "a later peer takes the place of an earlier one");
    const peer = this.#peers.get(regionId);
    if (peer !== undefined) this.#drop(peer);
    this.#burials.add(regionId);
    const value = encodePeerNote(peerId);
    // Together: between the two a message to the old one would make it again, without the vote that it gave.
    this.log.submit(
      [
        { op: "destroy", group: regionId },
        { op: "note", group: regionId, key: noteKey.peer, value },
      ],
      true,
      () => {
        this.#burials.delete(regionId);
        if (!this.#stopped) this.#addUninitialised(regionId, peerId, blank);
      },
    );
  }

  /** `peer` is no member of its region any more, as `region` says. */
  #bury(peer: Peer, region: RegionMeta): void {
    const { regionId, peerId, applyState } = peer;
    const batch = this.#tombstoneBatch(peerId, region, applyState);
    // The engine is full: whoever told of it will tell again.
    if (!this.engine.hasRoom(batch.byteLength)) return;
    this.#tombstones.set(regionId, { peerId, region, index: applyState.index, term: applyState.term });
    this.#drop(peer);
    this.#destroyAfter(regionId, this.engine.apply(batch));
  }

  #tombstoneBatch(peerId: PeerId, region: RegionMeta, state: ApplyState): VersionedBatch {
    const batch = new VersionedBatch();
    putRegionState(batch, this.engine, { state: "tombstone", peerId, region });
    putApplyState(batch, this.engine, region.id, state);
    return batch;
  }

  /** The log goes when the tombstone is durable (R13): a peer without its log is not one that was removed. */
  #destroyAfter(regionId: number, ticket: number): void {
    this.#burials.add(regionId);
    this.engine.whenDurable(ticket, (error) => {
      if (error !== null) this.fail(error);
      else if (!this.#stopped) this.#destroyLog(regionId);
    });
  }

  #destroyLog(regionId: number): void {
    this.#burials.add(regionId);
    this.log.submit([{ op: "destroy", group: regionId }], true, () => void this.#burials.delete(regionId));
  }

  /** Throws `NOKV_CORRUPTION`. */
  #addRegion(peerId: PeerId, region: RegionMeta, state: ApplyState): void {
    const restored = restore(this.log, region.id, state.index, voterConfiguration(region));
    this.#add(new Peer(this, { regionId: region.id, peerId, region, state, restored }));
  }

  #addUninitialised(regionId: number, peerId: PeerId, restored: Restored): Peer {
    const peer = new Peer(this, { regionId, peerId, region: null, state: noApplyState, restored });
    this.#add(peer);
    return peer;
  }

  #add(peer: Peer): void {
    this.#peers.set(peer.regionId, peer);
    this.stats.peersMade++;
    this.changed(peer);
    this.dirty(peer);
  }

  #drop(peer: Peer): void {
    this.#peers.delete(peer.regionId);
    this.#applying.delete(peer);
    this.#dirty.delete(peer);
    this.#changed.set(peer.regionId, null);
    this.stats.peersRemoved++;
    peer.close();
    this.#schedule();
  }

  #hosted(regionId: number): Peer | null {
    const peer = this.#peers.get(regionId);
    return peer !== undefined && peer.initialised && !peer.closed ? peer : null;
  }

  #sorted(): Peer[] {
    return [...this.#peers.values()].toSorted(byRegion);
  }
}

function byRegion(a: Peer, b: Peer): number {
  return a.regionId - b.regionId;
}
