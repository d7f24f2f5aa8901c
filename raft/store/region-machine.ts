import type { VersionedBatch } from "../../core/engine/versioned-batch.ts";
import type { VersionedStore } from "../../core/engine/versioned-store.ts";
import type { Clock } from "../../core/env/clock.ts";
import type { LogIndex, Term } from "../entry.ts";
import type { RegionMeta } from "../region.ts";
import type { HistoryHash } from "./history-hash.ts";

/** A committed entry of the machine's own, in the order of the log. */
export interface CommittedEntry {
  readonly index: LogIndex;
  readonly term: Term;
  readonly data: Uint8Array;
  /** What this peer gave to `propose`, if the entry is that very proposal; 0: of another leader or an earlier life. */
  readonly proposal: number;
  /** The region's range has changed between propose and apply: it does nothing, on every replica alike. */
  readonly stale: boolean;
}

/**
 * Why a proposal ends without being applied. "unknown": leadership or the process's patience ended while the entry
 * was in the log; it may still be applied, later and elsewhere.
 */
export type ProposalEnd = "not-leader" | "busy" | "unknown";

/** What a region's machine may ask of the peer that hosts it. Answers never come inside the call. */
export interface RegionHost {
  readonly store: VersionedStore;
  readonly clock: Clock;
  /** As applied here. */
  readonly region: RegionMeta;
  /** 0: this peer does not lead. */
  readonly leadingTerm: Term;
  /** Store of the leader as far as known; 0: nobody knows. */
  readonly leaderStore: number;
  /** One entry. `proposal` is at least 1 and comes back once: with the entry as applied, or by `dropped`. */
  propose(proposal: number, data: Uint8Array): void;
  /**
   * Runs `run`, which reads the store outside of the host's calls. What the disk refuses in it, or has damaged, ends
   * this store, as it does within them: nothing of `run` is answered by half.
   */
  guard(run: () => void): void;
  /** `done(true)`: what is applied now holds all that was acknowledged before this call; `false`: ask another peer. */
  readIndex(done: (ok: boolean) => void): void;
}

/**
 * What a region's log is applied to: one per peer, made anew at every start of the store and after every snapshot.
 * Everything it knows beyond the engine's records it builds from them: those of the region's range in all replicated
 * families, and the one of `machineStateKey`, which goes with the region into snapshots and to children.
 */
export interface RegionMachine {
  /**
   * Puts what the entries do into `batch`, in order, each seeing what those before it did; nothing is in the engine
   * yet. Deterministic: `hash` takes each effect in a form that is the same on all replicas.
   */
  apply(entries: readonly CommittedEntry[], batch: VersionedBatch, hash: HistoryHash): void;
  /**
   * The region is about to be divided, and `children` begin on this store: what each of them has to know beyond the
   * records of its range (`machineStateKey`) goes into `batch`. The same on all replicas; a machine of each follows.
   */
  split(children: readonly RegionMeta[], batch: VersionedBatch): void;
  /**
   * The region is about to take `source`, whose records are in the engine and complete: what it has to know beyond them
   * goes into `batch`. The same on all replicas; the machine of `source` ends, and `regionChanged` follows.
   */
  merge(source: RegionMeta, batch: VersionedBatch): void;
  /** The batch of the last `apply` is in the engine, with the applied index: answers may go out. */
  applied(): void;
  /** The proposal was not applied by this peer and will not be. */
  dropped(proposal: number, why: ProposalEnd): void;
  /** This peer leads from now on, and has applied everything of earlier terms. */
  lead(term: Term): void;
  /** It does no more. Proposals under way end by `applied` or `dropped`. */
  stepDown(): void;
  /** `RegionHost.region` is another one: other peers, another range, or a version of its own. */
  regionChanged(): void;
  /** The peer goes away: nothing is to be asked of the host any more, and everybody who waits is to be told. */
  close(): void;
}

/** Makes the machine of a peer whose applied state is in the engine. */
export type RegionMachineMaker = (host: RegionHost) => RegionMachine;
