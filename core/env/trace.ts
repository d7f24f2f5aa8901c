/** Diagnostics that a person or the simulator's report reads. Never influences what the program does. */
export interface Trace {
  /** False: nobody listens, and callers skip building `fields`. */
  readonly enabled: boolean;
  /** `event` is `room/what`, e.g. "wal/rotated". No times, no stacks, no bytes of users. */
  emit(event: string, fields: TraceFields): void;
}

export type TraceFields = Readonly<Record<string, string | number | boolean>>;
