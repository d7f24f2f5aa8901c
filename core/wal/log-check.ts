import type { Disk } from "../env/disk.ts";
import { readFully } from "../env/whole-io.ts";
import { corruption, NokvError } from "../errors.ts";
import { damageOf, type Finding } from "../finding.ts";
import { closeFile } from "./close-file.ts";
import { fileMagic, readFileHeader } from "./file-header.ts";
import { scanSegment } from "./segment-scan.ts";

/** A part of a log segment that nobody writes to any more. */
export interface LogRange {
  readonly path: string;
  readonly number: number;
  /** Null: that of its own header, for a segment that was kept as a value file. It ends with its seal. */
  readonly epoch: number | null;
  readonly endBytes: number;
}

const attemptsMax = 3;
const noSeal = "the segment ends without its seal";

/** Judges the first `endBytes` of a segment that is in use: every frame, every record. */
export function checkLogFile(
  disk: Disk,
  range: LogRange,
): { readonly findings: readonly Finding[]; readonly records: number; readonly bytes: number } {
  const { path, number, epoch, endBytes } = range;
  let problem: NokvError | null = null;
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const bytes = readStart(disk, path, endBytes);
    try {
      const scan = scanSegment(path, bytes, bytes.length, number, epoch ?? epochOf(path, bytes, number));
      const isEnd = scan.goodBytes === endBytes;
      if (isEnd && (epoch !== null || scan.sealed)) return { findings: [], records: scan.frameCount, bytes: endBytes };
      problem = corruption(path, scan.goodBytes, scan.problem || (isEnd ? noSeal : "the segment is cut short"));
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      problem = error;
    }
  }
  return { findings: problem === null ? [] : [damageOf(problem, path)], records: 0, bytes: endBytes };
}

function epochOf(path: string, bytes: Uint8Array, number: number): number {
  const header = readFileHeader(bytes, bytes.length, fileMagic.wal, number, path);
  if (header instanceof NokvError) throw header;
  return header.epoch;
}

function readStart(disk: Disk, path: string, endBytes: number): Uint8Array {
  const file = disk.open(path, "read");
  try {
    const bytes = new Uint8Array(endBytes);
    return bytes.subarray(0, readFully(file, 0, bytes, 0, endBytes));
  } finally {
    closeFile(file);
  }
}
