import { assert } from "../assert.ts";
import { corruption, NokvError } from "../errors.ts";
import { type FileHeader, fileHeaderBytes, type FileMagic, fileMagic, readFileHeader } from "./file-header.ts";
import { FrameReader, frameType, type FrameType } from "./frame.ts";
import { RecordCheck } from "./record-check.ts";

/** What one look at the image of one segment of a log tells. `log-verdict.ts` judges several of them together. */
export interface FrameScan {
  readonly path: string;
  readonly number: number;
  /** Null: the header is not this log's; `problem` says why, and there are no frames. */
  readonly header: FileHeader | null;
  /** An intact header of another format version: no crash writes that. */
  readonly newerFormat: NokvError | null;
  /**
   * An intact header of another opening: what an interrupted open left behind, or another database's file.
   */
  readonly foreign: boolean;
  readonly sizeBytes: number;
  /** Everything below is the header and whole frames; 0 without a header. */
  readonly goodBytes: number;
  /** The last good frame says that nothing follows in this segment. */
  readonly sealed: boolean;
  readonly frameCount: number;
  /** Why the bytes at `goodBytes` are not a frame; "" when the image ends there, but for zeros. */
  readonly problem: string;
  /** The highest durable length that any intact frame header of this segment vouches for. */
  readonly witnessedBytes: number;
  /** Something in this segment vouches for the durability of every earlier one. */
  readonly vouchesForEarlier: boolean;
}

/** The same of a WAL segment. */
export interface SegmentScan extends FrameScan {
  /** Of the good frames' records the first that the log gave, and the newest of all; 0 without any. */
  readonly firstVersion: number;
  readonly lastVersion: number;
}

/** What one kind of log keeps in its frames. */
export interface FrameContent {
  readonly magic: FileMagic;
  /** Of frames with a payload. */
  readonly type: FrameType;
  /** Judges the payload of the frame that `reader` stands at. Throws `NOKV_CORRUPTION`. */
  check(reader: FrameReader): void;
}

/** As `scanFrames`, of a WAL segment. */
// oxlint-disable-next-line max-params
export function scanSegment(
  path: string,
  bytes: Uint8Array,
  end: number,
  number: number,
  epoch: number,
): SegmentScan {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records = new RecordCheck();
  const check = (reader: FrameReader): void => {
    if (!records.check(view, reader.payloadStart, reader.payloadEnd, reader.versionsGiven)) {
      throw corruption(path, records.problemOffset, records.problem);
    }
    if (reader.batchCount < records.batchesMin || reader.batchCount > records.batchesMax) {
      throw corruption(path, reader.offset, "a frame holds another number of batches than it says");
    }
  };
  const content = { magic: fileMagic.wal, type: frameType.records, check };
  const scan = scanFrames(path, bytes, end, { number, epoch, content });
  return { ...scan, firstVersion: records.firstVersion, lastVersion: records.lastVersion };
}

/**
 * Reads the image `bytes[0, end)` of segment `number` up to its first bad frame, and beyond it for witnesses.
 * Throws `NOKV_CORRUPTION` only for what no crash can cause: an intact checksum over impossible content.
 */
export function scanFrames(
  path: string,
  bytes: Uint8Array,
  end: number,
  as: { readonly number: number; readonly epoch: number; readonly content: FrameContent },
): FrameScan {
  const { number, epoch, content } = as;
  const decoded = readFileHeader(bytes, end, content.magic, number, path);
  const header = decoded instanceof NokvError ? null : decoded;
  const ours = header !== null && header.epoch === epoch;
  const reading = new FrameReader(bytes, end, number, epoch);
  const walk = ours ? walkFrames(path, bytes.subarray(0, end), reading, content) : null;
  const reader = new FrameReader(bytes, end, number, epoch);
  if (walk !== null) reader.position = walk.goodBytes;
  const beyond = reader.witnesses();
  return {
    path,
    number,
    header: ours ? header : null,
    newerFormat: decoded instanceof NokvError && decoded.code === "NOKV_FORMAT" ? decoded : null,
    foreign: header !== null && !ours,
    sizeBytes: end,
    goodBytes: walk === null ? 0 : walk.goodBytes,
    sealed: walk !== null && walk.sealed,
    frameCount: walk === null ? 0 : walk.frameCount,
    problem: walk === null ? headerProblem(decoded) : walk.problem,
    witnessedBytes: Math.max(beyond.durableBytes, walk === null ? 0 : walk.durableBytes),
    vouchesForEarlier:
      beyond.earlierDurable || (walk !== null && walk.earlierDurable) || (ours && header.previousBytes > 0),
  };
}

interface Walk {
  goodBytes: number;
  sealed: boolean;
  frameCount: number;
  problem: string;
  durableBytes: number;
  earlierDurable: boolean;
}

function walkFrames(path: string, image: Uint8Array, reader: FrameReader, content: FrameContent): Walk {
  const walk: Walk = {
    goodBytes: fileHeaderBytes, sealed: false, frameCount: 0, problem: "", durableBytes: 0, earlierDurable: false,
  };
  while (!walk.sealed) {
    const step = reader.next();
    if (step === "end") break;
    if (step === "bad") {
      if (reader.impossible) throw corruption(path, reader.offset, reader.problem);
      // What was written ahead of the end, or what the file system put in the place of what a crash took. Only
      // up to the very end: zeros with anything behind them are damage, or torn, and that is judged elsewhere.
      if (!isZero(image, reader.offset)) walk.problem = reader.problem;
      break;
    }
    if (reader.durableBytes > walk.durableBytes) walk.durableBytes = reader.durableBytes;
    if (reader.earlierDurable) walk.earlierDurable = true;
    if (reader.type === content.type) content.check(reader);
    else if (!isEmptyFrame(reader)) throw corruption(path, reader.offset, "a frame of this type has no place here");
    walk.sealed = reader.type === frameType.seal;
    walk.frameCount++;
    walk.goodBytes = reader.payloadEnd;
  }
  assert(walk.goodBytes <= image.length, "good frames lie inside the image");
  return walk;
}

/** A frame that only says something about others. */
function isEmptyFrame(reader: FrameReader): boolean {
  const known = reader.type === frameType.witness || reader.type === frameType.seal;
  return known && reader.payloadEnd === reader.payloadStart;
}

function headerProblem(decoded: FileHeader | NokvError): string {
  if (decoded instanceof NokvError) return "the file header is damaged or another file's";
  return "the segment belongs to another opening of the database, or to another database";
}

function isZero(image: Uint8Array, start: number): boolean {
  for (let at = start; at < image.length; at++) {
    if (image[at] !== 0) return false;
  }
  return true;
}
