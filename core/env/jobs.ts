import type { Disk, DiskError } from "./disk.ts";

/**
 * Background work: a pure function from a job to a result, over a disk. Production runs it on a worker
 * thread, the simulator as slices of virtual time between other events. It shares nothing with its caller but
 * files and `shared` memory that the caller promises not to change.
 */
export interface Jobs {
  /** Zero-filled memory that a job may read without a copy. */
  shared(sizeBytes: number): Uint8Array<ArrayBufferLike>;
  /** Runs `job` to its end; `done` is called exactly once, never inside this call, never after a crash. */
  run(job: Job, done: JobDone): void;
  /** The caller stands still for up to `us`, so that jobs get on. None ends meanwhile, as far as the caller hears. */
  giveWay(us: number): void;
  /**
   * The caller stands still until a job has ended, for up to `us`; `done` of that job is called inside this call.
   * False: none ended, at once where none is under way.
   */
  standBy(us: number): boolean;
}

/** Only what structured cloning carries: numbers, strings, typed arrays, arrays and plain objects. */
export interface Job {
  readonly kind: string;
}

/** Plain data as well. */
export interface JobResult {
  readonly kind: string;
}

export type JobDone = (error: JobError | null, result: JobResult | null) => void;

/** `DiskError`, a corruption found in the input, or a defect. */
export type JobError = DiskError | Error;

/** A job under way: `step` until "done". Throws what goes wrong; then it must not be stepped again. */
export interface JobMachine {
  /**
   * Works through about `budgetBytes` of input. "more": step again; "waiting": a sync is in flight, `wake` will
   * be called, then step again; "done": `result` is set.
   */
  step(budgetBytes: number): JobState;
  readonly result: JobResult | null;
}

export type JobState = "more" | "waiting" | "done";

/** How a job becomes a machine. One function for every kind, given to each implementation of `Jobs`. */
export type JobStarter = (disk: Disk, job: Job, wake: () => void) => JobMachine;
