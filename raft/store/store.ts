import { assert } from "../../core/assert.ts";
import { VersionedBatch } from "../../core/engine/versioned-batch.ts";
import type { VersionedStore } from "../../core/engine/versioned-store.ts";
import type { Timer } from "../../core/env/clock.ts";
import { DiskError } from "../../core/env/disk.ts";
import { NokvError } from "../../core/errors.ts";
import { snapshotAfterIntent, snapshotAfterReplace, snapshotBeforeIntent } from "../../failpoints/catalog.ts";
import type { Hello } from "../../net/rpc/hello.ts";
import type { Transport } from "../../net/rpc/transport.ts";
import type { LogIndex, PeerId } from "../entry.ts";
import type { Restored } from "../raft-options.ts";
import { type RegionMeta, peerOnStore, regionProblem } from "../region.ts";
import { voterConfiguration } from "../voter-configuration.ts";
import { RaftAdmin } from "./admin.ts";
import { Graveyard } from "./graveyard.ts";
import { type ApplyState, putApplyState, putRegionState, readApplyStates, readRegionStates } from "./local-records.ts";
import { noteKey, storeGroup } from "./log-notes.ts";
import { Peer, noApplyState } from "./peer.ts";
import type { PeerContext, StoreWorld } from "./peer-context.ts";
import type { PeerView } from "./peer-view.ts";
import type { PeerWatch } from "./peer-watch.ts";
import { Post } from "./post.ts";
import type { RaftLog } from "./raft-log.ts";
import type { RegionMachineMaker } from "./region-machine.ts";
import { Turns } from "./turns.ts";
import { blank, restore, restoreUninitialised } from "./restored.ts";
import { type SnapshotIntent, contentOf, encodeIntent, regionOfSnapshot } from "./snapshot-intent.ts";
import { SnapshotReceiver } from "./snapshot-receiver.ts";
import { finishSnapshots, stateOfSnapshot } from "./snapshot-recovery.ts";
import { SnapshotSenders } from "./snapshot-senders.ts";
import type { SnapshotTransfer } from "./snapshot-transfer.ts";
import { type StoreOptions, storeOptions } from "./store-options.ts";
import { StoreStats } from "./store-stats.ts";
import { decodePeerNote, encodePeerNote } from "./peer-note.ts";
import { bootstrapIndex, bootstrapTerm } from "./tombstone.ts";

export interface StoreParts {
  readonly world: StoreWorld;
  readonly engine: VersionedStore;
  /** Its failures must be told to `Store.fail`. */
  readonly log: RaftLog;
  readonly transport: Transport;
  /** How regions leave the engine and come into it whole. */
  readonly transfer: SnapshotTransfer;
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
  /** For the transport: who takes streams. */
  readonly streams: SnapshotReceiver;
  readonly #transfer: SnapshotTransfer;
  readonly #senders: SnapshotSenders;
  readonly #onFatal: (error: Error) => void;
  readonly #post: Post;
  readonly #peers = new Map<number, Peer>();
  #inOrder: readonly Peer[] | null = null;
  readonly #graveyard: Graveyard;
  readonly #turns: Turns;
  readonly #listeners: RegionListener[] = [];
  #changed = new Map<number, Peer | null>();
  /** Regions whose first peer is being made: nobody else makes one meanwhile. */
  readonly #beginning = new Set<number>();
  #stopped = false;
  #timer: Timer | null = null;

