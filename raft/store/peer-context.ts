import type { VersionedStore } from "../../core/engine/versioned-store.ts";
import type { Clock } from "../../core/env/clock.ts";
import type { Random } from "../../core/env/random.ts";
import type { Failpoints } from "../../failpoints/failpoints.ts";
import type { Trace } from "../../core/env/trace.ts";
import type { LogIndex, PeerId } from "../entry.ts";
import type { Message } from "../message.ts";
import type { RegionMeta } from "../region.ts";
import type { AdminRun } from "./applier.ts";
import type { Leaving } from "./graveyard.ts";
import type { CommitMerge } from "./merge-state.ts";
import type { Peer } from "./peer.ts";
import type { PeerWatch } from "./peer-watch.ts";
import type { RaftLog } from "./raft-log.ts";
import type { RegionMachineMaker } from "./region-machine.ts";
import type { SnapshotIntent } from "./snapshot-intent.ts";
import type { StoreOptions } from "./store-options.ts";
import type { StoreStats } from "./store-stats.ts";

/** The parts of `Env` that a store uses. */
export interface StoreWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly trace: Trace;
  readonly failpoints: Failpoints;
}

/** What the peers of a store have in common, and what they tell it. */
export interface PeerContext {
  readonly storeId: number;
  readonly world: StoreWorld;
  readonly engine: VersionedStore;
  readonly log: RaftLog;
  readonly options: StoreOptions;
  readonly stats: StoreStats;
  readonly makeMachine: RegionMachineMaker;
  readonly watch: PeerWatch | null;
  /** It has something to do in the next turn. */
  dirty(peer: Peer): void;
  /** It sleeps, and a message is about to wake it. */
  waking(peer: Peer): void;
  send(peer: Peer, message: Message): void;
  /** Its region, its leader or its office is another one. */
  changed(peer: Peer): void;
  /** It is no member any more, as it was `before`; its batch that says so is in the engine under `ticket`. */
  removed(peer: Peer, before: RegionMeta, ticket: number): void;
  /** Of `children`, those that begin on this store. */
  childrenHere(children: readonly RegionMeta[]): readonly RegionMeta[];
  /** A command to its region is in the engine under `ticket`, done or refused. */
  administered(peer: Peer, run: AdminRun, ticket: number): void;
  /** Sources of merges that are in a snapshot of `region`, which is about to come over them: they end here. */
  endTakenBy(region: RegionMeta): readonly number[];
  /** Nothing of it is in the engine any more, durably: its log goes. */
  logOfTaken(regionId: number): void;
  /** The source of a merge on this store, frozen as `commit` says. */
  sourceHere(commit: CommitMerge): Leaving;
  /** A follower needs what the log no longer holds. */
  snapshotWanted(peer: Peer, to: PeerId): void;
  /** Null, or where the log must go on from for those who get a snapshot. */
  heldIndex(peer: Peer): LogIndex | null;
  /** `intent` replaces the peer's records; it hears of `installed`. */
  install(peer: Peer, intent: SnapshotIntent): void;
  /** What came in was used, or is of no use. */
  snapshotSettled(peer: Peer, name: string): void;
  /** What the disk refuses in `run`, or has damaged, fails the store. */
  guard(run: () => void): void;
  /** The disk refused: nothing is done or said any more. */
  fail(error: Error): void;
}
