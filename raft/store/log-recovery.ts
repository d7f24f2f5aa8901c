import { assert } from "../../core/assert.ts";
import { DiskError } from "../../core/env/disk.ts";
import type { Env } from "../../core/env/env.ts";
import { writeFully } from "../../core/env/whole-io.ts";
import { corruption } from "../../core/errors.ts";
import type { DirectorySync } from "../../core/wal/directory-sync.ts";
import { fileHeaderBytes, fileMagic, writeFileHeader } from "../../core/wal/file-header.ts";
import { frameHeaderBytes, frameType, type FrameType, FrameWriter } from "../../core/wal/frame.ts";
import { judgeLog, type LogVerdict } from "../../core/wal/log-verdict.ts";
import { startSync } from "../../core/wal/start-sync.ts";
import { changeHeaderBytes, encodeChange } from "./log-change.ts";
import { LogFile, logFileName, logFileNumber } from "./log-file.ts";
import { LogIndex } from "./log-index.ts";
import { eachChange, type LogScan, readLogFile, readLogHeader, scanLogFile } from "./log-scan.ts";

/** A log that was read back, and the segment that its next frames go to. */
export interface RecoveredLog {
  readonly index: LogIndex;
  readonly epoch: number;
  /** Ascending; the last is open for writing. */
  readonly files: LogFile[];
  readonly tornBytes: number;
}

const remedy = "restore the file from a copy; nothing was changed";

/** What an opening writes to the first segment of a log before it knows that the segment's header is durable. */
const unbegunBytesMax = fileHeaderBytes + frameHeaderBytes + changeHeaderBytes;

/**
 * Reads the log in `directory`, or begins one. What a crash may leave is repaired; what it may not is refused with
 * `NOKV_CORRUPTION` naming file and offset, and then nothing was changed. Throws `DiskError`.
 *
 * Sealed segments were durable before the next one began. The newest is not trusted to stay: a sync of it may have
 * failed, and its pages be in memory only. So everything in it is written again, to a segment that takes its place.
 */
export async function recoverLog(env: Env, directory: DirectorySync): Promise<RecoveredLog> {
  const numbers = env.disk.list(directory.path).map(logFileNumber).filter((number) => number > 0);
  numbers.sort((a, b) => a - b);
  const epoch = findEpoch(env, directory.path, numbers);
  const scans = numbers.map((number) => scanLogFile(env.disk, directory.path, number, epoch));
  refuseHeadless(scans);
  const found = judge(directory.path, scans);
  const opened: LogFile[] = [];
  try {
    return await new Rewriting(env, directory, epoch, opened).run(found, numbers);
  } catch (error) {
    for (const file of opened) file.close();
    throw error;
  }
}

/** That of the oldest segment with a whole header; a new log draws its own. */
function findEpoch(env: Env, directory: string, numbers: readonly number[]): number {
  let epoch: number | null = null;
  for (const number of numbers) {
    const header = readLogHeader(env.disk, directory, number);
    if (header === null) continue;
    epoch ??= header.epoch;
    if (header.epoch === epoch) continue;
    throw corruption(`${directory}/${logFileName(number)}`, 16, "the segment is of another log", remedy);
  }
  const wallMs = Math.max(0, Math.floor(env.clock.wallMs()));
  return epoch ?? env.random.u32("raft/log-epoch", 0, wallMs);
}

/**
 * Without one whole header nobody knows the log's epoch, so no witness can be read. Then the length is one: a first
 * segment grows only behind its durable header.
 */
function refuseHeadless(scans: readonly LogScan[]): void {
  if (scans.some(({ header }) => header !== null)) return;
  const begun = scans.find(({ sizeBytes }) => sizeBytes > unbegunBytesMax);
  if (begun !== undefined) throw corruption(begun.path, 0, begun.problem, remedy);
}

/** What is part of the log, in order, of everything that lies there. */
function judge(directory: string, scans: readonly LogScan[]): LogVerdict<LogScan> {
  const complete = scans.filter((scan) => scan.complete);
  const begin = scans.reduce((highest, scan) => Math.max(highest, scan.begin), 1);
  const named = new Set(scans.map((scan) => scan.header?.previousNumber ?? 0));
  const own: LogScan[] = [];
  for (const scan of scans) {
    if (scan.number < begin || complete.some((other) => replaces(other, scan))) continue;
    const before = own.at(-1);
    if (isUnbegun(scan, named) || (before !== undefined && isUnfinished(scan, before))) continue;
    own.push(scan);
  }
  return judgeLog(directory, own, { logNumber: begin, listed: [], closedBytes: 0 });
}

/** Also what came back although it was removed long ago: a directory's sync may fail. */
function replaces(complete: LogScan, scan: LogScan): boolean {
  const previous = complete.header?.previousNumber ?? complete.number;
  return previous < scan.number && scan.number < complete.number;
}

/** Its header never became durable, so nothing behind it was ever told, and nothing was begun after it. */
function isUnbegun(scan: LogScan, named: ReadonlySet<number>): boolean {
  return scan.header === null && scan.witnessedBytes === 0 && scan.newerFormat === null && !named.has(scan.number);
}

/** It was to take the place of the one before it, and a crash came between. */
function isUnfinished(scan: LogScan, before: LogScan): boolean {
  if (scan.header === null || before.header === null) return false;
  if (scan.header.previousNumber !== before.header.previousNumber) return false;
  if (scan.witnessedBytes === 0) return true;
  throw corruption(scan.path, scan.goodBytes, scan.problem || "the segment before this one should be gone", remedy);
}

