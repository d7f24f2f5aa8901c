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
import type { Moment } from "./raft-store-moments.ts";

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

  /** For one process of a store, whose log is `log`; `tell` hears of its moments. */
  watch(log: RaftLog, tell: (moment: Moment) => void): StoreWatch {
    return new StoreWatch(this, log, tell);
  }

  /** What the log of `peer` holds is not what it was told that it holds. */
  lost(region: number, { id }: WatchedPeer, what: string): never {
    this.#world.fail("durability", `region ${region}: ${id} ${what}`);
  }
}

/** The eyes of the observers in one process. */
export class StoreWatch implements PeerWatch {
  readonly #observers: StoreObservers;
  readonly #log: RaftLog;
  readonly #tell: (moment: Moment) => void;
  readonly #watched = new Set<WatchedPeer>();

  constructor(observers: StoreObservers, log: RaftLog, tell: (moment: Moment) => void) {
    this.#observers = observers;
    this.#log = log;
    this.#tell = tell;
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
    this.#tell("begun");
  }

  stepped(region: number, id: PeerId): void {
    this.#observers.group(region).stepped(this.#observers.peer(region, id));
  }

  persisted(region: number, id: PeerId, task: AppendTask): void {
    const peer = this.#observers.peer(region, id);
    this.#observers.group(region).wrote(peer, task);
    peer.image.write(task);
    if (task.entries.some(({ kind }) => kind === "conf")) this.#tell("conf-written");
    if (task.snapshot !== null) this.#tell("snapshot-written");
  }

  released(region: number, id: PeerId, message: Message): void {
    this.#observers.group(region).released(this.#observers.peer(region, id), message);
  }

  applied(region: number, id: PeerId, entry: Entry): void {
    this.#observers.group(region).applied(this.#observers.peer(region, id), entry);
  }

  compacted(region: number, id: PeerId, index: LogIndex): void {
    this.#observers.peer(region, id).image.compact(index);
    this.#tell("cut");
  }

  ended(region: number, id: PeerId): void {
    const peer = this.#observers.peer(region, id);
    peer.raft = null;
    this.#watched.delete(peer);
    this.#tell("removed");
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
    if (group === null) {
      if (image.last > 0 || image.hard.term > 0) this.#observers.lost(region, peer, "has lost its whole log");
      return;
    }
    const { hard, start, last } = group;
    if (last > 0 && peer.raft?.status().last === 0) return observer.unborn(peer, hard, last);
    const entries = last > start.index ? readEntries(this.#log, region, start.index + 1, last + 1, Infinity) : [];
    this.#compare(region, peer, start.index, entries);
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
  /** What the peer was told to be durable is there, or what a later leader put in its place. */
  // oxlint-disable-next-line max-params -- whose, and what the log has
  #compare(region: number, peer: WatchedPeer, base: LogIndex, entries: readonly Entry[]): void {
    const { image } = peer;
    if (base < image.base) return;
    for (let index = base + 1; index <= image.last; index++) {
      const known = image.term(index);
      const own = entries[index - base - 1]?.term ?? 0;
      if (own === known) continue;
      // Cut off by an append that the crash kept and nobody was told of: all behind it was void.
      if (own > known) return;
      this.#observers.lost(region, peer, `has ${own} at ${index}, where it was told that ${known} is durable`);
    }
  }
}
