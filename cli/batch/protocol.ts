import type { SeedReport } from "./run-seed.ts";

/** Parent to worker: run this seed. Plain JSON. */
export interface WorkerOrder {
  readonly seed: number;
  /** Null: the seed picks. */
  readonly scenario: string | null;
  readonly twice: boolean;
}

/** Parent to worker: nothing more will come. */
export const quit = "quit";

/** Worker to parent, once: its modules are loaded, and time counts from here. */
export const ready = "ready";

/** Worker to parent: a seed is done. Sent in the order in which the seeds were ordered. */
export interface WorkerReply {
  readonly report: SeedReport;
  /** Processor time of the worker since it started, user and system, in milliseconds. */
  readonly cpuMs: number;
}