interface FrameAs {
  readonly type: FrameType;
  readonly changes: number;
}

class Rewriting {
  readonly #env: Env;
  readonly #directory: DirectorySync;
  readonly #epoch: number;
  readonly #opened: LogFile[];
  readonly #index = new LogIndex();
  #bytes = new Uint8Array(4096);

  // oxlint-disable-next-line max-params
  constructor(env: Env, directory: DirectorySync, epoch: number, opened: LogFile[]) {
    this.#env = env;
    this.#directory = directory;
    this.#epoch = epoch;
    this.#opened = opened;
  }

  async run(found: LogVerdict<LogScan>, numbers: readonly number[]): Promise<RecoveredLog> {
    const { disk } = this.#env;
    const newest = found.replay.at(-1) ?? null;
    for (const scan of found.replay) {
      if (scan !== newest) this.#readBack(scan);
    }
    const target = this.#create(newest, (numbers.at(-1) ?? 0) + 1);
    if (newest !== null) this.#copy(newest, target);
    const kept = new Set(this.#opened.map((file) => file.number));
    const goes = numbers.filter((number) => !kept.has(number));
    this.#writeComplete(target);
    const problem = this.#index.problem();
    if (problem !== null) {
      target.remove(disk);
      throw corruption(this.#directory.path, 0, problem, remedy);
    }
    await syncFile(target);
    // A header that is damaged later must not look like one that never was: something durable vouches for it.
    this.#writeFrame(target, 0, { type: frameType.witness, changes: 0 }, target.sizeBytes);
    await syncFile(target);
    await this.#syncDirectory();
    for (const number of goes) this.#remove(number);
    await this.#syncDirectory();
    return { index: this.#index, epoch: this.#epoch, files: this.#opened, tornBytes: found.tornBytes };
  }

  #readBack(scan: LogScan): void {
    const { disk } = this.#env;
    const file = LogFile.open(disk, this.#directory.path, scan.number, "read");
    file.sizeBytes = scan.goodBytes;
    this.#opened.push(file);
    readLogFile(disk, scan, this.#epoch, (payload, offset) => {
      eachChange(payload, (change, at, bytes) => {
        this.#index.apply(change, { segment: scan.number, offset: offset + at, bytes });
      });
    });
  }

  /** In the chain it stands where `newest` does. */
  #create(newest: LogScan | null, number: number): LogFile {
    const file = LogFile.open(this.#env.disk, this.#directory.path, number, "create");
    this.#opened.push(file);
    const previousNumber = newest?.header?.previousNumber ?? 0;
    const previousBytes = newest?.header?.previousBytes ?? 0;
    const view = new DataView(this.#bytes.buffer);
    const header = { fileNumber: number, epoch: this.#epoch, previousNumber, previousBytes };
    writeFileHeader(this.#bytes, view, fileMagic.raft, header);
    writeFully(file.file, 0, this.#bytes, 0, fileHeaderBytes);
    return file;
  }

  #copy(scan: LogScan, target: LogFile): void {
    readLogFile(this.#env.disk, scan, this.#epoch, (payload) => {
      this.#reserve(frameHeaderBytes + payload.length);
      let end = frameHeaderBytes;
      let changes = 0;
      eachChange(payload, (change, at, bytes) => {
        // Not of this one yet.
        if (change.op === "complete") return;
        this.#bytes.set(payload.subarray(at, at + bytes), end);
        const offset = target.sizeBytes + end;
        this.#index.apply(change, { segment: target.number, offset, bytes });
        end += bytes;
        changes++;
      });
      if (changes > 0) this.#writeFrame(target, end - frameHeaderBytes, { type: frameType.edit, changes });
    });
  }

  #writeComplete(target: LogFile): void {
    const change = { op: "complete", segment: target.number } as const;
    const end = encodeChange(change, this.#bytes, new DataView(this.#bytes.buffer), frameHeaderBytes);
    this.#writeFrame(target, end - frameHeaderBytes, { type: frameType.edit, changes: 1 });
  }

  /** Heads the payload in the buffer and appends both. */
  // oxlint-disable-next-line max-params
  #writeFrame(target: LogFile, payloadBytes: number, as: FrameAs, durableBytes = 0): void {
    const view = new DataView(this.#bytes.buffer);
    const frames = new FrameWriter(this.#bytes, view, target.number, this.#epoch);
    frames.base = target.sizeBytes;
    frames.durableBytes = durableBytes;
    frames.write(0, payloadBytes, as.type, as.changes);
    const end = frameHeaderBytes + payloadBytes;
    writeFully(target.file, target.sizeBytes, this.#bytes, 0, end);
    target.sizeBytes += end;
  }

  #reserve(bytes: number): void {
    if (bytes > this.#bytes.length) this.#bytes = new Uint8Array(2 * bytes);
    assert(this.#bytes.length >= bytes, "a frame fits the buffer");
  }

  #remove(number: number): void {
    try {
      this.#env.disk.remove(`${this.#directory.path}/${logFileName(number)}`);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      // The next opening tries again.
      if (error.code !== "ENOENT") this.#env.trace.emit("raft/log-left-behind", { number, code: error.code });
    }
  }

  #syncDirectory(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#directory.sync((error) => (error === null ? resolve() : reject(error)));
    });
  }
}

function syncFile(file: LogFile): Promise<void> {
  return new Promise((resolve, reject) => {
    startSync(file.file, (error) => (error === null ? resolve() : reject(error)));
  });
}
