// HOT: every committed record is copied into a segment's arena here.
import { assert } from "../assert.ts";
import type { DiskFile } from "../env/disk.ts";
import { fileHeaderBytes, fileMagic, writeFileHeader } from "./file-header.ts";
import { frameBatchesMax, frameHeaderBytes, frameType, FrameWriter } from "./frame.ts";

/**
 * One segment of the log, and at the same time the memory of one memtable: `arena[0, endBytes)` is the
 * image of the file, so an offset means the same in both.
 *
 * Batches gather in an open frame, whose header is written when the frame is closed for the disk.
 *
 * Invariants:
 * - durableBytes <= writtenBytes <= endBytes, and below writtenBytes the arena never changes
 * - room for one more frame header always remains, for the seal or a witness
 */
export class WalSegment {
  readonly number: number;
  readonly path: string;
  readonly arena: Uint8Array;
  readonly view: DataView;
  readonly epoch: number;
  /** The segment before this one; 0: none. */
  readonly previousNumber: number;
  readonly frames: FrameWriter;
  /** Null until the first write. */
  file: DiskFile | null = null;
  /** Its file was another segment's before, and may be longer than this one. */
  renamed = false;
  /** Where what was in the file before, or zeros written ahead, end: writing below makes it no longer. */
  allocatedBytes = 0;
  /** The disk was full: nothing is written ahead any more. */
  roomGivenUp = false;
  /** The file's entry in its directory is durable. */
  entryDurable = false;
  endBytes = fileHeaderBytes;
  /** Bytes that the disk has taken. */
  writtenBytes = 0;
  /** Of them, those of whole groups: on a full disk a group may be written in part, and go on later. */
  wholeBytes = 0;
  durableBytes = 0;
  /** Up to here a sync was asked for. */
  demandedBytes = 0;
  /** The sealed length of the segment before, once that is durable; 0 until then. */
  previousBytes = 0;
  /** Newest ticket appended, and newest written; see `WritePath`. */
  lastVersion = 0;
  writtenVersion = 0;
  sealed = false;
  /** Its records are in a durable table: it needs no sync any more. */
  forgotten = false;
  /** Its file will be needed for its values: it becomes durable, whatever holds other groups back. */
  kept = false;
  #openOffset = -1;
  #openBatches = 0;

  // oxlint-disable-next-line max-params
  constructor(number: number, path: string, arena: Uint8Array, epoch: number, previousNumber: number) {
    assert(arena.length >= WalSegment.arenaBytes(0), "an arena has room for a frame and a seal");
    this.number = number;
    this.path = path;
    this.arena = arena;
    this.view = new DataView(arena.buffer, arena.byteOffset, arena.byteLength);
    this.epoch = epoch;
    this.previousNumber = previousNumber;
    this.frames = new FrameWriter(arena, this.view, number, epoch);
    this.frames.earlierDurable = previousNumber === 0;
  }

  /** Arena that `payloadBytes` of records need in a segment of their own. */
  static arenaBytes(payloadBytes: number): number {
    return fileHeaderBytes + frameHeaderBytes + payloadBytes + frameHeaderBytes;
  }

  /** Whether `payloadBytes` more of records fit, with a frame header before them and a seal behind. */
  fits(payloadBytes: number): boolean {
    return !this.sealed && this.endBytes + payloadBytes + 2 * frameHeaderBytes <= this.arena.length;
  }

  /**
   * Copies one batch of record images into the open frame. Returns the offset of the first. `frameBytesMax` closes a
   * frame that would grow beyond it.
   */
  append(source: Uint8Array, length: number, ticket: number, frameBytesMax: number): number {
    assert(this.fits(length), "the caller made sure that the batch fits");
    assert(ticket > this.lastVersion, "tickets go up along the log");
    const openBytes = this.#openOffset < 0 ? 0 : this.endBytes - this.#openOffset;
    if (this.#openBatches === frameBatchesMax || openBytes + length > frameBytesMax) this.closeFrame();
    if (this.#openOffset < 0) {
      this.#openOffset = this.endBytes;
      this.endBytes += frameHeaderBytes;
    }
    const offset = this.endBytes;
    copy(source, length, this.arena, offset);
    this.endBytes = offset + length;
    this.lastVersion = ticket;
    this.#openBatches++;
    return offset;
  }

  /** Whether the batches appended from now on bear versions that were given to them: a frame is of one kind. */
  setVersionsGiven(given: boolean): void {
    if (this.frames.versionsGiven === given) return;
    this.closeFrame();
    this.frames.versionsGiven = given;
  }

  /** Completes the open frame, if any: only then may it be written. */
  closeFrame(): void {
    const offset = this.#openOffset;
    if (offset < 0) return;
    this.#closeWith(offset, this.endBytes - offset - frameHeaderBytes);
  }

  /** Appends the frame that says that nothing follows. */
  seal(): void {
    assert(!this.sealed, "a segment is sealed once");
    this.closeFrame();
    this.frames.durableBytes = this.durableBytes;
    this.frames.write(this.endBytes, 0, frameType.seal, 0);
    this.endBytes += frameHeaderBytes;
    this.sealed = true;
    assert(this.endBytes <= this.arena.length, "the seal found its reserved room");
  }

  /**
   * Writes a frame that vouches for everything before it, where the next frame will stand: it is not part
   * of the log and may be overwritten, since the next frame's header vouches for the same bytes.
   */
  writeWitness(): void {
    assert(this.#openOffset < 0, "a witness does not disturb an open frame");
    assert(this.file !== null, "a witness follows a durable group");
    this.frames.durableBytes = this.durableBytes;
    this.frames.write(this.endBytes, 0, frameType.witness, 0);
    // A short write leaves half a witness, which is none.
    this.file.write(this.endBytes, this.arena, this.endBytes, this.endBytes + frameHeaderBytes);
  }

  /** Completes the file header, which carries what is known of the segment before at this moment. */
  writeHeader(): void {
    assert(this.writtenBytes === 0, "a header that the disk has taken does not change");
    writeFileHeader(this.arena, this.view, fileMagic.wal, {
      fileNumber: this.number,
      epoch: this.epoch,
      previousNumber: this.previousNumber,
      previousBytes: this.previousBytes,
    });
  }

  /** Sealed, and durable to its last byte. */
  get isDurable(): boolean {
    return this.sealed && this.durableBytes === this.endBytes;
  }

  get hasOpenFrame(): boolean {
    return this.#openOffset >= 0;
  }

  #closeWith(offset: number, payloadBytes: number): void {
    this.frames.durableBytes = this.durableBytes;
    this.frames.write(offset, payloadBytes, frameType.records, this.#openBatches);
    this.#openOffset = -1;
    this.#openBatches = 0;
  }
}

/** Below this many bytes a loop beats the call behind `set` and `subarray`. */
const copyLoopBytesMax = 64;

function copy(source: Uint8Array, length: number, target: Uint8Array, offset: number): void {
  if (length > copyLoopBytesMax) {
    target.set(length === source.length ? source : source.subarray(0, length), offset);
    return;
  }
  for (let i = 0; i < length; i++) target[offset + i] = source[i] as number;
}