  private constructor(parts: StoreParts) {
    this.storeId = parts.storeId;
    this.world = parts.world;
    this.engine = parts.engine;
    this.log = parts.log;
    this.options = storeOptions(parts.options);
    this.makeMachine = parts.makeMachine;
    this.watch = parts.watch ?? null;
    this.#onFatal = parts.onFatal;
    this.#transfer = parts.transfer;
    this.#graveyard = new Graveyard({
      engine: this.engine,
      log: this.log,
      transfer: parts.transfer,
      failpoints: this.world.failpoints,
      fail: (error) => this.fail(error),
      stopped: () => this.#stopped,
    });
    this.#turns = new Turns({
      clock: this.world.clock,
      engine: this.engine,
      log: this.log,
      stats: this.stats,
      guard: (run) => this.#guard(run),
      after: () => this.#tellChanges(),
    });
    this.#senders = new SnapshotSenders(parts.transport, parts.transfer, this.stats);
    this.streams = new SnapshotReceiver(
      {
        storeId: this.storeId,
        recipient: (regionId, peerId) => this.#recipient(regionId, peerId),
        regions: () => this.#ranges(),
        offer: (peer, from, message, intent) => {
          this.stats.snapshotsIn++;
          peer.offer(from, message, intent);
        },
      },
      parts.transfer,
    );
    this.#post = new Post(parts.transport, this.storeId, this.stats, {
      peer: (regionId) => this.#peers.get(regionId) ?? null,
      tombstone: (regionId) => this.#graveyard.tombstone(regionId),
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
    await finishSnapshots(store, parts.transfer);
    store.#recover();
    store.#tickLater();
    return store;
  }

  /** A frame from another store: `isStoreMessage(type)`. `body` is valid only during the call. */
  receive(from: Hello, type: number, body: Uint8Array): void {
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
    return this.#sorted().filter((peer) => peer.serves);
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
    const { id } = region;
    const isKnown = this.#graveyard.tombstone(id) !== null || this.#hosted(id) !== null;
    if (this.#stopped || isKnown || this.#beginning.has(id)) return;
    this.#beginning.add(id);
    await new Promise<void>((resolve) => this.#bootstrapLog(region, own.peerId, resolve));
    // Closed meanwhile: the next life begins it again.
    if (this.#stopped) return;
    const state = { index: bootstrapIndex, term: bootstrapTerm, high: 0, low: 0 };
    const batch = new VersionedBatch();
    putRegionState(batch, this.engine, { state: "normal", peerId: own.peerId, region });
    putApplyState(batch, this.engine, id, state);
    const ticket = this.engine.apply(batch);
    await new Promise<void>((resolve, reject) => {
      this.engine.whenDurable(ticket, (error) => (error === null ? resolve() : reject(error)));
    });
    this.#beginning.delete(id);
    if (!this.#stopped) this.#addRegion(own.peerId, region, state);
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
    this.#turns.dirty(peer);
  }

  changed(peer: Peer): void {
    this.#changed.set(peer.regionId, peer);
    this.#turns.schedule();
  }

  removed(peer: Peer, before: RegionMeta, ticket: number): void {
    const { peerId, region, applyState } = peer;
    this.#drop(peer);
    this.#graveyard.buried({ peerId, own: before, state: applyState }, region, ticket);
  }

  send(peer: Peer, message: Parameters<Post["send"]>[1]): void {
    if (message.kind === "snapshot") this.#senders.send(peer, message);
    else this.#post.send(peer, message);
  }

  snapshotWanted(peer: Peer, to: PeerId): void {
    this.#senders.wanted(peer, to);
  }

  heldIndex(peer: Peer): LogIndex | null {
    return this.#senders.heldIndex(peer);
  }

  /** SnapIntent, the records, and then, by the peer's own task, SnapDone (R7, R8). */
  install(peer: Peer, intent: SnapshotIntent): void {
    const { regionId } = peer;
    const value = encodeIntent(intent);
    this.world.failpoints.hit(snapshotBeforeIntent);
    this.log.submit([{ op: "note", group: regionId, key: noteKey.snapshotIntent, value }], true, () => {
      if (!this.#stopped) this.#replaceRecords(peer, intent);
    });
  }

  snapshotSettled({ regionId }: Peer, name: string): void {
    this.streams.settled(regionId, name);
    try {
      this.#transfer.sweep(this.streams.names());
    } catch (error) {
      // They take room until the next start, and nobody takes them for anything.
      if (!(error instanceof DiskError)) throw error;
    }
  }

  #tellChanges(): void {
    if (this.#changed.size === 0) return;
    const changed = [...this.#changed].toSorted(([a], [b]) => a - b);
    this.#changed = new Map();
    for (const [regionId, peer] of changed) {
      const view = peer === null || !peer.serves ? null : peer;
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
    this.#guard(() => {
      this.stats.ticks++;
      for (const peer of this.#sorted()) peer.tick();
      this.admin.tick();
      this.#senders.tick();
      this.#turns.flush();
    });
    this.#tickLater();
  }

  /** What the disk refuses ends the store; everything else is a defect and ends more. */
  #guard(run: () => void): void {
    if (this.#stopped) return;
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
      this.#graveyard.restore({ peerId, own: region, state: applyState });
    }
    for (const regionId of this.log.groups()) {
      if (regionId !== storeGroup && !this.#peers.has(regionId)) this.#recoverGroup(regionId);
    }
  }

  /** A group of the log that the engine has no region for. */
  #recoverGroup(regionId: number): void {
    if (this.#graveyard.holds(regionId)) return;
    const note = this.log.group(regionId)?.notes.get(noteKey.peer);
    const peerId = note === undefined ? 0 : decodePeerNote(note);
    // The log of a region that did not begin: nobody has heard of it.
    if (peerId === 0) this.#graveyard.destroyLog(regionId);
    else this.#addUninitialised(regionId, peerId, restoreUninitialised(this.log, regionId));
  }

  #bootstrapLog(region: RegionMeta, peerId: PeerId, done: () => void): void {
    const known = this.#peers.get(region.id);
    const { term, vote } = known?.peerId === peerId ? known.status() : { term: 0, vote: 0 };
    // A vote that it gave before it had a region stays given.
    const kept = term >= bootstrapTerm ? { term, vote } : { term: bootstrapTerm, vote: 0 };
    const group = region.id;
    const start = { index: bootstrapIndex, term: bootstrapTerm };
    if (known !== undefined) this.#drop(known);
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
    if (this.#graveyard.holds(regionId) || this.#beginning.has(regionId)) return null;
    const value = encodePeerNote(peerId);
    // Before its first vote, in the same log: whoever finds that one knows whose it is.
    this.log.submit([{ op: "note", group: regionId, key: noteKey.peer, value }], false, () => {});
    return this.#addUninitialised(regionId, peerId, blank);
  }

  #replaceUninitialised(peer: Peer, peerId: PeerId): void {
    assert(peerId > peer.peerId, "a later peer takes the place of an earlier one");
    const { regionId } = peer;
    this.#drop(peer);
    this.#graveyard.replaceUninitialised(regionId, peerId, () => this.#addUninitialised(regionId, peerId, blank));
  }

  /** `peer` is no member of its region any more, as `region` says. */
  #bury(peer: Peer, region: RegionMeta): void {
    const { peerId, applyState, region: own } = peer;
    // Where the engine is full: whoever told of it will tell again.
    if (this.#graveyard.bury({ peerId, own, state: applyState }, region)) this.#drop(peer);
  }

  #replaceRecords(peer: Peer, intent: SnapshotIntent): void {
    const { snapshot, name, files } = intent;
    const region = regionOfSnapshot(snapshot);
    assert(region !== null, "a snapshot's region was looked at when it came");
    const batch = stateOfSnapshot(this.engine, intent, region);
    this.world.failpoints.hit(snapshotAfterIntent);
    this.#transfer.replace(name, contentOf(snapshot, files), region, batch, (error) => {
      if (error === null) this.world.failpoints.hit(snapshotAfterReplace);
      if (error !== null) this.fail(error);
      else if (!this.#stopped) peer.installed();
    });
  }

  #recipient(regionId: number, peerId: PeerId): Peer | string {
    if (this.#stopped) return "the store is closed";
    const peer = this.#peers.get(regionId) ?? null;
    if (peer !== null && peer.peerId === peerId) return peer.installing === null ? peer : "one is being installed";
    return peer === null ? "it has not heard of its region" : `peer ${peer.peerId} of the region is here`;
  }

  /** What has records here, or is about to have some, or whose records are about to go. */
  #ranges(): RegionMeta[] {
    const ranges: RegionMeta[] = [];
    for (const peer of this.#sorted()) {
      if (peer.initialised) ranges.push(peer.region);
      const { installing } = peer;
      if (installing !== null) ranges.push(installing);
    }
    return [...ranges, ...this.#graveyard.ranges()];
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
    this.#inOrder = null;
    this.stats.peersMade++;
    this.changed(peer);
    this.dirty(peer);
  }

  #drop(peer: Peer): void {
    this.#peers.delete(peer.regionId);
    this.#inOrder = null;
    this.#turns.forget(peer);
    this.#senders.forget(peer);
    this.#changed.set(peer.regionId, null);
    this.stats.peersRemoved++;
    peer.close();
    this.#turns.schedule();
  }

  #hosted(regionId: number): Peer | null {
    const peer = this.#peers.get(regionId);
    return peer?.serves === true ? peer : null;
  }

  /** Sorted again when a peer has come or gone: every tick goes through all of them. */
  #sorted(): readonly Peer[] {
    this.#inOrder ??= [...this.#peers.values()].toSorted(byRegion);
    return this.#inOrder;
  }
}

function byRegion(a: Peer, b: Peer): number {
  return a.regionId - b.regionId;
}
