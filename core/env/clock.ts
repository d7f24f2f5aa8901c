/**
 * Time, as one node sees it. Monotonic and wall time are unrelated: durations come from the first, dates
 * from the second, and neither is ever computed from the other.
 *
 * Callbacks run on the node's own turn, never inside the call that registered them, and are lost with the
 * incarnation. Two timers due at the same instant run in an unspecified order.
 */
export interface Clock {
  /** Microseconds since an arbitrary origin, a safe integer. Never goes back; may stand still. */
  monotonicUs(): number;
  /** Milliseconds since 1970-01-01 UTC as this node believes. May jump either way, drift or freeze. */
  wallMs(): number;
  /** How far `wallMs` may be from true time, in milliseconds, when the machine is healthy. */
  wallUncertaintyMs(): number;
  /** Runs `run` once, no earlier than `delayUs` from now; often later. */
  after(delayUs: number, run: () => void): Timer;
  /**
   * Runs `run` after the current turn and before any timer that is not yet due. Work of one turn gathers
   * behind it; it must not starve I/O when used again and again.
   */
  soon(run: () => void): void;
}

export interface Timer {
  /** The callback will not run. Harmless when it already ran. */
  cancel(): void;
}
