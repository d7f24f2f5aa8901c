import { epochCovers, epochEquals } from "../epoch.ts";
import type { RegionMeta } from "../region.ts";
import { type Fate, type MergeMove, fateOf, moveOf } from "./merge-rules.ts";
import type { MergeAnswer } from "./merge-messages.ts";
import type { MergeState } from "./merge-state.ts";

/** What one replica of a frozen source has heard, in this life, about its freeze. */
export class MergeWatch {
  readonly merge: MergeState;
  readonly #frozen = new Set<number>();
  /** The newest that was heard of the target. */
  #target: RegionMeta;
  #ticks = 0;

  constructor(merge: MergeState) {
    this.merge = merge;
    this.#target = merge.target;
  }

  get ticks(): number {
    return this.#ticks;
  }

  tick(): void {
    this.#ticks++;
  }

  froze(peerId: number): void {
    this.#frozen.add(peerId);
  }

  saw(target: RegionMeta): void {
    if (target.id !== this.merge.target.id || epochEquals(target.epoch, this.#target.epoch)) return;
    if (epochCovers(target.epoch, this.#target.epoch)) this.#target = target;
  }

  heard({ freezeIndex, frozenPeer, target }: MergeAnswer): void {
    if (freezeIndex !== this.merge.freezeIndex) return;
    if (frozenPeer > 0) this.froze(frozenPeer);
    if (target !== null) this.saw(target);
  }

  fate(source: RegionMeta): Fate {
    return fateOf(source, this.merge, this.#target);
  }

  /** What the source's leader does now; it waits for `patience` ticks until it gives up. */
  move(source: RegionMeta, patience: number): MergeMove {
    const isLate = this.#ticks >= patience;
    return moveOf(source, { frozen: this.#frozen, fate: this.fate(source), isLate });
  }
}
