import { assert } from "../assert.ts";
import { corruption } from "../errors.ts";
import { walName } from "./segment-name.ts";
import type { FrameScan, SegmentScan } from "./segment-scan.ts";

/** What the manifest knows about the log. */
export interface LogExpectation {
  /** Segments below this number are obsolete. */
  readonly logNumber: number;
  /** Segments that were durable, and every segment before them, when the manifest said so. */
  readonly listed: readonly number[];
  /** The length of the newest segment when the database was closed in order; 0 when it was not. */
  readonly closedBytes: number;
}

/** What may be replayed, in order, and what a crash took. */
export interface LogVerdict<S extends FrameScan = SegmentScan> {
  readonly replay: readonly S[];
  /** Where the log ends before its files do; null when nothing was lost. */
  readonly torn: Doubt | null;
  /** Bytes behind that point, later segments included. */
  readonly tornBytes: number;
}

/** A place where the log does not go on as it should. */
export interface Doubt {
  readonly path: string;
  readonly offset: number;
  readonly problem: string;
}

const remedy = "restore the file from a copy; nothing was changed";

/**
 * Tells a torn tail, which a crash may leave and which is dropped, from damage to bytes that were durable,
 * which is refused. A doubtful place is damage when anything vouches that it had been durable: a frame behind
 * it, a later segment, or the manifest. `scans` are in order of their numbers, none below `logNumber`.
 *
 * What is kept is a prefix of what was written: nothing behind the first doubtful byte is replayed.
 */
export function judgeLog<S extends FrameScan>(
  directory: string,
  scans: readonly S[],
  expected: LogExpectation,
): LogVerdict<S> {
  checkListed(directory, scans, expected);
  const own = scans.filter((scan) => isOurs(scan, expected));
  const replay: S[] = [];
  let before: S | null = null;
  for (let i = 0; i < own.length; i++) {
    const scan = own[i];
    assert(scan !== undefined, "the index is within the array");
    const unlinked = linkProblem(scan, before, expected);
    if (unlinked !== null) {
      const doubt = { path: scan.path, offset: 0, problem: unlinked };
      // With its own header intact the segment itself tells whether what is missing before it was durable.
      refuseIfVouched(own, scan.header === null ? i + 1 : i, doubt, expected);
      return { replay, torn: doubt, tornBytes: bytesFrom(own, i) };
    }
    replay.push(scan);
    const tail = tailProblem(scan, i === own.length - 1);
    if (tail !== null) {
      const doubt = { path: scan.path, offset: scan.goodBytes, problem: tail };
      refuseIfVouched(own, i + 1, doubt, expected);
      return { replay, torn: doubt, tornBytes: scan.sizeBytes - scan.goodBytes + bytesFrom(own, i + 1) };
    }
    before = scan;
  }
  checkClosed(before, expected);
  return { replay, torn: null, tornBytes: 0 };
}

/**
 * Not what an interrupted opening left: a segment of another epoch, or any that the manifest of a database
 * closed in order does not name. Nothing in such a segment was ever acknowledged.
 */
function isOurs(scan: FrameScan, expected: LogExpectation): boolean {
  if (expected.closedBytes > 0) return expected.listed.includes(scan.number);
  return !scan.foreign;
}

/** A segment that the manifest names was durable with its header: its absence is never a crash's work. */
function checkListed(directory: string, scans: readonly FrameScan[], expected: LogExpectation): void {
  for (const scan of scans) {
    if (scan.newerFormat !== null) throw scan.newerFormat;
  }
  for (const number of expected.listed) {
    const scan = scans.find((candidate) => candidate.number === number);
    if (scan === undefined) {
      const path = `${directory}/${walName(number)}`;
      throw corruption(path, 0, `WAL segment ${number}, named by the manifest, is missing`, remedy);
    }
    if (scan.header === null) throw corruption(scan.path, 0, scan.problem, remedy);
  }
}

/** Why `scan` can not follow `before`; null when it does. */
function linkProblem(
  scan: FrameScan,
  before: FrameScan | null,
  expected: LogExpectation,
): string | null {
  const header = scan.header;
  if (header === null) return scan.problem;
  const linked =
    before === null ? header.previousNumber < expected.logNumber : header.previousNumber === before.number;
  if (!linked) return `WAL segment ${header.previousNumber}, which comes before, is missing`;
  if (before !== null && header.previousBytes > 0 && header.previousBytes !== before.goodBytes) {
    const found = `its ${before.goodBytes} bytes were ${header.previousBytes} when the next segment began`;
    throw corruption(before.path, before.goodBytes, found, remedy);
  }
  return null;
}

function tailProblem(scan: FrameScan, isLast: boolean): string | null {
  if (scan.sealed) return null;
  if (scan.problem !== "") return scan.problem;
  return isLast ? null : "the segment ends without its seal although another one follows";
}

/**
 * Throws when anything vouches that `doubt` was durable once. `from` is the first segment whose durability
 * implies it: syncs go from the oldest segment to the newest, so one durable byte vouches for all before it.
 */
function refuseIfVouched(
  scans: readonly FrameScan[],
  from: number,
  doubt: Doubt,
  expected: LogExpectation,
): void {
  const refusal = corruption(doubt.path, doubt.offset, doubt.problem, remedy);
  // A database that was closed in order has no torn tail.
  if (expected.closedBytes > 0) throw refusal;
  for (let i = 0; i < scans.length; i++) {
    const scan = scans[i];
    assert(scan !== undefined, "the index is within the array");
    // The witness rule. Without it a flipped bit in old data silently drops everything behind it.
    if (scan.path === doubt.path && scan.witnessedBytes > doubt.offset) throw refusal;
    if (i < from) continue;
    // Without these two a damaged old segment silently drops every later one.
    if (scan.vouchesForEarlier) throw refusal;
    if (expected.listed.includes(scan.number)) throw refusal;
  }
}

function checkClosed(last: FrameScan | null, expected: LogExpectation): void {
  if (expected.closedBytes === 0 || last === null) return;
  if (last.sealed && last.goodBytes === expected.closedBytes) return;
  const found = `the log was closed at ${expected.closedBytes} bytes but ends here`;
  throw corruption(last.path, last.goodBytes, found, remedy);
}

function bytesFrom(scans: readonly FrameScan[], from: number): number {
  let bytes = 0;
  for (let i = from; i < scans.length; i++) bytes += scans[i]?.sizeBytes ?? 0;
  return bytes;
}
