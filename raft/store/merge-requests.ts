import { compareKeys } from "../../core/bytes/record.ts";
import { epochEquals } from "../epoch.ts";
import type { RegionMeta } from "../region.ts";
import { prepareMergeEntry } from "./admin-entry.ts";
import { mergeProblem } from "./merge-rules.ts";
import type { Peer } from "./peer.ts";
import type { ChangeDone, ChangeOutcome } from "./requests.ts";
import type { StoreOptions } from "./store-options.ts";

interface Waiting {
  /** As the freeze left it. */
  readonly source: RegionMeta;
  readonly targetId: number;
  readonly done: ChangeDone;
  ticksLeft: number;
}

/** Merges that this store was asked for, from the freeze to what became of them. */
export class MergeRequests {
  readonly #options: StoreOptions;
  readonly #find: (regionId: number) => Peer | null;
  #waiting: Waiting[] = [];

  constructor(options: StoreOptions, find: (regionId: number) => Peer | null) {
    this.#options = options;
    this.#find = find;
  }

  /** Why `peer`'s region is not merged into the other one now; null: it is frozen, and `done` tells of the end. */
  begin(peer: Peer, targetId: number, done: ChangeDone): string | null {
    const target = this.#find(targetId);
    const problem = this.problem(peer, targetId);
    if (target === null || problem !== null) return problem;
    peer.intake.command(prepareMergeEntry(peer.region, target.region), (outcome) => {
      if (outcome.kind !== "done") return done(outcome);
      // Whoever waits for longer than the freeze may last waits for something that is not known here.
      const ticksLeft = 2 * this.#options.mergePatienceTicks;
      this.#waiting.push({ source: outcome.region, targetId, done, ticksLeft });
    });
    return null;
  }

  /** Why it would have to be taken back, or could not begin at all; null: nothing is known that speaks against it. */
  problem(peer: Peer, targetId: number): string | null {
    const target = this.#find(targetId);
    if (peer.isMerging) return `region ${peer.regionId} is being merged already`;
    return target === null ? `region ${targetId} is not on this store` : problemOf(peer, target);
  }

  /** Somebody waits for ticks. */
  get busy(): boolean {
    return this.#waiting.length > 0;
  }

  tick(): void {
    if (this.#waiting.length === 0) return;
    const waiting: Waiting[] = [];
    for (const one of this.#waiting) {
      const outcome = this.#outcomeOf(one);
      if (outcome === null) waiting.push(one);
      else one.done(outcome);
    }
    this.#waiting = waiting;
  }

  close(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { done } of waiting) done({ kind: "unknown", reason: "the store was closed" });
  }

  /** Null: nothing is known yet. */
  #outcomeOf(waiting: Waiting): ChangeOutcome | null {
    const { source, targetId } = waiting;
    const target = this.#find(targetId)?.region ?? null;
    if (target !== null && compareKeys(target.start, source.end) < 0) {
      return { kind: "done", region: target, children: [] };
    }
    const own = this.#find(source.id);
    if (own !== null && own.merge === null && !epochEquals(own.epoch, source.epoch)) {
      return { kind: "refused", reason: "the freeze was taken back: not all replicas, or another target, in time" };
    }
    waiting.ticksLeft--;
    return waiting.ticksLeft > 0 ? null : { kind: "unknown", reason: "nothing was heard of its end in time" };
  }
}

/** Why a freeze would have to be taken back, or could not be proposed at all. */
function problemOf(peer: Peer, target: Peer): string | null {
  if (target.merge !== null) return `region ${target.regionId} is being merged itself`;
  const problem = mergeProblem(peer.region, target.region);
  if (problem !== null) return problem;
  const { peers, quiesced, absent } = peer.status();
  const behind = peers.find(({ id, state, recentlyActive }) => {
    // Who sleeps with its leader has all of it, and is not asked.
    const isBehind = quiesced ? absent.includes(id) : state !== "replicate" || !recentlyActive;
    return id !== peer.peerId && isBehind;
  });
  return behind === undefined ? null : `peer ${behind.id} of region ${peer.regionId} is away or behind`;
}
