import type { Env } from "../../core/env/env.ts";
import type { Job, JobDone, JobMachine, Jobs } from "../../core/env/jobs.ts";
import { startJob } from "../../core/lsm/job-starter.ts";
import { openHostEnv } from "../../host/env.ts";
import type { ImageDisk } from "./image-disk.ts";

const stepBytes = 1_048_576;

/** Background work on this thread, to its end in one turn: nothing here waits for a real device. */
class InlineJobs implements Jobs {
  readonly #disk: ImageDisk;
  readonly #isHeld: () => boolean;

  constructor(disk: ImageDisk, isHeld: () => boolean) {
    this.#disk = disk;
    this.#isHeld = isHeld;
  }

  shared(sizeBytes: number): Uint8Array {
    return new Uint8Array(sizeBytes);
  }

  run(job: Job, done: JobDone): void {
    // A job that is held never begins, as when the process dies before.
    if (!this.#isHeld()) setImmediate(() => this.#begin(job, done));
  }

  /** Nothing runs beside this thread. */
  giveWay(): void {}

  standBy(): boolean {
    return false;
  }

  #begin(job: Job, done: JobDone): void {
    let machine: JobMachine | null = null;
    const step = (): void => {
      if (machine === null) return;
      const running = machine;
      try {
        let state = running.step(stepBytes);
        while (state === "more") state = running.step(stepBytes);
        if (state === "waiting") return;
      } catch (error) {
        machine = null;
        done(error instanceof Error ? error : new Error(String(error)), null);
        return;
      }
      machine = null;
      done(null, running.result);
    };
    try {
      machine = startJob(this.#disk, job, step);
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)), null);
      return;
    }
    step();
  }
}

/** The real clock and randomness over a disk in memory. While `isHeld` says so, no background work begins. */
export function imageEnv(disk: ImageDisk, isHeld: () => boolean = () => false): Env {
  return { ...openHostEnv({ failpoints: null }), disk, jobs: new InlineJobs(disk, isHeld) };
}
