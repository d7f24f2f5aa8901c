import { Worker } from "node:worker_threads";
import { assert } from "../core/assert.ts";
import type { Job, JobDone, Jobs } from "../core/env/jobs.ts";
import { fromPlainError } from "./job-error.ts";
import type { JobOrder, JobReply } from "./job-service.ts";

/** A flush and a compaction side by side; more would fight for the same disk. */
const workersMax = 2;

/** The main module of a worker: the source while developing, its compiled form in the package. */
export const jobWorkerUrl: URL = sibling("job-worker");

export function sibling(name: string): URL {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return new URL(`./${name}.${extension}`, import.meta.url);
}

interface Pending {
  readonly order: JobOrder;
  readonly done: JobDone;
}

/**
 * Background work on worker threads, started when first needed. A thread keeps the process alive only while
 * it works.
 */
export class HostJobs implements Jobs {
  readonly #url: URL;
  readonly #idle: Worker[] = [];
  readonly #waiting: Pending[] = [];
  readonly #running = new Map<Worker, Pending>();
  #ordinal = 0;

  constructor(url: URL = jobWorkerUrl) {
    this.#url = url;
  }

  shared(sizeBytes: number): Uint8Array<ArrayBufferLike> {
    return new Uint8Array(new SharedArrayBuffer(sizeBytes));
  }

  run(job: Job, done: JobDone): void {
    this.#waiting.push({ order: { id: ++this.#ordinal, job }, done });
    this.#dispatch();
  }

  /** Ends the threads; what they were doing is never reported. */
  async close(): Promise<void> {
    const workers = [...this.#idle, ...this.#running.keys()];
    this.#waiting.length = 0;
    this.#idle.length = 0;
    this.#running.clear();
    await Promise.all(workers.map((worker) => worker.terminate()));
  }

  #dispatch(): void {
    const pending = this.#waiting[0];
    if (pending === undefined) return;
    const worker = this.#idle.pop() ?? this.#hire();
    if (worker === null) return;
    this.#waiting.shift();
    this.#running.set(worker, pending);
    worker.ref();
    worker.postMessage(pending.order);
  }

  #hire(): Worker | null {
    if (this.#running.size >= workersMax) return null;
    const worker = new Worker(this.#url);
    worker.on("message", (reply: JobReply) => this.#replied(worker, reply));
    worker.on("error", (error) => this.#lost(worker, error));
    worker.on("exit", (code) => this.#lost(worker, new Error(`a worker thread ended with code ${code}`)));
    return worker;
  }

  #replied(worker: Worker, reply: JobReply): void {
    const pending = this.#running.get(worker);
    if (pending === undefined) return;
    assert(pending.order.id === reply.id, "a worker answers what it was asked");
    this.#running.delete(worker);
    this.#idle.push(worker);
    worker.unref();
    this.#dispatch();
    pending.done(reply.error === null ? null : fromPlainError(reply.error), reply.result);
  }

  /** A thread died of a defect or for want of memory: its job fails, the next one gets a new thread. */
  #lost(worker: Worker, error: Error): void {
    const index = this.#idle.indexOf(worker);
    if (index >= 0) this.#idle.splice(index, 1);
    const pending = this.#running.get(worker);
    if (pending === undefined) return;
    this.#running.delete(worker);
    this.#dispatch();
    pending.done(error, null);
  }
}
