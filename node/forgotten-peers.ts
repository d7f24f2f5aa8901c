import type { Clock } from "../core/env/clock.ts";
import type { CoordinatorClient } from "../coordinator/service/client.ts";
import type { RegionMeta } from "../raft/region.ts";
import type { PeerView } from "../raft/store/peer-view.ts";
import { Rounds } from "./rounds.ts";

/** The part of a store whose replicas may have been forgotten. */
export interface ForgettableStore {
  readonly options: { readonly tickUs: number };
  regions(): readonly Pick<PeerView, "peerId" | "region" | "leadingTerm" | "silentTicks" | "status">[];
  /** Buries the peer where `region` is newer than what it knows, and has no place for it. */
  gone(peerId: number, region: RegionMeta): void;
}

export interface ForgottenParts {
  readonly clock: Clock;
  readonly client: Pick<CoordinatorClient, "descriptor">;
  readonly store: ForgettableStore;
  /** Of silence, before it is asked; and between two questions. */
  readonly afterMs: number;
}

/** Questions on their way at most: others are asked the next time. */
const askedMax = 16;

/**
 * Replicas that hear of nobody. Whoever was removed while it was away is told by those to whom it writes, or whom it
 * asks; but the stores of all its old companions may be lost. So the Coordinator is asked what the region is like now.
 * Its word counts only if it is newer than what the replica knows: an older one may be of before its addition.
 */
export class ForgottenPeers {
  readonly #parts: ForgottenParts;
  /** By region: when it was asked for. */
  readonly #askedUs = new Map<number, number>();
  readonly #rounds: Rounds;
  #asking = 0;

  constructor(parts: ForgottenParts) {
    this.#parts = parts;
    this.#rounds = new Rounds(parts.clock, Math.ceil((parts.afterMs * 1_000) / 4), () => this.#round());
  }

  start(): void {
    this.#round();
    this.#rounds.start();
  }

  stop(): void {
    this.#rounds.stop();
  }

  #round(): void {
    const { clock, store, afterMs } = this.#parts;
    const nowUs = clock.monotonicUs();
    const silent = new Set<number>();
    for (const peer of store.regions()) {
      const { peerId, region, leadingTerm, silentTicks } = peer;
      if (leadingTerm > 0 || silentTicks * store.options.tickUs < afterMs * 1_000) continue;
      // Asleep, silence is agreed upon.
      if (peer.status().quiesced) continue;
      silent.add(region.id);
      const askedUs = this.#askedUs.get(region.id);
      if (this.#asking >= askedMax || (askedUs !== undefined && nowUs - askedUs < afterMs * 1_000)) continue;
      this.#askedUs.set(region.id, nowUs);
      this.#ask(region.id, peerId);
    }
    for (const id of this.#askedUs.keys()) if (!silent.has(id)) this.#askedUs.delete(id);
  }

  #ask(regionId: number, peerId: number): void {
    const { client, store } = this.#parts;
    this.#asking++;
    client.descriptor(regionId, (_, answer) => {
      this.#asking--;
      const region = answer?.region ?? null;
      if (!this.#rounds.stopped && region !== null) store.gone(peerId, region);
    });
  }
}
