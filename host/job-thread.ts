import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import { assert } from "../core/assert.ts";
import type { Job, JobDone } from "../core/env/jobs.ts";
import { fromPlainError } from "./job-error.ts";
import type { JobOrder, JobReply, ReplyLine } from "./job-service.ts";

interface Pending {
  readonly order: JobOrder;
  readonly done: JobDone;
}

/** What a job thread is for. */
export interface ThreadRole {
  /** How much lower its priority is than that of the thread that started it: 0 to 19. */
  readonly nice: number;
  /** Goes up behind each answer; threads may share it. Shared memory. */
  readonly replyCount: Int32Array;
}

/** What it is told when it starts. */
export interface ThreadData extends ThreadRole, ReplyLine {}

/**
 * One worker thread, started when first needed, and the jobs that wait for it. It keeps the process alive only while
 * it works.
 */
export class JobThread {
  readonly #url: URL;
  readonly #role: ThreadRole;
  readonly #waiting: Pending[] = [];
  #worker: Worker | null = null;
  #replies: MessagePort | null = null;
  #running: Pending | null = null;
  #ordinal = 0;

  constructor(url: URL, role: ThreadRole) {
    this.#url = url;
    this.#role = role;
  }

  run(job: Job, done: JobDone): void {
    this.#waiting.push({ order: { id: ++this.#ordinal, job }, done });
    this.#dispatch();
  }

  get busy(): boolean {
    return this.#running !== null;
  }

  /** Tells how a job ended, if one did and nobody was told. False: none did. */
  hear(): boolean {
    const [worker, replies] = [this.#worker, this.#replies];
    if (worker === null || replies === null) return false;
    const received = receiveMessageOnPort(replies);
    if (received === undefined) return false;
    this.#replied(worker, received.message as JobReply);
    return true;
  }

  /** Ends the thread; what it was doing is never reported. */
  async close(): Promise<void> {
    const worker = this.#worker;
    this.#waiting.length = 0;
    this.#running = null;
    this.#worker = null;
    this.#hangUp();
    if (worker !== null) await worker.terminate();
  }

  #dispatch(): void {
    if (this.#running !== null) return;
    const pending = this.#waiting.shift();
    if (pending === undefined) return;
    this.#running = pending;
    this.#worker ??= this.#hire();
    this.#worker.ref();
    this.#worker.postMessage(pending.order);
  }

  #hire(): Worker {
    const { port1, port2 } = new MessageChannel();
    const workerData: ThreadData = { ...this.#role, replies: port2 };
    // It says how a text given to node is to be read, and a worker, which has a file, refuses to start with it.
    const execArgv = process.execArgv.filter((option) => !option.startsWith("--input-type"));
    const worker = new Worker(this.#url, { workerData, transferList: [port2], execArgv });
    // Not by the worker's own port: nobody can look into that one between turns of the loop of events.
    port1.on("message", (reply: JobReply) => this.#replied(worker, reply));
    port1.unref();
    this.#replies = port1;
    worker.on("error", (error) => this.#lost(worker, error));
    worker.on("exit", (code) => this.#lost(worker, new Error(`a worker thread ended with code ${code}`)));
    return worker;
  }

  #replied(worker: Worker, reply: JobReply): void {
    const pending = this.#running;
    if (worker !== this.#worker || pending === null) return;
    assert(pending.order.id === reply.id, "a worker answers what it was asked");
    this.#running = null;
    worker.unref();
    this.#dispatch();
    pending.done(reply.error === null ? null : fromPlainError(reply.error), reply.result);
  }

  /** The thread died of a defect or for want of memory: its job fails, the next one gets a new thread. */
  #lost(worker: Worker, error: Error): void {
    if (worker !== this.#worker) return;
    this.#worker = null;
    this.#hangUp();
    const pending = this.#running;
    this.#running = null;
    this.#dispatch();
    pending?.done(error, null);
  }

  #hangUp(): void {
    this.#replies?.close();
    this.#replies = null;
  }
}
