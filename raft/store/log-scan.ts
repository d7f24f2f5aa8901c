import type { Disk } from "../../core/env/disk.ts";
import { corruption, NokvError } from "../../core/errors.ts";
import { type FileHeader, fileMagic, readFileHeader } from "../../core/wal/file-header.ts";
import { FrameReader, frameType } from "../../core/wal/frame.ts";
import { type FrameScan, scanFrames } from "../../core/wal/segment-scan.ts";
import { readStable } from "../../core/wal/stable-read.ts";
import { ChangeReader, type LogChange } from "./log-change.ts";
import { logFileName } from "./log-file.ts";

/** A segment of a store's Raft log, read once. */
export interface LogScan extends FrameScan {
  /** The highest that its frames say. */
  readonly begin: number;
  /** It holds everything that stood in any segment between the one before it and itself. */
  readonly complete: boolean;
}

/** The header of segment `number`, or null when it is not whole. Throws `NOKV_FORMAT` for another version's. */
export function readLogHeader(disk: Disk, directory: string, number: number): FileHeader | null {
  const path = `${directory}/${logFileName(number)}`;
  const whole = (bytes: Uint8Array): boolean =>
    !(readFileHeader(bytes, bytes.length, fileMagic.raft, number, path) instanceof NokvError);
  const bytes = readStable(disk, path, whole);
  const header = readFileHeader(bytes, bytes.length, fileMagic.raft, number, path);
  if (!(header instanceof NokvError)) return header;
  if (header.code === "NOKV_FORMAT") throw header;
  return null;
}

/** Throws `NOKV_CORRUPTION` for what no crash can cause. */
export function scanLogFile(disk: Disk, directory: string, number: number, epoch: number): LogScan {
  const path = `${directory}/${logFileName(number)}`;
  const scan = (bytes: Uint8Array): LogScan => scanImage(path, bytes, number, epoch);
  // A scan that finds nothing wrong needs no second opinion.
  return scan(readStable(disk, path, (bytes) => scan(bytes).problem === ""));
}

/** Gives every change of a segment that was scanned, with its place, frame by frame. */
export function readLogFile(
  disk: Disk,
  scan: LogScan,
  epoch: number,
  frame: (payload: Uint8Array, offset: number, changes: number) => void,
): void {
  const { path, number, goodBytes } = scan;
  const whole = (bytes: Uint8Array): boolean => scanImage(path, bytes, number, epoch).goodBytes === goodBytes;
  const bytes = readStable(disk, path, whole);
  if (!whole(bytes)) throw corruption(path, 0, "two readings of this file gave different bytes");
  const reader = new FrameReader(bytes, goodBytes, number, epoch);
  while (reader.next() === "frame") {
    if (reader.type !== frameType.edit) continue;
    frame(bytes.subarray(reader.payloadStart, reader.payloadEnd), reader.payloadStart, reader.batchCount);
  }
}

/** Gives the changes of a payload that passed `scanLogFile`; what they hold borrows it. */
export function eachChange(payload: Uint8Array, run: (change: LogChange, offset: number, bytes: number) => void): void {
  const changes = new ChangeReader(payload, 0, payload.length);
  for (;;) {
    const change = changes.next();
    if (change === null) return;
    if (typeof change === "string") throw new NokvError("NOKV_CORRUPTION", change);
    run(change, changes.at, changes.position - changes.at);
  }
}

function scanImage(path: string, bytes: Uint8Array, number: number, epoch: number): LogScan {
  let begin = 0;
  let complete = false;
  const check = (reader: FrameReader): void => {
    let count = 0;
    const changes = new ChangeReader(bytes, reader.payloadStart, reader.payloadEnd);
    for (;;) {
      const change = changes.next();
      if (change === null) break;
      if (typeof change === "string") throw corruption(path, changes.position, change);
      if (change.op === "begin") begin = Math.max(begin, change.segment);
      if (change.op === "complete" && change.segment === number) complete = true;
      count++;
    }
    if (count === reader.batchCount) return;
    throw corruption(path, reader.offset, "a frame holds another number of changes than it says");
  };
  const content = { magic: fileMagic.raft, type: frameType.edit, check };
  return { ...scanFrames(path, bytes, bytes.length, { number, epoch, content }), begin, complete };
}
