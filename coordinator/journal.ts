import type { Assessment } from "./assess.ts";
import type { CoordinatorError } from "./coordinator-error.ts";
import type { RootEvent } from "./root-event.ts";
import type { CoordinatorState } from "./state.ts";

/**
 * A place in the history of the state. Compared by term first. A journal of one process has a new term with each
 * opening; in a Raft group it is the leader's.
 */
export interface RootToken {
  readonly term: number;
  readonly index: number;
}

export const noToken: RootToken = { term: 0, index: 0 };

export function compareTokens(a: RootToken, b: RootToken): number {
  return a.term === b.term ? a.index - b.index : a.term - b.term;
}

/** What became of a proposed event. The token is of a state that has everything the assessment rests on. */
export type Proposed =
  | { readonly error: CoordinatorError }
  | { readonly error: null; readonly assessment: Assessment; readonly token: RootToken };

/**
 * Where root events become durable, in one order, and the state that follows from those that are. No callback runs
 * inside the call that registered it, and none after a crash.
 */
export interface RootJournal {
  /** After every durable event, and nothing else. */
  readonly state: CoordinatorState;
  /** Of `state`. */
  readonly token: RootToken;
  /** Whether this member may decide, and how far its `state` is behind. */
  readonly status: RootStatus;
  /** `done` once the event is durable, or known to change nothing, or refused. In the order of the calls. */
  propose(event: RootEvent, done: (proposed: Proposed) => void): void;
  /**
   * `done(null)` once it is certain that at some moment after this call nobody else could decide. What was computed
   * before the call and is told after `done` is then as good as computed now; and what was decided by anybody before
   * the call is in `state`.
   */
  confirm(done: (error: CoordinatorError | null) => void): void;
  /** Tells from now on when this member begins to decide, and when it does no more; soon, if it does already. */
  watchOffice(watcher: OfficeWatcher): void;
}

/** Calls alternate, `lead` first. */
export interface OfficeWatcher {
  /** Everything that was decided before is in the journal's state. */
  lead(): void;
  /** Another member may decide already. */
  stepDown(): void;
}

export interface RootStatus {
  readonly role: "leader" | "follower" | "none";
  /** The newest place that this member has heard of. */
  readonly newest: RootToken;
  /** Events between `token` and `newest`. */
  readonly lag: number;
  /** A follower that cannot go on from what it has needs a snapshot first. */
  readonly bootstrapRequired: boolean;
  /** Where the member is reached that decides; 0: nobody knows, or there is no group. */
  readonly leader: number;
}
