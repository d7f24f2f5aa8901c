import type { MessagePort } from "node:worker_threads";
import type { Disk } from "../core/env/disk.ts";
import type { Job, JobMachine, JobResult, JobStarter } from "../core/env/jobs.ts";
import { type PlainError, toPlainError } from "./job-error.ts";

/** What the main thread sends a worker. */
export interface JobOrder {
  readonly id: number;
  readonly job: Job;
}

/** What it hears back, once per order. */
export interface JobReply {
  readonly id: number;
  readonly error: PlainError | null;
  readonly result: JobResult | null;
}

/** How a worker answers: by a port of its own, and by a number that goes up behind each answer. */
export interface ReplyLine {
  readonly replies: MessagePort;
  readonly replyCount: Int32Array;
}

/** The port of a worker's main module: orders come from its parent. */
export function workerPort(parent: MessagePort, { replies, replyCount }: ReplyLine): JobPort {
  return {
    on: (event, listener) => parent.on(event, listener),
    postMessage: (reply) => {
      replies.postMessage(reply);
      Atomics.add(replyCount, 0, 1);
      Atomics.notify(replyCount, 0);
    },
  };
}

/** As much of a message port as a worker needs. */
export interface JobPort {
  on(event: "message", listener: (order: JobOrder) => void): unknown;
  postMessage(reply: JobReply): void;
}

/** Input per step; between steps a worker looks at nothing, so this bounds only the machine's own batches. */
const stepBytes = 1_048_576;

/** A worker's life: runs each job it is sent to its end, over `disk`; `rest` once after each that may be large. */
// oxlint-disable-next-line max-params
export function serveJobs(port: JobPort, disk: Disk, start: JobStarter, rest: () => void = () => {}): void {
  port.on("message", (order) => new RunningJob(port, order, rest).begin(disk, start));
}

class RunningJob {
  readonly #port: JobPort;
  readonly #order: JobOrder;
  readonly #rest: () => void;
  #machine: JobMachine | null = null;
  #stepping = false;
  #woken = false;

  constructor(port: JobPort, order: JobOrder, rest: () => void) {
    this.#port = port;
    this.#rest = rest;
    this.#order = order;
  }

  begin(disk: Disk, start: JobStarter): void {
    try {
      this.#machine = start(disk, this.#order.job, () => this.#wake());
    } catch (error) {
      this.#reply(toPlainError(error), null);
      return;
    }
    this.#run(this.#machine);
  }

  #wake(): void {
    this.#woken = true;
    if (this.#machine !== null && !this.#stepping) this.#run(this.#machine);
  }

  #run(machine: JobMachine): void {
    this.#stepping = true;
    try {
      for (;;) {
        this.#woken = false;
        const state = machine.step(stepBytes);
        if (state === "done") break;
        if (state === "waiting" && !this.#woken) return;
      }
    } catch (error) {
      this.#machine = null;
      this.#reply(toPlainError(error), null);
      return;
    } finally {
      this.#stepping = false;
    }
    this.#machine = null;
    this.#reply(null, machine.result);
  }

  #reply(error: PlainError | null, result: JobResult | null): void {
    this.#port.postMessage({ id: this.#order.id, error, result });
    // It holds nothing of anybody's, and takes a tenth of the time that a rest takes.
    if (this.#order.job.kind === "scrub") return;
    // Later: what this job held is still on the stack.
    setImmediate(this.#rest);
  }
}
