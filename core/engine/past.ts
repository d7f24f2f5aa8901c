import { assert } from "../assert.ts";
import type { Env } from "../env/env.ts";
import { corruption, NokvError } from "../errors.ts";
import { tableFileName } from "../lsm/table-meta.ts";
import { readManifest } from "../manifest/reader.ts";
import { ManifestState } from "../manifest/state.ts";
import { valueFileProblem } from "../vlog/value-file-check.ts";
import { FrameReader, frameType } from "../wal/frame.ts";
import { judgeLog, type LogVerdict } from "../wal/log-verdict.ts";
import { scanSegment, type SegmentScan } from "../wal/segment-scan.ts";
import { readStable } from "../wal/stable-read.ts";
import type { OwnFile } from "./file-names.ts";
import { damageOf, type Finding } from "../finding.ts";

/** What earlier openings left, read and judged; nothing was changed. */
export interface Past {
  /** The manifest that CURRENT names; null: there is no CURRENT. */
  readonly manifest: { readonly number: number; readonly epoch: number } | null;
  readonly state: ManifestState;
  readonly log: LogVerdict;
  /** Newest version in tables. */
  readonly tableVersion: number;
  /** No version up to it was left unused for sure. */
  readonly lastVersion: number;
  readonly tornBytes: number;
  /** Calls `take` with every frame of records to be kept, in order. Returns how many. */
  replay(take: (frame: ReplayedFrame) => void): number;
}

/** Records in `bytes[start, end)`. */
export interface ReplayedFrame {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** They bear versions that were given to them. */
  readonly versionsGiven: boolean;
}

/** A directory without a database. */
export function noPast(): Past {
  return {
    manifest: null,
    state: new ManifestState(),
    log: { replay: [], torn: null, tornBytes: 0 },
    tableVersion: 0,
    lastVersion: 0,
    tornBytes: 0,
    replay: () => 0,
  };
}

/**
 * Throws `NOKV_CORRUPTION` naming file and offset for what no crash can have done, `NOKV_FORMAT`,
 * `DiskError`.
 */
export function readPast(env: Env, directory: string, files: readonly OwnFile[]): Past {
  const manifest = readManifest(env.disk, directory);
  const { state, epoch } = manifest;
  checkTables(env, directory, state, files);
  checkValueFiles(env, directory, state);
  const { scans, images } = readLog(env, directory, files, { state, epoch, note: null });
  const log = judgeLog(directory, scans, state);
  const tableVersion = state.newestTableVersion();
  return {
    manifest: { number: manifest.number, epoch },
    state,
    log,
    tableVersion,
    lastVersion: checkVersions(log.replay, tableVersion, state.lastVersion),
    tornBytes: log.tornBytes + manifest.tornBytes,
    replay: replayOf(log.replay, images, epoch),
  };
}

/** Which segments are read, and who hears of one that can not be: null throws. */
interface LogRead {
  readonly state: ManifestState;
  readonly epoch: number;
  readonly note: ((finding: Finding) => void) | null;
}

interface LogImages {
  /** By number, ascending. */
  readonly scans: SegmentScan[];
  readonly images: Map<number, Uint8Array>;
}

/** Every segment that is not obsolete, as often as it takes until reads agree. */
export function readLog(env: Env, directory: string, files: readonly OwnFile[], read: LogRead): LogImages {
  const { state, epoch, note } = read;
  const images = new Map<number, Uint8Array>();
  const scans: SegmentScan[] = [];
  for (const file of files) {
    // Older segments are obsolete: their records are in tables.
    if (file.kind !== "wal" || file.number < state.logNumber) continue;
    const path = `${directory}/${file.name}`;
    const scan = (bytes: Uint8Array): SegmentScan =>
      scanSegment(path, bytes, bytes.length, file.number, epoch);
    try {
      const bytes = readStable(env.disk, path, (image) => isClean(scan(image)));
      scans.push(scan(bytes));
      images.set(file.number, bytes);
    } catch (error) {
      if (note === null || !(error instanceof NokvError)) throw error;
      note(damageOf(error, path));
    }
  }
  scans.sort((a, b) => a.number - b.number);
  return { scans, images };
}

export function replayOf(
  replay: readonly SegmentScan[],
  images: Map<number, Uint8Array>,
  epoch: number,
): Past["replay"] {
  return (take) => replayFrames(replay, images, epoch, take);
}

function isClean(scan: SegmentScan): boolean {
  return scan.header !== null && scan.problem === "" && scan.goodBytes === scan.sizeBytes;
}

function checkTables(env: Env, directory: string, state: ManifestState, files: readonly OwnFile[]): void {
  const present = new Set(files.filter((file) => file.kind === "table").map((file) => file.number));
  const missing = state.tablesInOrder().filter((table) => !present.has(table.number));
  const [first] = missing;
  if (first !== undefined) {
    const name = tableFileName(first.number);
    const what = `${missing.length} tables named by the manifest are missing, the first is ${name}`;
    throw corruption(`${directory}/${name}`, 0, what, "restore it from a copy; nothing was changed");
  }
  for (const table of state.tablesInOrder()) {
    const path = `${directory}/${tableFileName(table.number)}`;
    // Opening a FIFO would wait for ever.
    if (env.disk.kind(path) !== "file") throw corruption(path, 0, "this is not a regular file");
  }
}

function checkValueFiles(env: Env, directory: string, state: ManifestState): void {
  for (const file of state.valuesInOrder()) {
    const problem = valueFileProblem(env.disk, directory, file);
    if (problem !== null) throw problem;
  }
}

/** Versions that the log gave are above all in tables, and in segments before. */
function checkVersions(replay: readonly SegmentScan[], tableVersion: number, lastVersion: number): number {
  let newest = tableVersion;
  for (const scan of replay) {
    if (goesBack(scan, newest)) throw corruption(scan.path, 0, "its versions go back: it belongs elsewhere");
    newest = Math.max(newest, scan.lastVersion);
  }
  return Math.max(newest, lastVersion);
}

/** Whether the log gave versions in this segment that are not above `newest`. */
export function goesBack(scan: SegmentScan, newest: number): boolean {
  return scan.firstVersion !== 0 && scan.firstVersion <= newest;
}

function replayFrames(
  replay: readonly SegmentScan[],
  images: Map<number, Uint8Array>,
  epoch: number,
  take: (frame: ReplayedFrame) => void,
): number {
  let frameCount = 0;
  for (const scan of replay) {
    const bytes = images.get(scan.number);
    assert(bytes !== undefined, "a segment that is replayed was read");
    const reader = new FrameReader(bytes, scan.goodBytes, scan.number, epoch);
    for (let step = reader.next(); step !== "end"; step = reader.next()) {
      assert(step === "frame", "what was judged good is whole frames");
      if (reader.type !== frameType.records) continue;
      const { payloadStart: start, payloadEnd: end, versionsGiven } = reader;
      take({ bytes, start, end, versionsGiven });
      frameCount++;
    }
    images.delete(scan.number);
  }
  return frameCount;
}
