import type { Entry, LogIndex, PeerId } from "../raft/entry.ts";
import { noBytes } from "../raft/entry.ts";
import type { Message } from "../raft/message.ts";
import type { Raft } from "../raft/raft.ts";
import type { AppendTask } from "../raft/ready.ts";
import type { PeerWatch } from "../raft/store/peer-watch.ts";
import type { RaftLog } from "../raft/store/raft-log.ts";
import { readEntries } from "../raft/store/restored.ts";
import { type ObservedPeer, RaftObserver } from "../sim/checkers/raft-observer.ts";
import { RaftImage } from "../sim/raft-image.ts";
import type { World } from "../sim/world.ts";

class WatchedPeer implements ObservedPeer {
  readonly id: PeerId;
  readonly image = new RaftImage();
  incarnation = 0;
  raft: Raft | null = null;

  constructor(id: PeerId) {
    this.id = id;
  }
}

/** All groups of a run, each with its observer. What a peer's disk holds is kept beside it, as it says that it is. */
export class StoreObservers {
  readonly #world: World;
  readonly #origin: LogIndex;
  readonly #groups = new Map<number, RaftObserver>();
  readonly #peers = new Map<string, WatchedPeer>();

  /** Groups begin behind `origin`. */
  constructor(world: World, origin: LogIndex) {
    this.#world = world;
    this.#origin = origin;
  }

  get elections(): number {
    return [...this.#groups.values()].reduce((sum, { elections }) => sum + elections, 0);
  }

  get committed(): number {
    return [...this.#groups.values()].reduce((sum, { committed }) => sum + committed - this.#origin, 0);
  }

  group(region: number): RaftObserver {
    const known = this.#groups.get(region);
    if (known !== undefined) return known;
    const observer = new RaftObserver(this.#origin, (oracle, message) =>
      this.#world.fail(oracle, `region ${region}: ${message}`),
    );
    this.#groups.set(region, observer);
    return observer;
  }

  peer(region: number, id: PeerId): WatchedPeer {
    const key = `${region}/${id}`;
    const known = this.#peers.get(key);
    if (known !== undefined) return known;
    const peer = new WatchedPeer(id);
    this.#peers.set(key, peer);
    this.group(region).join(peer);
    return peer;
  }

  /** For one process of a store, whose log is `log`. */
  watch(log: RaftLog): StoreWatch {
    return new StoreWatch(this, log);
  }
}

/** The eyes of the observers in one process. */
export class StoreWatch implements PeerWatch {
  readonly #observers: StoreObservers;
  readonly #log: RaftLog;
  readonly #watched = new Set<WatchedPeer>();

  constructor(observers: StoreObservers, log: RaftLog) {
    this.#observers = observers;
    this.#log = log;
  }

  started(region: number, id: PeerId, raft: Raft): void {
    const observer = this.#observers.group(region);
    const peer = this.#observers.peer(region, id);
    this.#watched.add(peer);
    peer.incarnation++;
    peer.raft = raft;
    this.#restore(region, peer, observer);
    observer.restarted(peer);
    observer.stepped(peer);
  }

  stepped(region: number, id: PeerId): void {
    this.#observers.group(region).stepped(this.#observers.peer(region, id));
  }

  persisted(region: number, id: PeerId, task: AppendTask): void {
    const peer = this.#observers.peer(region, id);
    this.#observers.group(region).wrote(peer, task);
    peer.image.write(task);
  }

  released(region: number, id: PeerId, message: Message): void {
    this.#observers.group(region).released(this.#observers.peer(region, id), message);
  }

  applied(region: number, id: PeerId, entry: Entry): void {
    this.#observers.group(region).applied(this.#observers.peer(region, id), entry);
  }

  compacted(region: number, id: PeerId, index: LogIndex): void {
    this.#observers.peer(region, id).image.compact(index);
  }

  ended(region: number, id: PeerId): void {
    const peer = this.#observers.peer(region, id);
    peer.raft = null;
    this.#watched.delete(peer);
  }

  /** The process is gone. */
  over(): void {
    for (const peer of this.#watched) peer.raft = null;
    this.#watched.clear();
  }

  /** The log may hold more than the peer was told of before its crash, never less. */
  #restore(region: number, peer: WatchedPeer, observer: RaftObserver): void {
    const { image } = peer;
    const group = this.#log.group(region);
    if (group === null) return;
    const { hard, start, last } = group;
    const entries = last > start.index ? readEntries(this.#log, region, start.index + 1, last + 1, Infinity) : [];
    if (start.index > image.base) {
      const conf = { voters: [], votersOutgoing: [], learners: [], learnersNext: [] };
      const snapshot = { index: start.index, term: start.term, conf, historyHash: [0, 0] as const, context: noBytes };
      const task = { seq: 0, hard: null, snapshot, first: 0, entries: [], mustSync: true, sendAfter: [] };
      observer.wrote(peer, task);
      image.write(task);
    }
    // What a crash took back had not been told: it is no part of the image.
    image.base = start.index;
    image.baseTerm = start.term;
    image.entries = [];
    const task = { seq: 0, hard: null, snapshot: null, first: start.index + 1, entries, mustSync: true, sendAfter: [] };
    observer.wrote(peer, task);
    image.write(task);
    image.hard = hard;
  }
}
