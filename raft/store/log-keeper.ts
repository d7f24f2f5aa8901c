import type { LogIndex, Term } from "../entry.ts";
import type { AppliedRun } from "./applier.ts";
import type { Peer } from "./peer.ts";
import type { PeerContext } from "./peer-context.ts";

/** For a snapshot on its way the log may be so many times as long as otherwise. */
const heldTimes = 16;

interface Mark {
  readonly index: LogIndex;
  readonly term: Term;
}

/**
 * Cuts the log of a peer from the front. What the engine may lose in a crash comes back from the log alone, so the log
 * goes only up to what the engine has confirmed to be durable (R5), and followers that are heard of keep what they need
 * while it is not too much.
 */
export class LogKeeper {
  readonly #context: PeerContext;
  readonly #peer: Peer;
  /** Of what is applied in this life; a sync of it has not been asked for. */
  #newest: (Mark & { readonly ticket: number }) | null = null;
  #durable: Mark | null = null;
  #asking = false;
  #cutting = false;

  constructor(context: PeerContext, peer: Peer) {
    this.#context = context;
    this.#peer = peer;
  }

  /** The engine has so much for certain. */
  get durableIndex(): LogIndex {
    return this.#durable?.index ?? 0;
  }

  applied(run: AppliedRun): void {
    this.#newest = run;
  }

  /** The log is short enough. */
  get rests(): boolean {
    const group = this.#context.log.group(this.#peer.regionId);
    const newest = this.#newest;
    // A frozen region sends no snapshots: who is behind needs the log.
    if (group === null || newest === null || this.#peer.merge !== null) return true;
    const { logKeepEntries } = this.#context.options;
    // Not for every entry: a cut is worth a sync of the engine.
    return newest.index - group.start.index <= logKeepEntries + Math.max(1, logKeepEntries >> 1);
  }

  tick(): void {
    const newest = this.#newest;
    if (newest === null || this.#cutting || this.rests || this.#peer.installing !== null) return;
    if (newest.index > this.durableIndex) this.#ask(newest);
    this.#cut(this.#context.log.group(this.#peer.regionId)?.start.index ?? 0);
  }

  #ask(newest: Mark & { readonly ticket: number }): void {
    if (this.#asking) return;
    this.#asking = true;
    this.#context.engine.whenDurable(newest.ticket, (error) => {
      this.#asking = false;
      if (error !== null) this.#context.fail(error);
      else this.#durable = newest;
    });
  }

  #cut(base: LogIndex): void {
    const index = Math.min(this.durableIndex, this.#floor());
    // A snapshot that is on its way to the log has moved the machine's base already.
    if (index <= Math.max(base, this.#peer.status().base)) return;
    const { log, stats } = this.#context;
    const { raft, regionId, peerId } = this.#peer;
    const term = raft.termAt(index);
    this.#cutting = true;
    stats.compactions++;
    log.submit([{ op: "compact", group: regionId, start: { index, term } }], false, () => {
      this.#cutting = false;
      if (this.#peer.closed) return;
      raft.step({ kind: "compacted", index });
      this.#context.watch?.compacted(regionId, peerId, index);
    });
  }

  /** What nobody needs whom it is worth to wait for. */
  #floor(): LogIndex {
    const { logKeepEntries, logEntriesMax } = this.#context.options;
    const { applied, last, peers } = this.#peer.status();
    let floor = applied - logKeepEntries;
    for (const { match, state, pendingSnapshot, recentlyActive } of peers) {
      // What it has when its snapshot is there; the log must go on from there.
      if (state === "snapshot") floor = Math.min(floor, pendingSnapshot);
      else if (recentlyActive) floor = Math.min(floor, match);
    }
    floor = Math.max(floor, Math.min(applied, last - logEntriesMax));
    const held = this.#context.heldIndex(this.#peer);
    // A snapshot that the log does not go on from is of no use, and the next one would take as long.
    return held === null ? floor : Math.min(floor, Math.max(held, last - heldTimes * logEntriesMax));
  }
}
