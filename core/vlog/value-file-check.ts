import {
  familyMax, readExpiresAtMs, readFamily, readKeyLength, readKind, readValueLength, readVersion, recordBytes,
  recordHeaderBytes, recordKind, versionMax,
} from "../bytes/record.ts";
import { crc32, salt } from "../bytes/crc32.ts";
import type { Disk, DiskFile } from "../env/disk.ts";
import { readFully } from "../env/whole-io.ts";
import { corruption, type NokvError } from "../errors.ts";
import { closeFile } from "../wal/close-file.ts";
import {
  type ValueFileMeta, valueFilePath, valueHeaderBytes, valueHeaderProblem, valueTrailerBytes,
} from "./value-file.ts";
import { pointedLengthMax } from "./value-pointer.ts";

/** Damage on the way from the disk heals when it is read again, damage at rest stays. */
const attemptsMax = 3;

/** A value file is there with the size that it had when it came into use: it was durable then. */
export function valueFileProblem(disk: Disk, directory: string, file: ValueFileMeta): NokvError | null {
  const path = valueFilePath(directory, file);
  const kind = disk.kind(path);
  if (kind === null) {
    const what = "the value file, named by the manifest, is missing";
    return corruption(path, 0, what, "restore it from a copy; nothing was changed");
  }
  // Opening a FIFO would wait for ever.
  if (kind !== "file") return corruption(path, 0, "this is not a regular file");
  const sizeBytes = sizeOf(disk, path);
  if (sizeBytes === file.sizeBytes) return null;
  const what = `the value file has ${sizeBytes} bytes; the manifest says ${file.sizeBytes}`;
  return corruption(path, Math.min(sizeBytes, file.sizeBytes), what);
}

function sizeOf(disk: Disk, path: string): number {
  const file = disk.open(path, "read");
  try {
    return file.sizeBytes();
  } finally {
    closeFile(file);
  }
}

/**
 * Reads every byte of a value file that a job wrote, also those that nobody points to any more, and tells `note`
 * what is wrong: each image must be a value, whole, with its checksum behind it, and the last one ends with the file.
 * Behind a damaged image the walk goes on where its lengths say that the next one begins, if one does.
 */
export class ValueFileCheck {
  readonly #file: DiskFile;
  readonly #meta: ValueFileMeta;
  readonly #note: (error: NokvError) => void;
  /** The image under examination and its checksum; grows to the largest. */
  #bytes = new Uint8Array(0);
  #position: number;
  /** The image before was damaged: nothing vouches for the place of this one. */
  #lost = false;
  records = 0;
  bytes = 0;

  /** `from`: where an image begins; what is before it is not judged. */
  // oxlint-disable-next-line max-params
  constructor(file: DiskFile, meta: ValueFileMeta, note: (error: NokvError) => void, from = 0) {
    this.#position = from;
    this.#file = file;
    this.#meta = meta;
    this.#note = note;
  }

  /** Where the next image begins. */
  get position(): number {
    return this.#position;
  }

  /** Works through about `budgetBytes`; false when all is done. Throws `DiskError`. */
  step(budgetBytes: number): boolean {
    const { sizeBytes } = this.#meta;
    const stop = this.#position + budgetBytes;
    if (this.#position === 0 && !this.#checkHeader()) return false;
    while (this.#position < sizeBytes && this.#position < stop) {
      if (!this.#checkImage()) return false;
    }
    this.bytes = Math.min(this.#position, sizeBytes);
    return this.#position < sizeBytes;
  }

  /** False: the file is another one, and nothing in it is judged. */
  #checkHeader(): boolean {
    let problem: NokvError | null = null;
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const header = new Uint8Array(valueHeaderBytes);
      const filled = readFully(this.#file, 0, header, 0, valueHeaderBytes);
      const cut = filled < valueHeaderBytes ? corruption(this.#file.path, 0, "the value file is cut short") : null;
      problem = cut ?? valueHeaderProblem(header, this.#meta.number, this.#file.path);
      if (problem === null) break;
    }
    this.#position = valueHeaderBytes;
    if (problem !== null) this.#note(problem);
    return problem === null;
  }

  /** False: nobody can tell where the next image begins. */
  #checkImage(): boolean {
    let problem = "";
    let length = 0;
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      length = this.#read();
      problem = length === 0 ? "an image is longer than the rest of the file" : this.#problem(length);
      if (problem === "") break;
    }
    if (problem === "") {
      this.#lost = false;
      this.records++;
    } else if (this.#lost) {
      return false;
    } else {
      this.#note(corruption(this.#file.path, this.#position, problem));
      this.#lost = true;
      if (length === 0) return false;
    }
    this.#position += length + valueTrailerBytes;
    return true;
  }

  /** Reads the image at the position with its checksum. Its length; 0: it can not have one. */
  #read(): number {
    const room = this.#meta.sizeBytes - this.#position - valueTrailerBytes;
    if (room < recordHeaderBytes || !this.#fill(recordHeaderBytes)) return 0;
    const view = new DataView(this.#bytes.buffer);
    const valueLength = readValueLength(view, 0);
    // The lengths come from the file: no memory is taken on their word alone.
    if (valueLength > pointedLengthMax) return 0;
    const length = recordBytes(readKeyLength(view, 0), valueLength);
    return length <= room && this.#fill(length + valueTrailerBytes) ? length : 0;
  }

  #fill(length: number): boolean {
    if (this.#bytes.length < length) this.#bytes = new Uint8Array(length * 2);
    return readFully(this.#file, this.#position, this.#bytes, 0, length) === length;
  }

  /** What is wrong with the image of `length` bytes that was read; "": nothing. */
  #problem(length: number): string {
    const bytes = this.#bytes;
    const view = new DataView(bytes.buffer);
    const valueStart = recordHeaderBytes + readKeyLength(view, 0);
    const valueEnd = valueStart + readValueLength(view, 0);
    const valueCrc = crc32(bytes, valueStart, valueEnd, salt(this.#meta.number, this.#position));
    if (view.getUint32(length, true) !== crc32(bytes, 0, valueStart, valueCrc)) {
      return "a value image does not match its checksum";
    }
    for (let i = valueEnd; i < length; i++) {
      if (bytes[i] !== 0) return "a value is not followed by zeros";
    }
    if (readKind(view, 0) !== recordKind.value || readFamily(view, 0) > familyMax) return "no value in a value file";
    if (readVersion(view, 0) > versionMax || readExpiresAtMs(view, 0) > versionMax) {
      return "a value's version or expiry is above 2^53 - 1";
    }
    return "";
  }
}
