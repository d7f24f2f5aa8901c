import { crc32 } from "../bytes/crc32.ts";
import type { Disk, DiskFile } from "../env/disk.ts";
import type { Job, JobMachine, JobResult, JobState } from "../env/jobs.ts";
import { readFully } from "../env/whole-io.ts";
import { corruption } from "../errors.ts";
import { closeFile } from "../wal/close-file.ts";

/** The checksum of each file from its first byte to its last. */
export interface ChecksumJob extends Job {
  readonly kind: "checksum";
  readonly files: readonly { readonly path: string; readonly sizeBytes: number }[];
}

export interface ChecksumResult extends JobResult {
  readonly kind: "checksum";
  /** CRC-32, in the order of the files. */
  readonly sums: readonly number[];
}

const chunkBytes = 256 * 1024;

/** Throws `DiskError`, and `NOKV_CORRUPTION` for a file that ends early. */
export class ChecksumMachine implements JobMachine {
  readonly #disk: Disk;
  readonly #job: ChecksumJob;
  readonly #sums: number[] = [];
  readonly #chunk = new Uint8Array(chunkBytes);
  #file: DiskFile | null = null;
  #offset = 0;
  #sum = 0;
  result: ChecksumResult | null = null;

  constructor(disk: Disk, job: ChecksumJob) {
    this.#disk = disk;
    this.#job = job;
  }

  step(budgetBytes: number): JobState {
    for (let leftBytes = budgetBytes; leftBytes > 0; ) {
      const next = this.#job.files[this.#sums.length];
      if (next === undefined) {
        this.result = { kind: "checksum", sums: this.#sums };
        return "done";
      }
      leftBytes -= this.#advance(next.path, next.sizeBytes, Math.min(leftBytes, chunkBytes));
    }
    return "more";
  }

  /** At least 1, so that empty files cost something. */
  #advance(path: string, sizeBytes: number, budgetBytes: number): number {
    this.#file ??= this.#disk.open(path, "read");
    const file = this.#file;
    try {
      const wanted = Math.min(budgetBytes, sizeBytes - this.#offset);
      const taken = readFully(file, this.#offset, this.#chunk, 0, wanted);
      if (taken < wanted) throw corruption(path, this.#offset + taken, "the file is cut short");
      this.#sum = crc32(this.#chunk, 0, taken, this.#sum);
      this.#offset += taken;
      if (this.#offset === sizeBytes) this.#end(file);
      return Math.max(1, taken);
    } catch (error) {
      closeFile(file);
      throw error;
    }
  }

  #end(file: DiskFile): void {
    closeFile(file);
    this.#file = null;
    this.#sums.push(this.#sum);
    this.#sum = 0;
    this.#offset = 0;
  }
}
