import type { Mutation, Outcome } from "../../core/kv/kv.ts";
import { keysOf } from "../percolator/atomic.ts";
import { LockResolver } from "./lock-resolver.ts";
import type { RegionCalls } from "./region-calls.ts";

export type AtomicOutcome =
  | { readonly kind: "decided"; readonly commitTs: number; readonly outcome: Outcome }
  /** Its keys lie in more than one region: it takes a transaction. It did not happen. */
  | { readonly kind: "spread" }
  /** It did not happen and will not. */
  | { readonly kind: "unavailable" }
  /** It may have happened, or may yet. */
  | { readonly kind: "undetermined" };

/** Asks a region to decide and write at one instant, as often as it takes, under one opId. */
export class AtomicMachine {
  readonly #calls: RegionCalls;
  readonly #resolver: LockResolver;
  readonly #mutation: Mutation;
  readonly #valueBytesMax: number;
  #sent = false;
  /** Before the last command was made. */
  #sentBefore = false;

  constructor(calls: RegionCalls, mutation: Mutation, valueBytesMax: number) {
    this.#calls = calls;
    this.#resolver = new LockResolver(calls);
    this.#mutation = mutation;
    this.#valueBytesMax = valueBytesMax;
  }

  /** `begun` is told the opId before anything is asked under it. */
  run(then: (outcome: AtomicOutcome) => void, begun: (opId: number) => void = () => {}): void {
    this.#calls.operationId((opId) => {
      if (opId === null) return then({ kind: "unavailable" });
      begun(opId);
      this.#ask(opId, then);
    });
  }

  #ask(opId: number, then: (outcome: AtomicOutcome) => void): void {
    const mutation = this.#mutation;
    let outcome: AtomicOutcome | null = null;
    this.#calls.run(
      keysOf(mutation).map((key) => ({ key })),
      {
        command: () => {
          this.#sentBefore = this.#sent;
          this.#sent = true;
          return { kind: "atomic", opId, commitTs: 0, mutation, valueBytesMax: this.#valueBytesMax };
        },
        reply: (response, turn) => {
          if (response.kind === "decided") {
            outcome = response;
            return turn.done();
          }
          const refusal = response.kind === "refused" ? response.refusals[0] : undefined;
          if (refusal?.kind === "locked") {
            return this.#resolver.resolve(refusal.lock, 0, (resolution) => {
              if (resolution === "failed") turn.fail();
              else turn.again(turn.items, "lock");
            });
          }
          if (refusal?.kind === "retry") return turn.again(turn.items, "busy");
          if (refusal?.kind === "too-old" || refusal?.kind === "rolled-back") outcome = { kind: "unavailable" };
          turn.fail();
        },
        notDone: () => void (this.#sent = this.#sentBefore),
        // What was sent before may have been executed, while it still was one region.
        whole: { fits: () => true, spread: () => then(this.#sent ? { kind: "undetermined" } : { kind: "spread" }) },
      },
      () => then(outcome ?? (this.#sent ? { kind: "undetermined" } : { kind: "unavailable" })),
    );
  }
}
