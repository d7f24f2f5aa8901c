import { type Disk, DiskError } from "../env/disk.ts";
import type { Job, JobMachine, JobResult, JobState } from "../env/jobs.ts";

/**
 * Files that nobody names any more. A job, because giving the blocks and cached pages of a large file back takes the
 * system some 10 ms, for which the thread that serves reads would stand still.
 */
export interface RemoveJob extends Job {
  readonly kind: "remove";
  readonly paths: readonly string[];
}

export interface RemoveResult extends JobResult {
  readonly kind: "remove";
  /** Files that are still there: the next opening removes them. */
  readonly failures: number;
}

/** One file per step. Never fails for what the disk refuses. */
export class RemoveMachine implements JobMachine {
  readonly #disk: Disk;
  readonly #paths: readonly string[];
  #at = 0;
  #failures = 0;
  result: RemoveResult | null = null;

  constructor(disk: Disk, job: RemoveJob) {
    this.#disk = disk;
    this.#paths = job.paths;
  }

  step(): JobState {
    const path = this.#paths[this.#at];
    if (path !== undefined) this.#remove(path);
    this.#at++;
    if (this.#at < this.#paths.length) return "more";
    this.result = { kind: "remove", failures: this.#failures };
    return "done";
  }

  #remove(path: string): void {
    try {
      this.#disk.remove(path);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#failures++;
    }
  }
}
