// HOT: every record that is flushed or merged passes here.
import { crc32, salt } from "../bytes/crc32.ts";
import {
  readKeyLength, readKind, readValueLength, recordBytes, recordBytesAt, recordHeaderBytes, recordKind,
} from "../bytes/record.ts";
import type { Disk } from "../env/disk.ts";
import type { ValueFileMeta } from "./value-file.ts";
import { ValueFiles } from "./value-files.ts";
import { ValueOutput } from "./value-output.ts";
import {
  pointedImageBytes, pointerAt, readPointedFile, readPointedLength, type ValuePlace, valuePointerBytes,
  writePointer,
} from "./value-pointer.ts";

/** What a job does with values. Plain data. */
export interface ValueRules {
  /** Values of at least so many bytes stand outside tables; 0: none do. */
  readonly thresholdBytes: number;
  /** Value files that the inputs point to. */
  readonly files: readonly ValueFileMeta[];
  /** Numbers of those that values leave, because most of what is in them is garbage. */
  readonly relocate: readonly number[];
  /** Numbers reserved for new value files. */
  readonly firstNumber: number;
  readonly numbers: number;
  /** A new value file ends when it has so many bytes. */
  readonly fileBytes: number;
}

/** No value is separated or moved. */
export const noValueRules: ValueRules = {
  thresholdBytes: 0, files: [], relocate: [], firstNumber: 0, numbers: 0, fileBytes: 0,
};

/** A log segment that is kept as a value file. */
interface KeptSegment {
  readonly number: number;
  readonly sizeBytes: number;
}

const noBytes = new Uint8Array(0);
/** A job reads from few files at a time. */
const openMax = 16;

/**
 * Decides for each record that a job writes whether its value stands in the table or outside, and puts it there.
 * Whatever is moved is read through its checksums: damage ends the job and never gets a new checksum.
 */
export class ValueSeparator {
  readonly #rules: ValueRules;
  readonly #sources: ValueFiles;
  readonly #relocate: ReadonlySet<number>;
  readonly #output: ValueOutput;
  readonly #keptPlace: ValuePlace = { file: 0, offset: 0, valueLength: 0, crc: 0 };
  #kept: KeptSegment | null = null;
  #keptBytes = 0;
  #scratch: Uint8Array = noBytes;
  #scratchView: DataView = new DataView(noBytes.buffer);
  /** The image that the table gets, after `place`. */
  bytes: Uint8Array = noBytes;
  view: DataView = new DataView(noBytes.buffer);
  offset = 0;
  /** Bytes that the last `place` read or wrote outside tables. */
  movedBytes = 0;
  separatedCount = 0;
  relocatedCount = 0;
  relocatedBytes = 0;

  // oxlint-disable-next-line max-params
  constructor(disk: Disk, directory: string, rules: ValueRules, wake: () => void) {
    this.#rules = rules;
    this.#relocate = new Set(rules.relocate);
    this.#sources = new ValueFiles(disk, directory, openMax);
    this.#sources.retain(rules.files);
    const { firstNumber, numbers, fileBytes } = rules;
    this.#output = new ValueOutput(disk, { directory, firstNumber, numbers, fileBytes }, wake);
  }

  /** The value files that came into use. */
  get files(): readonly ValueFileMeta[] {
    const kept = this.#kept;
    if (kept === null || this.#keptBytes === 0) return this.#output.files;
    return [{ ...kept, kind: "log", separableBytes: this.#keptBytes }];
  }

  get settled(): boolean {
    return this.#output.settled;
  }

  /** Values stay where they stand: the records come from the image of this segment, at their offsets in it. */
  keepSegment(segment: KeptSegment): void {
    this.#kept = segment;
  }

  /** Makes `bytes`, `view` and `offset` what the table gets in the place of the record at `offset`. */
  place(bytes: Uint8Array, view: DataView, offset: number): void {
    this.bytes = bytes;
    this.view = view;
    this.offset = offset;
    this.movedBytes = 0;
    const kind = readKind(view, offset);
    if (kind === recordKind.pointer) {
      if (this.#relocate.size > 0) this.#relocateValue(bytes, view, offset);
    } else if (kind === recordKind.value && this.#isLarge(readValueLength(view, offset))) {
      this.#separate(bytes, view, offset);
    }
  }

  finish(): void {
    this.#closeSources();
    this.#output.finishFile();
  }

  /** Removes what was written: nobody refers to it. */
  abandon(): void {
    this.#closeSources();
    this.#output.abandon();
  }

  #closeSources(): void {
    this.#sources.close();
  }

  #isLarge(valueLength: number): boolean {
    return this.#rules.thresholdBytes > 0 && valueLength >= this.#rules.thresholdBytes;
  }

  #separate(bytes: Uint8Array, view: DataView, offset: number): void {
    this.separatedCount++;
    const kept = this.#kept;
    if (kept === null) {
      this.#output.add(bytes, view, offset);
      this.movedBytes = recordBytesAt(view, offset);
      return this.#point(bytes, view, offset, this.#output.place);
    }
    const place = this.#keptPlace;
    place.file = kept.number;
    place.offset = offset;
    place.valueLength = readValueLength(view, offset);
    const start = offset + recordHeaderBytes + readKeyLength(view, offset);
    place.crc = crc32(bytes, start, start + place.valueLength, salt(kept.number, offset));
    this.#keptBytes += recordBytesAt(view, offset);
    this.#point(bytes, view, offset, place);
  }

  /** The same record, version and all, points to a new place. It never passes the write path. */
  #relocateValue(bytes: Uint8Array, view: DataView, offset: number): void {
    const pointer = pointerAt(view, offset);
    if (!this.#relocate.has(readPointedFile(view, pointer))) return;
    const image = this.#sources.image(bytes, view, offset);
    const imageView = new DataView(image.buffer, image.byteOffset, image.byteLength);
    this.movedBytes = pointedImageBytes(view, offset);
    this.relocatedCount++;
    this.relocatedBytes += this.movedBytes;
    if (this.#isLarge(readPointedLength(view, pointer))) {
      this.#output.add(image, imageView, 0);
      return this.#point(bytes, view, offset, this.#output.place);
    }
    // The threshold was raised since: the value returns into the table.
    this.bytes = image;
    this.view = imageView;
    this.offset = 0;
  }

  /** The record at `offset` with a pointer to `place` instead of what it holds. */
  // oxlint-disable-next-line max-params
  #point(bytes: Uint8Array, view: DataView, offset: number, place: ValuePlace): void {
    const keyLength = readKeyLength(view, offset);
    const length = recordBytes(keyLength, valuePointerBytes);
    if (this.#scratch.length < length) {
      this.#scratch = new Uint8Array(length * 2);
      this.#scratchView = new DataView(this.#scratch.buffer);
    }
    const headEnd = recordHeaderBytes + keyLength;
    this.#scratch.set(bytes.subarray(offset, offset + headEnd));
    this.#scratch.fill(0, headEnd + valuePointerBytes, length);
    this.#scratchView.setUint32(0, valuePointerBytes, true);
    this.#scratchView.setUint8(6, recordKind.pointer);
    writePointer(this.#scratchView, headEnd, place);
    this.bytes = this.#scratch;
    this.view = this.#scratchView;
    this.offset = 0;
  }
}
