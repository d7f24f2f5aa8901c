// HOT: every proposal passes here twice.
import type { LogIndex, Term } from "../entry.ts";
import type { ProposalEnd } from "./region-machine.ts";

interface Placed {
  readonly index: LogIndex;
  readonly term: Term;
  /** What the machine calls it. */
  readonly proposal: number;
}

/** Tells that a proposal is not what was applied. */
type Drop = (proposal: number, why: ProposalEnd) => void;

/**
 * What this peer proposed, by the place that it got in the log: an entry is the proposal only where index and term are
 * those. Ids in an entry would say nothing, for another store counts too.
 */
export class Proposals {
  /** Ascending by index; terms do not fall. */
  readonly #placed: Placed[] = [];
  #first = 0;

  get count(): number {
    return this.#placed.length - this.#first;
  }

  placed(index: LogIndex, term: Term, proposal: number, drop: Drop): void {
    // What stood there is gone from this log; others may still have it, and commit it when this term fails.
    while (this.count > 0 && (this.#placed[this.#placed.length - 1] as Placed).index >= index) {
      drop((this.#placed.pop() as Placed).proposal, "unknown");
    }
    this.#placed.push({ index, term, proposal });
  }

  /** An entry is applied: the proposal that it is; 0: none of ours. Ends those that can not be any more. */
  take(index: LogIndex, term: Term, drop: Drop): number {
    let proposal = 0;
    while (this.count > 0) {
      const next = this.#placed[this.#first] as Placed;
      // Terms grow along a log: behind an entry of a later term there is none of an earlier one.
      if (next.index > index && next.term >= term) break;
      this.#shift();
      if (next.index === index && next.term === term) proposal = next.proposal;
      else drop(next.proposal, "not-leader");
      if (next.index === index && next.term === term) break;
    }
    return proposal;
  }

  /** Whatever is left may have been applied, or may be, by others. */
  giveUp(drop: Drop): void {
    while (this.count > 0) {
      const next = this.#placed[this.#first] as Placed;
      this.#shift();
      drop(next.proposal, "unknown");
    }
  }

  #shift(): void {
    this.#first++;
    if (this.#first < this.#placed.length && this.#first < 1_024) return;
    this.#placed.splice(0, this.#first);
    this.#first = 0;
  }
}
