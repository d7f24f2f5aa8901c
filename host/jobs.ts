import type { Job, JobDone, Jobs } from "../core/env/jobs.ts";
import { JobThread } from "./job-thread.ts";

/** Of everything but flushes: a third of the share of others, so that merges get on although the machine is busy. */
const patientNice = 5;

/** The main module of a worker: the source while developing, its compiled form in the package. */
const jobWorkerUrl: URL = sibling("job-worker");

export function sibling(name: string): URL {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return new URL(`./${name}.${extension}`, import.meta.url);
}

/**
 * Background work on worker threads: one for flushes, which writes wait for, and one of lower priority for all
 * that may take longer. So no flush stands behind a merge, and no merge takes processor time from reads and
 * writes. More threads would fight for the same disk.
 */
export class HostJobs implements Jobs {
  readonly #flushes: JobThread;
  readonly #others: JobThread;
  readonly #replyCount = new Int32Array(new SharedArrayBuffer(4));
  /** Nobody ever notifies it. */
  readonly #nothing = new Int32Array(new SharedArrayBuffer(4));

  constructor(url: URL = jobWorkerUrl) {
    const replyCount = this.#replyCount;
    this.#flushes = new JobThread(url, { nice: 0, replyCount });
    this.#others = new JobThread(url, { nice: patientNice, replyCount });
  }

  shared(sizeBytes: number): Uint8Array<ArrayBufferLike> {
    return new Uint8Array(new SharedArrayBuffer(sizeBytes));
  }

  run(job: Job, done: JobDone): void {
    const thread = job.kind === "flush" ? this.#flushes : this.#others;
    thread.run(job, done);
  }

  giveWay(us: number): void {
    Atomics.wait(this.#nothing, 0, 0, us / 1000);
  }

  standBy(us: number): boolean {
    // Before it is looked: an answer that comes in between ends the wait.
    const heard = Atomics.load(this.#replyCount, 0);
    if (this.#hear()) return true;
    if (!this.#flushes.busy && !this.#others.busy) return false;
    Atomics.wait(this.#replyCount, 0, heard, us / 1000);
    return this.#hear();
  }

  #hear(): boolean {
    return this.#flushes.hear() || this.#others.hear();
  }

  /** Ends the threads; what they were doing is never reported. */
  async close(): Promise<void> {
    await Promise.all([this.#flushes.close(), this.#others.close()]);
  }
}
