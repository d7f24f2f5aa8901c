import type { DiskFile } from "../env/disk.ts";
import { readFully } from "../env/whole-io.ts";
import { corruption, NokvError } from "../errors.ts";
import { fileHeaderBytes, type FileMagic, readFileHeader } from "./file-header.ts";
import { frameHeaderBytes, FrameReader, frameType } from "./frame.ts";

/** The part of a log file that is written and will not change. Plain data: it crosses threads. */
export interface FrameRange {
  readonly number: number;
  readonly magic: FileMagic;
  /** Null: that of its own header, for a segment that was kept as a value file. It ends with its seal. */
  readonly epoch: number | null;
  /** Whole frames end here. */
  readonly endBytes: number;
}

/** Damage on the way from the disk heals when it is read again, damage at rest stays. */
const attemptsMax = 3;

/**
 * Judges the frames of a log file by their checksums, from any place where one begins, and never holds more of it than
 * it was asked to read, or one frame. Throws `NOKV_CORRUPTION`, `NOKV_FORMAT` and `DiskError`.
 */
export class FrameWalk {
  readonly #file: DiskFile;
  readonly #range: FrameRange;
  #epoch: number | null;
  #bytes = new Uint8Array(0);
  #sealed = false;
  /** Everything below was sound. */
  position: number;

  constructor(file: DiskFile, range: FrameRange, from: number) {
    this.#file = file;
    this.#range = range;
    this.#epoch = range.epoch;
    this.position = from;
  }

  /** Works through about `budgetBytes`, one frame at least; false when all is done. */
  step(budgetBytes: number): boolean {
    const { endBytes, epoch } = this.#range;
    if (this.position === 0 || this.#epoch === null) this.#readHeader();
    if (this.position < endBytes) this.#readFrames(Math.max(budgetBytes, frameHeaderBytes));
    if (this.position < endBytes) return true;
    if (epoch === null && !this.#sealed) this.#refuse(endBytes, "the segment ends without its seal");
    return false;
  }

  #readHeader(): void {
    const { magic, number } = this.#range;
    const { path } = this.#file;
    for (let attempt = 1; ; attempt++) {
      const filled = this.#fill(0, fileHeaderBytes);
      const header = readFileHeader(this.#bytes, filled, magic, number, path);
      if (header instanceof NokvError) {
        if (attempt < attemptsMax) continue;
        throw header;
      }
      if (header.epoch !== (this.#epoch ?? header.epoch)) this.#refuse(16, "the segment is of another log");
      this.#epoch = header.epoch;
      break;
    }
    this.position = Math.max(this.position, fileHeaderBytes);
  }

  #readFrames(wantedBytes: number): void {
    const leftBytes = this.#range.endBytes - this.position;
    let length = Math.min(wantedBytes, leftBytes);
    for (let attempt = 1; ; ) {
      const filled = this.#fill(this.position, length);
      const reader = new FrameReader(this.#bytes, filled, this.#range.number, this.#epoch ?? 0);
      reader.base = this.position;
      reader.position = 0;
      while (reader.next() === "frame") this.#sealed = reader.type === frameType.seal;
      // What is wrong behind a good frame is looked at by itself.
      if (reader.position > 0) {
        this.position += reader.position;
        return;
      }
      // Its header passed its checksum, so memory may be taken for what it says.
      const wholeBytes = Math.min(reader.cutOff ? reader.payloadEnd : 0, leftBytes);
      if (wholeBytes > length) length = wholeBytes;
      else if (attempt === attemptsMax) this.#refuse(this.position, reader.problem || "the file is cut short");
      else attempt++;
    }
  }

  #fill(position: number, length: number): number {
    if (this.#bytes.length < length) this.#bytes = new Uint8Array(length);
    return readFully(this.#file, position, this.#bytes, 0, length);
  }

  #refuse(offset: number, what: string): never {
    throw corruption(this.#file.path, offset, what);
  }
}
