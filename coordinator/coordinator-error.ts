/**
 * What the Coordinator refuses. The code is stable and meant for programs.
 *
 * - `TSO_UNAVAILABLE`: no timestamp can be given now. Nothing was given; try again until your deadline.
 * - `CLOCK_AHEAD`: the Coordinator's wall clock is implausibly far ahead of the cluster's timestamps, so that none is
 *   given until the clock is right or an operator says that it is.
 * - `ID_UNAVAILABLE`: the same for ids.
 * - `ROUTE_UNAVAILABLE`: no route of the freshness asked for can be given now.
 * - `ROOT_UNAVAILABLE`: the journal takes nothing now. Nothing happened.
 * - `ROOT_UNDETERMINED`: the event may or may not be kept. Publishing it again is safe.
 * - `BOOTSTRAP_REQUIRED`: the cluster has no regions yet.
 * - `STALE_HEARTBEAT`: a newer descriptor, or a newer leader, is known.
 * - `EPOCH_MISMATCH`: the cluster's epoch is not the one that the caller read.
 * - `TRANSITION_REFUSED`: the event contradicts what is known; the assessment says how.
 * - `UNKNOWN_STORE`: the store has not joined, or has left.
 * - `BUSY`: a bound was reached. Nothing happened; try again.
 * - `INVALID`: the request makes no sense.
 * - `NOT_LEADER`: this member of a group does not decide. Nothing happened; `leader` says who does, if it is known.
 * - `STOPPED`: the Coordinator is shutting down. Nothing happened.
 */
export type CoordinatorErrorCode =
  | "TSO_UNAVAILABLE"
  | "CLOCK_AHEAD"
  | "ID_UNAVAILABLE"
  | "ROUTE_UNAVAILABLE"
  | "ROOT_UNAVAILABLE"
  | "ROOT_UNDETERMINED"
  | "BOOTSTRAP_REQUIRED"
  | "STALE_HEARTBEAT"
  | "EPOCH_MISMATCH"
  | "TRANSITION_REFUSED"
  | "UNKNOWN_STORE"
  | "BUSY"
  | "INVALID"
  | "STOPPED"
  | "NOT_LEADER";

const final: readonly CoordinatorErrorCode[] = [
  "STALE_HEARTBEAT", "EPOCH_MISMATCH", "TRANSITION_REFUSED", "UNKNOWN_STORE", "INVALID",
];

/** An operating error: expected, handled by the caller, never an assertion. */
export class CoordinatorError extends Error {
  override readonly name = "CoordinatorError";
  readonly code: CoordinatorErrorCode;
  /** Of NOT_LEADER: where the member is reached that decides; 0: nobody knows. */
  readonly leader: number;

  constructor(code: CoordinatorErrorCode, message: string, leader = 0) {
    super(message);
    this.code = code;
    this.leader = leader;
  }

  /** The same request may succeed later. */
  get retriable(): boolean {
    return !final.includes(this.code);
  }
}
