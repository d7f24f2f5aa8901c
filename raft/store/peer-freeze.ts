import type { AdminRun } from "./applier.ts";
import type { MergeState } from "./merge-state.ts";
import type { PeerContext } from "./peer-context.ts";

/** Whether a peer's region is frozen, and whether this store may forget it. */
export class PeerFreeze {
  readonly #context: PeerContext;
  #merge: MergeState | null;
  #isDurable: boolean;

  /** `merge` as the engine had it when the store was opened. */
  constructor(context: PeerContext, merge: MergeState | null) {
    this.#context = context;
    this.#merge = merge;
    this.#isDurable = merge !== null;
  }

  get merge(): MergeState | null {
    return this.#merge;
  }

  /** No crash takes it back: the target's entry will find it here. */
  get isDurable(): boolean {
    return this.#merge !== null && this.#isDurable;
  }

  /** A command to the region is in the engine under `ticket`. */
  applied({ merge }: AdminRun, ticket: number): void {
    if (merge === this.#merge) return;
    this.#merge = merge;
    this.#isDurable = false;
    if (merge === null) return;
    this.#context.engine.whenDurable(ticket, (error) => {
      if (error !== null) this.#context.fail(error);
      else if (this.#merge === merge) this.#isDurable = true;
    });
  }

  /** A snapshot took the place of all of it, and a frozen region sends none. */
  thaw(): void {
    this.#merge = null;
  }
}
