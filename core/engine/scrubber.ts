import { assert } from "../assert.ts";
import type { Timer } from "../env/clock.ts";
import { DiskError } from "../env/disk.ts";
import type { Env } from "../env/env.ts";
import type { JobError } from "../env/jobs.ts";
import { corruption, type NokvError } from "../errors.ts";
import type { Finding } from "../finding.ts";
import type { ScrubJob, ScrubResult } from "../lsm/scrub-job.ts";
import type { ScrubFile } from "./scrub-list.ts";

export interface ScrubOptions {
  /** Everything is read once in so long, and never faster than that needs; 0: nothing is. */
  readonly passMs: number;
  /** Where a pass would need more than this, it takes longer. */
  readonly bytesPerSecondMax: number;
  /** Read at a time, about. */
  readonly sliceBytes: number;
}

export const scrubOptionsDefault: ScrubOptions = {
  passMs: 86_400_000,
  bytesPerSecondMax: 8 * 1024 * 1024,
  sliceBytes: 1024 * 1024,
};

export interface ScrubberParts {
  readonly env: Pick<Env, "clock" | "jobs" | "random" | "trace">;
  /** Asked at the beginning of every pass. */
  readonly files: () => readonly ScrubFile[];
  readonly options: ScrubOptions;
  /** Called once: nothing is read after it. */
  readonly damaged: (error: NokvError) => void;
}

/** Since the process began, but for the first two. */
export interface ScrubStats {
  /** What the present pass is to read. */
  readonly passBytes: number;
  readonly passDoneBytes: number;
  readonly readBytes: number;
  readonly passes: number;
  /** Unix milliseconds; 0: none has ended. */
  readonly lastPassEndedMs: number;
  readonly lastPassMs: number;
  /** Files that the machine did not let us read to their end. */
  readonly unreadable: number;
}

/** Or a little database would be looked at by a timer that is a day away. */
const delayMsMax = 600_000;
/** Of a refusal; each time after so many times as long. */
const retryMs = 1_000;
const attemptsMax = 3;

/**
 * Reads every durable file again and again, a slice at a time, each as a job, at the pace that its options set, so
 * that what nobody reads does not rot unseen. It begins at a place of its own in every process: of many short lives
 * each reads something else.
 */
export class Scrubber {
  readonly #parts: ScrubberParts;
  #files: readonly ScrubFile[] = [];
  /** Where in the list each pass begins, of 2^32. */
  #start = 0;
  /** In `#files`. */
  #at = 0;
  /** In the file there. */
  #from = 0;
  #attempts = 0;
  #beganUs = 0;
  #timer: Timer | null = null;
  #running = false;
  #stopped = false;
  readonly #idleWaiters: (() => void)[] = [];
  #passBytes = 0;
  #passDoneBytes = 0;
  #readBytes = 0;
  #passes = 0;
  #lastPassEndedMs = 0;
  #lastPassMs = 0;
  #unreadable = 0;

  constructor(parts: ScrubberParts) {
    this.#parts = parts;
  }

  start(): void {
    const { env: { clock, random }, options: { passMs } } = this.#parts;
    this.#start = random.u32("engine/scrub-start", 0, Math.max(0, Math.floor(clock.wallMs())));
    // An opening has enough to do, and has read a good deal itself.
    if (passMs > 0) this.#after(Math.floor(Math.min(passMs, delayMsMax) / 10), () => this.#beginPass());
  }

  /** Resolves when no job is under way any more. */
  stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    if (!this.#running) return Promise.resolve();
    return new Promise((resolve) => void this.#idleWaiters.push(resolve));
  }

  stats(): ScrubStats {
    return {
      passBytes: this.#passBytes,
      passDoneBytes: this.#passDoneBytes,
      readBytes: this.#readBytes,
      passes: this.#passes,
      lastPassEndedMs: this.#lastPassEndedMs,
      lastPassMs: this.#lastPassMs,
      unreadable: this.#unreadable,
    };
  }

  #after(ms: number, run: () => void): void {
    if (this.#stopped) return;
    this.#timer = this.#parts.env.clock.after(ms * 1_000, run);
  }

  #beginPass(): void {
    const files = this.#parts.files();
    const start = Math.floor((this.#start * files.length) / 2 ** 32);
    this.#files = [...files.slice(start), ...files.slice(0, start)];
    this.#passBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    this.#passDoneBytes = 0;
    this.#beganUs = this.#parts.env.clock.monotonicUs();
    this.#at = 0;
    this.#from = 0;
    this.#next();
  }

  #next(): void {
    if (this.#stopped) return;
    const { sliceBytes: budgetBytes } = this.#parts.options;
    for (; this.#at < this.#files.length; this.#skip()) {
      const file = this.#files[this.#at];
      assert(file !== undefined, "a pass stays within its files");
      const target = file.target(this.#from, budgetBytes);
      if (target === null) continue;
      return this.#run(file, { kind: "scrub", path: file.path, from: this.#from, budgetBytes, target });
    }
    this.#endPass();
  }

  #endPass(): void {
    const { clock, trace } = this.#parts.env;
    this.#passes++;
    this.#lastPassEndedMs = Math.floor(clock.wallMs());
    this.#lastPassMs = Math.floor((clock.monotonicUs() - this.#beganUs) / 1_000);
    trace.emit("engine/scrubbed", { bytes: this.#passDoneBytes, ms: this.#lastPassMs });
    // Also where there was nothing to read.
    this.#after(this.#delayMs(1), () => this.#beginPass());
  }

  #run(file: ScrubFile, job: ScrubJob): void {
    this.#running = true;
    this.#parts.env.jobs.run(job, (error, result) => {
      this.#running = false;
      for (const idle of this.#idleWaiters.splice(0)) idle();
      if (this.#stopped) return;
      if (error !== null) return this.#refused(file, error);
      assert(result?.kind === "scrub", "the result is that of the job");
      const { next, damage } = result as ScrubResult;
      if (damage !== null && file.inUse()) return this.#damaged(damage);
      const bytes = next - job.from;
      this.#attempts = 0;
      this.#readBytes += bytes;
      this.#passDoneBytes += bytes;
      this.#from = next;
      if (damage !== null) this.#skip();
      this.#after(this.#delayMs(bytes), () => this.#next());
    });
  }

  /** Not damage: the bytes may be as they were, and the machine may give them the next time. */
  #refused(file: ScrubFile, error: JobError): void {
    // A defect ends the program.
    if (!(error instanceof DiskError)) throw error;
    this.#attempts++;
    if (this.#attempts === attemptsMax) {
      this.#unreadable++;
      this.#parts.env.trace.emit("engine/scrub-refused", { code: error.code, path: file.path });
      this.#skip();
    }
    this.#after(retryMs * Math.max(1, this.#attempts), () => this.#next());
  }

  #damaged({ path, offset, what }: Finding): void {
    this.#stopped = true;
    this.#parts.env.trace.emit("engine/scrub-damage", { path, offset: offset ?? 0, what });
    this.#parts.damaged(corruption(path, offset ?? 0, what));
  }

  #skip(): void {
    this.#at++;
    this.#from = 0;
    this.#attempts = 0;
  }

  /** Behind so many bytes. */
  #delayMs(bytes: number): number {
    const { passMs, bytesPerSecondMax } = this.#parts.options;
    const share = Math.ceil((bytes * passMs) / Math.max(1, this.#passBytes));
    return Math.min(delayMsMax, Math.max(1, share, Math.ceil((bytes * 1_000) / bytesPerSecondMax)));
  }
}
