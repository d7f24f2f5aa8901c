import { type PeerId, type Term, nobody } from "../entry.ts";
import type { SoftState } from "../ready.ts";

/** What a peer knows of its region's leadership, its own above all. */
export class PeerOffice {
  #soft: SoftState = { role: "follower", leader: nobody, transferee: nobody };
  /** Of the office that the soft state speaks of. */
  #term: Term = 0;
  #leadingTerm: Term = 0;
  /** Ticks since this peer left office with proposals under way. */
  #idleTicks = 0;

  /** 0: it does not lead, or has not applied everything of earlier terms yet. */
  get leadingTerm(): Term {
    return this.#leadingTerm;
  }

  get leader(): PeerId {
    return this.#soft.leader;
  }

  get isLeader(): boolean {
    return this.#soft.role === "leader";
  }

  /** True: it led, with everything applied, and does no more. `term` is the machine's. */
  changed(soft: SoftState, term: Term): boolean {
    this.#soft = soft;
    if (soft.role === "leader") {
      this.#term = term;
      return false;
    }
    if (this.#leadingTerm === 0) return false;
    this.#leadingTerm = 0;
    this.#idleTicks = 0;
    return true;
  }

  /** An entry of `term` is applied. True: it is the first of this peer's own office. */
  enters(term: Term): boolean {
    if (!this.isLeader || this.#leadingTerm !== 0 || term !== this.#term) return false;
    this.#leadingTerm = term;
    return true;
  }

  /** A tick without office. True: whoever waits since then has waited for `ticks`. */
  waitedFor(ticks: number): boolean {
    this.#idleTicks++;
    if (this.#idleTicks < ticks) return false;
    this.#idleTicks = 0;
    return true;
  }

  end(): void {
    this.#leadingTerm = 0;
  }
}
