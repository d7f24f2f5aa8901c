import { assert } from "../../core/assert.ts";
import type { VersionedStore } from "../../core/engine/versioned-store.ts";
import { DiskError } from "../../core/env/disk.ts";
import { NokvError } from "../../core/errors.ts";
import type { Hello } from "../../net/rpc/hello.ts";
import type { Transport } from "../../net/rpc/transport.ts";
import type { LogIndex, PeerId } from "../entry.ts";
import { type RegionMeta, peerOnStore, regionProblem } from "../region.ts";
import { RaftAdmin } from "./admin.ts";
import type { AdminRun } from "./applier.ts";
import { Births, finishBirths } from "./births.ts";
import { EarlyMessages } from "./early-messages.ts";
import { Graveyard, type Leaving } from "./graveyard.ts";
import { MergeDesk } from "./merge-desk.ts";
import type { CommitMerge } from "./merge-state.ts";
import { Hibernation } from "./hibernation.ts";
import { storeMessage } from "./message-type.ts";
import type { Peer } from "./peer.ts";
import type { PeerContext, StoreWorld } from "./peer-context.ts";
import { PeerTable } from "./peer-table.ts";
import type { PeerView } from "./peer-view.ts";
import type { PeerWatch } from "./peer-watch.ts";
import { Post } from "./post.ts";
import type { RaftLog } from "./raft-log.ts";
import type { RegionMachineMaker } from "./region-machine.ts";
import { Turns } from "./turns.ts";
import { SnapshotInstaller } from "./snapshot-installer.ts";
import type { SnapshotIntent } from "./snapshot-intent.ts";
import { SnapshotReceiver } from "./snapshot-receiver.ts";
import { finishSnapshots } from "./snapshot-recovery.ts";
import { type SnapshotProgress, SnapshotSenders } from "./snapshot-senders.ts";
import type { SnapshotTransfer } from "./snapshot-transfer.ts";
import { type StoreOptions, storeOptions } from "./store-options.ts";
import { StalePeers } from "./stale-peers.ts";
import { StoreStats } from "./store-stats.ts";
import { StoreTicker } from "./store-ticker.ts";

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
  readonly #installer: SnapshotInstaller;
  readonly #senders: SnapshotSenders;
  readonly #onFatal: (error: Error) => void;
  readonly #post: Post;
  readonly #table: PeerTable;
  readonly #births: Births;
  readonly #merges: MergeDesk;
  readonly #early: EarlyMessages;
  readonly #graveyard: Graveyard;
  readonly #turns: Turns;
  readonly #hibernation: Hibernation;
  readonly #stale: StalePeers;
  readonly #ticker: StoreTicker;
  readonly #listeners: RegionListener[] = [];
  #changed = new Map<number, Peer | null>();
  #stopped = false;

  // oxlint-disable-next-line max-lines-per-function -- each part once
  private constructor(parts: StoreParts) {
    this.storeId = parts.storeId;
    this.world = parts.world;
    this.engine = parts.engine;
    this.log = parts.log;
    this.options = storeOptions(parts.options);
    this.makeMachine = parts.makeMachine;
    this.watch = parts.watch ?? null;
    this.#onFatal = parts.onFatal;
    this.#graveyard = new Graveyard({
      engine: this.engine,
      log: this.log,
      transfer: parts.transfer,
      failpoints: this.world.failpoints,
      fail: (error) => this.fail(error),
      stopped: () => this.#stopped,
    });
    this.#table = new PeerTable({
      context: this,
      graveyard: this.#graveyard,
      came: (peer) => this.#came(peer),
      went: (peer) => this.#went(peer),
      stopped: () => this.#stopped,
    });
    this.#births = new Births({
      context: this,
      graveyard: this.#graveyard,
      table: this.#table,
      stopped: () => this.#stopped,
    });
    const { raft, earlyMessagesMax } = this.options;
    this.#early = new EarlyMessages(2 * raft.electionTicks, earlyMessagesMax, (id) => this.#table.isReserved(id));
    this.#merges = new MergeDesk({
      context: this,
      table: this.#table,
      graveyard: this.#graveyard,
      transport: parts.transport,
    });
    this.#turns = new Turns({
      clock: this.world.clock,
      engine: this.engine,
      log: this.log,
      stats: this.stats,
      guard: (run) => this.guard(run),
      after: () => this.#tellChanges(),
    });
    this.#hibernation = new Hibernation({
      storeId: this.storeId,
      options: this.options,
      stats: this.stats,
      peers: () => this.#table.sorted(),
      greet: (storeId, isAnswer) => this.#post.greet(storeId, isAnswer),
      passedTicks: () => this.#ticker.passed(),
    });
    this.#stale = new StalePeers({
      storeId: this.storeId,
      roundTicks: raft.electionTicks,
      peers: () => this.#table.sorted(),
      ask: (storeId, peer) => this.#post.ask(storeId, peer),
    });
    this.#ticker = new StoreTicker(this.world.clock, this.options.tickUs, (ticks) => this.#tick(ticks));
    this.#senders = new SnapshotSenders(parts.transport, parts.transfer, this.stats, (error) => this.fail(error));
    this.streams = new SnapshotReceiver(
      {
        storeId: this.storeId,
        recipient: (regionId, peerId) => this.#recipient(regionId, peerId),
        obstacle: (region) => this.#obstacle(region),
        offer: (peer, from, message, intent) => {
          this.stats.snapshotsIn++;
          peer.offer(from, message, intent);
        },
      },
      parts.transfer,
    );
    this.#installer = new SnapshotInstaller(this, parts.transfer, this.streams, () => this.#stopped);
    this.#post = new Post(parts.transport, this.storeId, this.stats, {
      peer: (regionId) => this.#table.get(regionId),
      tombstone: (regionId) => this.#graveyard.tombstone(regionId),
      keeps: (fromStore, received) => this.#early.keeps(fromStore, received),
      make: (regionId, peerId) => this.#table.makeUninitialised(regionId, peerId),
      replace: (peer, peerId) => this.#table.replaceUninitialised(peer, peerId),
      bury: (peer, region) => this.#table.bury(peer, region),
      movedOn: (region) => this.#stale.movedOn(region),
    });
    this.admin = new RaftAdmin(this.world.clock, this.options, (regionId) => this.#table.hosted(regionId));
  }

  /**
   * Every peer that the engine knows comes back where its applied state and its log say. Rejects with
   * `NOKV_CORRUPTION` where the two contradict each other.
   */
  static async open(parts: StoreParts): Promise<Store> {
    const store = new Store(parts);
    try {
      await finishSnapshots(store, parts.transfer);
      await finishBirths(store);
      store.#table.recover();
    } catch (error) {
      // Peers that have come back already would go on, with a log that whoever opens this closes now.
      if (error instanceof DiskError || error instanceof NokvError) await store.close();
      throw error;
    }
    store.#ticker.wait(1);
    return store;
  }

  /** A frame from another store: `isStoreMessage(type)`. `body` is valid only during the call. */
  receive(from: Hello, type: number, body: Uint8Array): void {
    this.guard(() => {
      this.#hibernation.heard(from.storeId, from.incarnation);
      if (type === storeMessage.greeting) return this.#hibernation.greeted(from.storeId, body.length > 0);
      if (this.#merges.receive(from.storeId, type, body)) return;
      this.#post.receive(from.storeId, type, body);
    });
  }

  /** For the simulator: which replica sleeps on although what it relies on is over; null: none. */
  overslept(): string | null {
    return this.#hibernation.overslept();
  }

  /** Replicas here that do not sleep. */
  get awakePeers(): number {
    return this.#hibernation.awakeCount;
  }

  /** Those of `regions` that do not sleep, or did not at some time since the last call. */
  takeStirred(): PeerView[] {
    return this.#hibernation.takeStirred().filter((peer) => peer.serves);
  }

  /** Replicas here, those included that do not serve yet. */
  get peerCount(): number {
    return this.#table.size;
  }

  /** What was sent there lately may be lost. */
  unreachable(storeId: number): void {
    if (this.#stopped) return;
    for (const peer of this.#table.sorted()) peer.unreachable(storeId);
  }

  /** Null: this store has no replica of it that serves. */
  region(regionId: number): PeerView | null {
    return this.#table.hosted(regionId);
  }

  /** Ascending by region. */
  regions(): PeerView[] {
    return this.#table.sorted().filter((peer) => peer.serves);
  }

  /** Snapshots of that region that this store sends. */
  snapshotsOut(regionId: number): SnapshotProgress[] {
    const peer = this.#table.hosted(regionId);
    return peer === null ? [] : this.#senders.progress(peer);
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
    await this.#table.bootstrap(region, own.peerId);
  }

  /** `region`, from whom it may be: buries the peer here if it is newer than what the peer knows, and without it. */
  gone(peerId: PeerId, region: RegionMeta): void {
    this.guard(() => {
      this.#post.gone({ peerId, region });
      this.#turns.flush();
    });
  }

  /** Nothing is done, answered or told any more. */
  fail(error: Error): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#ticker.stop();
    this.world.trace.emit("store/failed", { storeId: this.storeId, why: error.message });
    this.#onFatal(error);
  }

  /** Whoever waits is told; resolves when nothing is under way. The engine, log and transport are their opener's. */
  async close(): Promise<void> {
    if (!this.#stopped) {
      this.#stopped = true;
      this.#ticker.stop();
      for (const peer of this.#table.sorted()) peer.close();
      this.admin.close();
    }
    this.streams.close();
    await Promise.resolve();
  }

  // What peers tell.

  dirty(peer: Peer): void {
    this.#hibernation.stirred(peer);
    this.#ticker.hasten();
    this.#turns.dirty(peer);
  }

  waking(peer: Peer): void {
    this.#hibernation.waking(peer);
  }

  changed(peer: Peer): void {
    this.#hibernation.regionChanged();
    this.#senders.changed(peer);
    this.#changed.set(peer.regionId, peer);
    this.#turns.schedule();
  }

  removed(peer: Peer, before: RegionMeta, ticket: number): void {
    const { peerId, region, applyState } = peer;
    this.#table.drop(peer);
    this.#graveyard.buried({ peerId, own: before, state: applyState }, region, ticket);
  }

  send(peer: Peer, message: Parameters<Post["send"]>[1]): void {
    if (message.kind === "snapshot") this.#senders.send(peer, message);
    else this.#post.send(peer, message);
  }

  childrenHere(children: readonly RegionMeta[]): readonly RegionMeta[] {
    return this.#births.here(children);
  }

  sourceHere(commit: CommitMerge): Leaving {
    return this.#merges.sourceHere(commit);
  }

  endTakenBy(region: RegionMeta): readonly number[] {
    return this.#table.endTakenBy(region);
  }

  logOfTaken(regionId: number): void {
    this.#graveyard.destroyLog(regionId);
  }

  administered(peer: Peer, run: AdminRun, ticket: number): void {
    this.#merges.administered(run, ticket);
    if (run.effect.children.length > 0) this.#births.begin(peer, run, ticket);
  }

  snapshotWanted(peer: Peer, to: PeerId): void {
    this.#senders.wanted(peer, to);
  }

  heldIndex(peer: Peer): LogIndex | null {
    return this.#senders.heldIndex(peer);
  }

  install(peer: Peer, intent: SnapshotIntent): void {
    this.#installer.install(peer, intent);
  }

  snapshotSettled(peer: Peer, name: string): void {
    this.#installer.settled(peer, name);
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

  #tick(ticks: number): void {
    this.guard(() => {
      this.stats.ticks++;
      this.#hibernation.tick(ticks);
      this.#stale.tick(ticks);
      this.#merges.tick();
      this.admin.tick();
      for (const { fromStore, received } of this.#early.tick()) this.#post.deliver(fromStore, received);
      this.#senders.tick();
      this.#turns.flush();
    });
    if (this.#stopped) return;
    const isBusy = this.admin.busy || this.#senders.busy || this.#early.busy;
    this.#ticker.wait(isBusy ? 1 : this.#hibernation.ticksToWait());
  }

  /**
   * For whoever reads the engine: what the disk refuses, or has damaged, ends the store; everything else is a defect
   * and ends more. Nothing runs once the store has ended.
   */
  guard(run: () => void): void {
    if (this.#stopped) return;
    try {
      run();
    } catch (error) {
      if (!(error instanceof DiskError) && !(error instanceof NokvError)) throw error;
      this.fail(error);
    }
  }

  #obstacle(region: RegionMeta): RegionMeta | null {
    const other = this.#table.obstacle(region);
    const peer = other === null ? null : this.#table.get(other.id);
    if (peer !== null) this.#stale.obstructs(peer);
    return other;
  }

  #recipient(regionId: number, peerId: PeerId): Peer | string {
    if (this.#stopped) return "the store is closed";
    const peer = this.#table.get(regionId);
    if (peer !== null && peer.peerId === peerId) return peer.installing === null ? peer : "one is being installed";
    return peer === null ? "it has not heard of its region" : `peer ${peer.peerId} of the region is here`;
  }

  #came(peer: Peer): void {
    this.stats.peersMade++;
    this.changed(peer);
    this.dirty(peer);
    for (const { fromStore, received } of this.#early.take(peer.regionId)) this.#post.deliver(fromStore, received);
  }

  #went(peer: Peer): void {
    this.#turns.forget(peer);
    this.#hibernation.gone(peer);
    this.#stale.gone(peer);
    this.#senders.forget(peer);
    this.#changed.set(peer.regionId, null);
    this.stats.peersRemoved++;
    peer.close();
    this.#turns.schedule();
  }
}
