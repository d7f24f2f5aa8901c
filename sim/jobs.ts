import { assert } from "../core/assert.ts";
import type { Disk } from "../core/env/disk.ts";
import type { Job, JobDone, JobMachine, JobResult, Jobs, JobStarter } from "../core/env/jobs.ts";
import { isDefect } from "./defect.ts";
import type { Dice } from "./dice.ts";
import { HastyDisk } from "./disk/hasty-disk.ts";
import { type Incarnation, NodeCrashed } from "./incarnation.ts";
import type { Life } from "./life.ts";

/** A worker gets through so much input in a virtual microsecond. */
const bytesPerUs = 200;

/** Time it takes a job or its result to pass between threads, at most. */
const handoverUsMax = 200;

export interface SimJobsParts {
  readonly incarnation: Incarnation;
  readonly disk: Disk;
  readonly start: JobStarter;
  readonly dice: Dice;
  /** Slices of work are drawn up to this many bytes; small ones interleave more. */
  readonly sliceBytesMax: number;
  /** Jobs that run at once; the others wait their turn. */
  readonly workers: number;
}

/**
 * Background work as slices of virtual time. Each worker is a processor of its own, so that a job and the
 * main thread keep each other from nothing; only their disk is one.
 */
export class SimJobs implements Jobs {
  readonly #parts: SimJobsParts;
  readonly #waiting: PendingJob[] = [];
  readonly #idle: Life[] = [];
  readonly #running: RunningJob[] = [];
  /** What ended, and is on its way between threads. */
  readonly #ended: EndedJob[] = [];
  readonly #shared = new WeakSet<ArrayBufferLike>();

  constructor(parts: SimJobsParts) {
    this.#parts = parts;
    for (let i = 0; i < parts.workers; i++) {
      this.#idle.push(parts.incarnation.worker());
    }
  }

  shared(sizeBytes: number): Uint8Array<ArrayBufferLike> {
    this.#parts.incarnation.call("jobs.shared", "", sizeBytes, 0);
    const bytes = new Uint8Array(sizeBytes);
    this.#shared.add(bytes.buffer);
    return bytes;
  }

  run(job: Job, done: JobDone): void {
    this.#parts.incarnation.call("jobs.run", job.kind, 0, 0);
    const copy = plainCopy(job, this.#shared);
    this.#waiting.push({ job: copy, done });
    this.#dispatch();
  }

  giveWay(us: number): void {
    this.#parts.incarnation.call("jobs.give-way", "", us, 0);
    this.#parts.incarnation.loop.charge(us);
  }

  /** The workers get on while this thread stands still, by turns; the first to end is heard. */
  standBy(us: number): boolean {
    const { incarnation, sliceBytesMax } = this.#parts;
    incarnation.call("jobs.stand-by", "", us, 0);
    for (let leftUs = us; this.#ended.length === 0; leftUs -= Math.ceil(sliceBytesMax / bytesPerUs)) {
      if (leftUs <= 0 || this.#running.length === 0) return false;
      incarnation.loop.charge(Math.min(leftUs, Math.ceil(sliceBytesMax / bytesPerUs)));
      for (const job of this.#running.slice()) job.hasten();
    }
    this.#ended[0]?.tell();
    return true;
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      const worker = this.#idle.pop();
      if (worker === undefined) return;
      const pending = this.#waiting.shift();
      assert(pending !== undefined, "the queue is not empty");
      this.#begin(worker, pending);
    }
  }

  #begin(worker: Life, pending: PendingJob): void {
    const { incarnation, dice, sliceBytesMax } = this.#parts;
    const running = new RunningJob({
      parts: this.#parts,
      worker,
      job: pending.job,
      sliceBytes: dice.skewed(1, sliceBytesMax),
      finished: (error, result) => {
        this.#idle.push(worker);
        this.#running.splice(this.#running.indexOf(running), 1);
        const copy = result === null ? null : plainCopy(result, this.#shared);
        const { loop, life } = incarnation;
        const ended = {
          tell: (): void => {
            const at = this.#ended.indexOf(ended);
            if (at < 0) return;
            this.#ended.splice(at, 1);
            incarnation.result("job-done", error === null ? "ok" : error.name, 0);
            this.#dispatch();
            pending.done(error, copy);
          },
        };
        this.#ended.push(ended);
        const atUs = loop.presentUs(worker.processor) + dice.below(handoverUsMax);
        loop.at(atUs, life, () => ended.tell());
      },
    });
    this.#running.push(running);
    running.wake();
  }
}

interface PendingJob {
  readonly job: Job;
  readonly done: JobDone;
}

interface EndedJob {
  /** Unless it was told. */
  tell(): void;
}

interface RunningParts {
  readonly parts: SimJobsParts;
  readonly worker: Life;
  readonly job: Job;
  readonly sliceBytes: number;
  readonly finished: (error: Error | null, result: JobResult | null) => void;
}

/** Steps one machine; a turn of its worker per slice. */
class RunningJob {
  readonly #running: RunningParts;
  readonly #disk: HastyDisk;
  #machine: JobMachine | null = null;
  #scheduled = false;
  #ended = false;

  constructor(running: RunningParts) {
    this.#running = running;
    this.#disk = new HastyDisk(running.parts.disk);
  }

  /** Also called by the job's disk, possibly while a step is under way. */
  wake(): void {
    if (this.#scheduled || this.#ended) return;
    this.#scheduled = true;
    const { parts, worker, sliceBytes } = this.#running;
    const delayUs = Math.ceil(sliceBytes / bytesPerUs) + parts.dice.below(handoverUsMax);
    parts.incarnation.loop.after(delayUs, worker, () => this.#turn());
  }

  /** A turn now, with whatever it waited for. */
  hasten(): void {
    this.#disk.finishSyncs();
    this.#step();
  }

  #turn(): void {
    this.#scheduled = false;
    this.#step();
  }

  #step(): void {
    if (this.#ended) return;
    const { parts, job, sliceBytes, finished } = this.#running;
    try {
      this.#machine ??= parts.start(this.#disk, job, () => this.wake());
      const state = this.#machine.step(sliceBytes);
      if (state === "more") this.wake();
      if (state !== "done") return;
    } catch (error) {
      if (error instanceof NodeCrashed || isDefect(error) || !(error instanceof Error)) throw error;
      this.#ended = true;
      finished(error, null);
      return;
    }
    this.#ended = true;
    finished(null, this.#machine.result);
  }
}

/**
 * What structured cloning would make of `value`, except that shared memory stays shared. Anything that would
 * not survive the way to a worker is a defect of the caller, found here as well as in production.
 */
function plainCopy<T>(value: T, shared: WeakSet<ArrayBufferLike>): T {
  return copy(value, shared, 0) as T;
}

const nestingMax = 8;

function copy(value: unknown, shared: WeakSet<ArrayBufferLike>, depth: number): unknown {
  assert(depth <= nestingMax, "a job is shallow");
  if (value === null || typeof value === "number" || typeof value === "string") return value;
  if (typeof value === "boolean" || value === undefined) return value;
  assert(typeof value === "object", "a job holds plain data only");
  if (value instanceof Uint8Array) return shared.has(value.buffer) ? value : value.slice();
  if (value instanceof Uint32Array) return shared.has(value.buffer) ? value : value.slice();
  if (value instanceof Float64Array) return shared.has(value.buffer) ? value : value.slice();
  if (Array.isArray(value)) return value.map((item) => copy(item, shared, depth + 1));
  assert(Object.getPrototypeOf(value) === Object.prototype, "a job holds plain objects only");
  const result: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) result[key] = copy(item, shared, depth + 1);
  return result;
}
