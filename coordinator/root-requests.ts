import type { LogIndex } from "../raft/entry.ts";
import type { Ready } from "../raft/ready.ts";
import { Proposals } from "../raft/store/proposals.ts";
import { Reads } from "../raft/store/reads.ts";
import type { Assessment } from "./assess.ts";
import { CoordinatorError } from "./coordinator-error.ts";
import type { Proposed, RootToken } from "./journal.ts";

type ProposeDone = (proposed: Proposed) => void;
type ConfirmDone = (error: CoordinatorError | null) => void;

/** Under a token of the machine's. */
type Pending =
  | { readonly kind: "event"; readonly done: ProposeDone }
  | { readonly kind: "confirm"; readonly done: ConfirmDone };

/** Who waits at one member for an event to be decided, or to hear that nobody else decides. Each is answered once. */
export class RootRequests {
  readonly #elsewhere: () => CoordinatorError;
  readonly #pending = new Map<number, Pending>();
  /** What stands in the log, by the number under which `#placed` knows it. */
  readonly #events = new Map<number, ProposeDone>();
  readonly #placed = new Proposals();
  readonly #reads = new Reads();
  #lastToken = 0;
  readonly #drop = (event: number): void => this.#endEvent(event, { error: this.#elsewhere() });
  readonly #forsake = (event: number): void => this.#endEvent(event, { error: undetermined() });

  /** `elsewhere`: somebody else decides, as far as is known now. */
  constructor(elsewhere: () => CoordinatorError) {
    this.#elsewhere = elsewhere;
  }

  get count(): number {
    return this.#pending.size + this.#events.size + this.#reads.count;
  }

  event(done: ProposeDone): number {
    const token = ++this.#lastToken;
    this.#pending.set(token, { kind: "event", done });
    return token;
  }

  confirm(done: ConfirmDone): number {
    const token = ++this.#lastToken;
    this.#pending.set(token, { kind: "confirm", done });
    return token;
  }

  /** What the machine says of its tokens, at `applied`. */
  settle({ proposed, dropped, reads }: Ready, applied: LogIndex): void {
    for (const { token, index, term } of proposed) {
      const pending = this.#take(token);
      if (pending?.kind !== "event") continue;
      this.#events.set(token, pending.done);
      // What stood there is gone from this log; others may still have it, and commit it when this term fails.
      this.#placed.placed(index, term, token, this.#forsake);
    }
    for (const { token, why } of dropped) {
      const error = why === "uncommittedFull" ? busy() : this.#elsewhere();
      const pending = this.#take(token);
      if (pending?.kind === "event") pending.done({ error });
      else pending?.done(error);
    }
    for (const { token, index } of reads) {
      const pending = this.#take(token);
      if (pending?.kind !== "confirm") continue;
      const { done } = pending;
      if (applied >= index) done(null);
      else this.#reads.wait(index, (ok) => done(ok ? null : this.#elsewhere()));
    }
  }

  /** The entry at that place is applied, and did that. */
  applied(token: RootToken, assessment: Assessment | null): void {
    const event = this.#placed.take(token.index, token.term, this.#drop);
    if (event > 0 && assessment !== null) this.#endEvent(event, { error: null, assessment, token });
  }

  /** Everything up to `index` is applied. */
  caughtUp(index: LogIndex): void {
    this.#reads.applied(index);
  }

  /** This member decides no more: what it proposed may still be kept, or may not. */
  stepDown(): void {
    this.#placed.giveUp(this.#forsake);
    this.#reads.refuse();
  }

  /** Whoever still waits is told that it is over. */
  close(error: CoordinatorError): void {
    this.stepDown();
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const pending of waiting) {
      if (pending.kind === "confirm") pending.done(error);
      // It was given to the machine: what becomes of it is not known here.
      else pending.done({ error: undetermined() });
    }
  }

  #endEvent(event: number, proposed: Proposed): void {
    const done = this.#events.get(event);
    this.#events.delete(event);
    done?.(proposed);
  }

  #take(token: number): Pending | null {
    const pending = this.#pending.get(token) ?? null;
    this.#pending.delete(token);
    return pending;
  }
}

function undetermined(): CoordinatorError {
  const message = "this member does not lead any more: the event may or may not be kept";
  return new CoordinatorError("ROOT_UNDETERMINED", message);
}

function busy(): CoordinatorError {
  return new CoordinatorError("BUSY", "too many events are proposed and not decided");
}
