import { type Disk, DiskError, type DiskFile } from "../env/disk.ts";
import type { Job, JobMachine, JobResult, JobState } from "../env/jobs.ts";
import { readFully } from "../env/whole-io.ts";
import { corruption, NokvError } from "../errors.ts";
import { damageOf, type Finding } from "../finding.ts";
import { ValueFileCheck } from "../vlog/value-file-check.ts";
import type { ValueFileMeta } from "../vlog/value-file.ts";
import { closeFile } from "../wal/close-file.ts";
import { type FrameRange, FrameWalk } from "../wal/frame-walk.ts";
import { PartWalk } from "./part-walk.ts";
import type { TableParts } from "./table-parts.ts";

/** How a file is judged. `same`: it holds these bytes and no others. */
export type ScrubTarget =
  | { readonly kind: "table"; readonly number: number; readonly parts: TableParts }
  | { readonly kind: "values"; readonly file: ValueFileMeta }
  | ({ readonly kind: "log" } & FrameRange)
  | { readonly kind: "same"; readonly bytes: Uint8Array };

/** About `budgetBytes` of one file are read, from `from` on, and judged by their checksums alone. */
export interface ScrubJob extends Job {
  readonly kind: "scrub";
  readonly path: string;
  readonly from: number;
  readonly budgetBytes: number;
  readonly target: ScrubTarget;
}

export interface ScrubResult extends JobResult {
  readonly kind: "scrub";
  /** Everything from `from` up to here is sound, and the next slice begins here. */
  readonly next: number;
  /** Null: nothing is wrong so far. */
  readonly damage: Finding | null;
}

/** Throws `NokvError` for damage, and `DiskError`. */
interface Walk {
  readonly position: number;
  /** False when all is done. */
  step(budgetBytes: number): boolean;
}

const attemptsMax = 3;

/**
 * Damage is a result; what the machine refuses fails the job with `DiskError`, for it may give it the next time. A
 * file that is not there is damage: its caller knows whether it still had to be.
 */
export class ScrubMachine implements JobMachine {
  readonly #disk: Disk;
  readonly #job: ScrubJob;
  #file: DiskFile | null = null;
  #walk: Walk | null = null;
  result: ScrubResult | null = null;

  constructor(disk: Disk, job: ScrubJob) {
    this.#disk = disk;
    this.#job = job;
  }

  step(budgetBytes: number): JobState {
    try {
      return this.#step(budgetBytes);
    } catch (error) {
      if (error instanceof NokvError) return this.#done(damageOf(error, this.#job.path));
      if (!(error instanceof DiskError)) throw error;
      if (error.code === "ENOENT") return this.#done(damageOf(this.#missing(), this.#job.path));
      this.#close();
      throw error;
    }
  }

  #step(budgetBytes: number): JobState {
    const walk = this.#walk ?? this.#begin();
    this.#walk = walk;
    const leftBytes = this.#job.from + this.#job.budgetBytes - walk.position;
    const isOver = !walk.step(Math.max(1, Math.min(budgetBytes, leftBytes)));
    return isOver || walk.position >= this.#job.from + this.#job.budgetBytes ? this.#done(null) : "more";
  }

  #begin(): Walk {
    const { path, target, from } = this.#job;
    const kind = this.#disk.kind(path);
    if (kind === null) throw this.#missing();
    // Opening a FIFO would wait for ever.
    if (kind !== "file") throw corruption(path, 0, "this is not a regular file");
    const file = this.#disk.open(path, "read");
    this.#file = file;
    switch (target.kind) {
      case "table":
        return new PartWalk(file, target.number, target.parts, from);
      case "values":
        return new ValueFileCheck(file, target.file, raise, from);
      case "log":
        return new FrameWalk(file, target, from);
      case "same":
        return new SameWalk(file, target.bytes);
    }
  }

  #missing(): NokvError {
    return corruption(this.#job.path, 0, "the file is missing");
  }

  #done(damage: Finding | null): JobState {
    this.#close();
    this.result = { kind: "scrub", next: this.#walk?.position ?? this.#job.from, damage };
    return "done";
  }

  #close(): void {
    if (this.#file !== null) closeFile(this.#file);
    this.#file = null;
  }
}

function raise(error: NokvError): never {
  throw error;
}

/** Of a file so small that it is read as a whole. */
class SameWalk implements Walk {
  readonly #file: DiskFile;
  readonly #wanted: Uint8Array;
  position = 0;

  constructor(file: DiskFile, wanted: Uint8Array) {
    this.#file = file;
    this.#wanted = wanted;
  }

  step(): boolean {
    for (let attempt = 0; attempt < attemptsMax && this.position === 0; attempt++) {
      if (this.#isSame()) this.position = this.#wanted.length;
    }
    if (this.position === 0) throw corruption(this.#file.path, 0, "the file holds something else than was written");
    return false;
  }

  #isSame(): boolean {
    const wanted = this.#wanted;
    const bytes = new Uint8Array(wanted.length);
    if (this.#file.sizeBytes() !== wanted.length) return false;
    return readFully(this.#file, 0, bytes, 0, bytes.length) === bytes.length && bytes.every((b, i) => b === wanted[i]);
  }
}
