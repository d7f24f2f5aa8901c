import { assert } from "../../core/assert.ts";
import { type Disk, DiskError, type DiskFile } from "../../core/env/disk.ts";
import type { Job, JobMachine, JobResult, JobStarter, JobState } from "../../core/env/jobs.ts";
import { NokvError } from "../../core/errors.ts";

/** Adds the bytes of `shared` at `offsets`, and all of `own`. */
export interface SumJob extends Job {
  readonly kind: "sum";
  readonly shared: Uint8Array<ArrayBufferLike>;
  readonly own: Uint8Array;
  readonly offsets: Uint32Array;
  readonly label: string;
}

export interface SumResult extends JobResult {
  readonly kind: "sum";
  readonly total: number;
  readonly label: string;
}

/** Writes `bytes` to a new file, one byte per step, and syncs it. */
export interface FileJob extends Job {
  readonly kind: "file";
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** Meets a corruption. */
export interface FailJob extends Job {
  readonly kind: "fail";
  readonly path: string;
  readonly offset: number;
}

/** Starts the kinds of job that the conformance suite runs. */
export const startConformanceJob: JobStarter = (disk, job, wake) => {
  switch (job.kind) {
    case "sum":
      return new Summing(job as SumJob);
    case "file":
      return new Filing(disk, job as FileJob, wake);
    default:
      return new Failing(job as FailJob);
  }
};

class Summing implements JobMachine {
  readonly #job: SumJob;
  #next = 0;
  #total = 0;
  result: SumResult | null = null;

  constructor(job: SumJob) {
    this.#job = job;
  }

  step(budgetBytes: number): JobState {
    const { shared, own, offsets, label } = this.#job;
    const end = Math.min(offsets.length, this.#next + Math.max(1, budgetBytes));
    for (; this.#next < end; this.#next++) this.#total += shared[offsets[this.#next] ?? 0] ?? 0;
    if (end < offsets.length) return "more";
    const rest = own.reduce((sum, byte) => sum + byte, 0);
    this.result = { kind: "sum", total: this.#total + rest, label };
    return "done";
  }
}

class Filing implements JobMachine {
  readonly #disk: Disk;
  readonly #job: FileJob;
  readonly #wake: () => void;
  #file: DiskFile | null = null;
  #written = 0;
  #synced: "no" | "asked" | "yes" = "no";
  result: JobResult | null = null;

  constructor(disk: Disk, job: FileJob, wake: () => void) {
    this.#disk = disk;
    this.#job = job;
    this.#wake = wake;
  }

  step(): JobState {
    const { path, bytes } = this.#job;
    this.#file ??= this.#disk.open(path, "create");
    if (this.#written < bytes.length) {
      this.#written += this.#file.write(this.#written, bytes, this.#written, this.#written + 1);
      return "more";
    }
    if (this.#synced === "yes") {
      this.#file.close();
      this.result = { kind: "file" };
      return "done";
    }
    assert(this.#synced === "no", "nobody steps a job that waits");
    this.#synced = "asked";
    this.#file.sync((error) => {
      assert(error === null, "a healthy disk syncs");
      this.#synced = "yes";
      this.#wake();
    });
    return "waiting";
  }
}

class Failing implements JobMachine {
  readonly #job: FailJob;
  readonly result = null;

  constructor(job: FailJob) {
    this.#job = job;
  }

  step(): JobState {
    const { path, offset } = this.#job;
    const cause = new DiskError("EIO", "read", path);
    throw new NokvError("NOKV_CORRUPTION", `${path}: offset ${offset}: bad block`, { path, offset, cause });
  }
}
