import { crc32 } from "../../core/bytes/crc32.ts";
import { DiskError, type Disk, type DiskLock } from "../../core/env/disk.ts";
import type { Env } from "../../core/env/env.ts";
import { readFully, writeFully } from "../../core/env/whole-io.ts";
import { syncDirectory } from "../../core/engine/directory.ts";
import { refusal } from "../../core/engine/failure.ts";
import { NokvError } from "../../core/errors.ts";

/** What an operator's process knows of one peer that it brings to a store. Whether it is there, the region says. */
export interface TargetProgress {
  readonly regionId: number;
  readonly storeId: number;
  /** From the Coordinator's window: nobody else has it. It is used after it is in the journal, never before. */
  readonly peerId: number;
  /**
   * reserved: it may have been added already. added: the region had it; if it has it no more, its id is burnt.
   * aborting: it is being removed. done: it votes, and everybody knows.
   */
  readonly step: "reserved" | "added" | "aborting" | "done";
}

interface JournalText {
  readonly v: 1;
  readonly clusterId: string;
  readonly targets: readonly TargetProgress[];
}

const expandJournalName = "EXPAND";
const journalBytesMax = 16 * 1024 * 1024;
const steps: readonly TargetProgress["step"][] = ["reserved", "added", "aborting", "done"];

/**
 * The progress of expansions, in one file of a directory: JSON with a checksum, replaced whole. It is one process's at
 * a time. What it lacks costs an id; what it says, nobody has to guess after a crash.
 */
export class ExpandJournal {
  readonly path: string;
  readonly #env: Env;
  readonly #directory: string;
  readonly #clusterId: string;
  readonly #lock: DiskLock;
  #targets: readonly TargetProgress[];

  private constructor(env: Env, directory: string, lock: DiskLock, read: JournalText) {
    this.#env = env;
    this.#directory = directory;
    this.#lock = lock;
    this.path = `${directory}/${expandJournalName}`;
    this.#clusterId = read.clusterId;
    this.#targets = read.targets;
  }

  /**
   * Begins it where there is none. Rejects with `NOKV_CORRUPTION` when it is damaged, `NOKV_FOREIGN_DIRECTORY` when it
   * is of another cluster, `NOKV_LOCKED` when another process expands with it, `NOKV_IO`.
   */
  static async open(env: Env, directory: string, clusterId: string, owner: string): Promise<ExpandJournal> {
    const path = `${directory}/${expandJournalName}`;
    let lock: DiskLock | null = null;
    try {
      if (env.disk.kind(directory) === null) {
        env.disk.mkdir(directory);
        const parent = directory.slice(0, directory.lastIndexOf("/"));
        await syncDirectory(env, parent === "" ? "/" : parent);
      }
      lock = env.disk.lock(`${path}.lock`, owner);
      const read = readJournal(env.disk, path) ?? { v: 1, clusterId, targets: [] };
      if (read.clusterId !== clusterId) {
        const message = `${path} is of cluster "${read.clusterId}", not "${clusterId}": give another --journal`;
        throw new NokvError("NOKV_FOREIGN_DIRECTORY", message, { path });
      }
      return new ExpandJournal(env, directory, lock, read);
    } catch (error) {
      lock?.release();
      if (!(error instanceof DiskError)) throw error;
      if (error.code !== "ELOCKED") throw refusal(error, `opening ${path}`);
      throw new NokvError("NOKV_LOCKED", `${path} is used by another process: ${error.holder}`, { path });
    }
  }

  /** Ascending by region and store. */
  get targets(): readonly TargetProgress[] {
    return this.#targets;
  }

  target(regionId: number, storeId: number): TargetProgress | null {
    return this.#targets.find((at) => at.regionId === regionId && at.storeId === storeId) ?? null;
  }

  /** Durable when it resolves. Each takes the place of what was known of its region and store. */
  async put(changed: readonly TargetProgress[]): Promise<void> {
    const kept = this.#targets.filter((at) => !changed.some((next) => isSame(at, next)));
    await this.#write([...kept, ...changed]);
  }

  async forget(gone: readonly TargetProgress[]): Promise<void> {
    await this.#write(this.#targets.filter((at) => !gone.some((other) => isSame(at, other))));
  }

  close(): void {
    this.#lock.release();
  }

  async #write(targets: readonly TargetProgress[]): Promise<void> {
    const sorted = targets.toSorted((a, b) => a.regionId - b.regionId || a.storeId - b.storeId);
    const text = journalText({ v: 1, clusterId: this.#clusterId, targets: sorted });
    try {
      await replaceFile(this.#env, this.#directory, expandJournalName, new TextEncoder().encode(text));
    } catch (error) {
      if (error instanceof DiskError) throw refusal(error, `writing ${this.path}`);
      throw error;
    }
    this.#targets = sorted;
  }
}

/**
 * What a journal says, for those who only look: its process may be at work meanwhile. Throws `NOKV_CORRUPTION`, and
 * `NOKV_IO` when it cannot be read; of another cluster, it says nothing of this one.
 */
export function readExpandTargets(disk: Disk, directory: string, clusterId: string): readonly TargetProgress[] {
  const path = `${directory}/${expandJournalName}`;
  try {
    const read = readJournal(disk, path);
    return read?.clusterId === clusterId ? read.targets : [];
  } catch (error) {
    if (error instanceof DiskError) throw refusal(error, `reading ${path}`);
    throw error;
  }
}

function isSame(a: TargetProgress, b: TargetProgress): boolean {
  return a.regionId === b.regionId && a.storeId === b.storeId;
}

/** One line: the fields, and at the end the CRC-32 of the same text without it, as 8 hexadecimal digits. */
function journalText(fields: JournalText): string {
  const body = JSON.stringify(fields);
  return `${body.slice(0, -1)},"crc":"${crcText(body)}"}\n`;
}

function crcText(body: string): string {
  const bytes = new TextEncoder().encode(body);
  return crc32(bytes, 0, bytes.length, 0).toString(16).padStart(8, "0");
}

function readJournal(disk: Disk, path: string): JournalText | null {
  if (disk.kind(path) === null) return null;
  const file = disk.open(path, "read");
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(Math.min(file.sizeBytes(), journalBytesMax));
    bytes = bytes.subarray(0, readFully(file, 0, bytes, 0, bytes.length));
  } finally {
    file.close();
  }
  const read = parseJournal(new TextDecoder().decode(bytes));
  if (typeof read !== "string") return read;
  const remedy = "remove the file: what is there, the regions say, and only ids are lost";
  throw new NokvError("NOKV_CORRUPTION", `${path}: ${read}`, { path, remedy });
}

/** A string: why it is none. */
export function parseJournal(text: string): JournalText | string {
  const match = /^(.*),"crc":"([0-9a-f]{8})"\}\n$/.exec(text);
  if (match === null) return "it does not end with a checksum";
  const body = `${match[1] ?? ""}}`;
  if (crcText(body) !== match[2]) return "its checksum does not fit";
  const fields = JSON.parse(body) as Partial<JournalText>;
  if (fields.v !== 1) return `it is of version ${String(fields.v)}, and this program knows 1`;
  const { clusterId, targets } = fields;
  if (typeof clusterId !== "string" || !Array.isArray(targets) || !targets.every(isTarget)) return "a field is missing";
  return { v: 1, clusterId, targets };
}

function isTarget({ regionId, storeId, peerId, step }: TargetProgress): boolean {
  return [regionId, storeId, peerId].every((id) => Number.isSafeInteger(id) && id > 0) && steps.includes(step);
}

/** The new content whole or the old one. Throws `DiskError`. */
async function replaceFile(env: Env, directory: string, name: string, bytes: Uint8Array): Promise<void> {
  const { disk } = env;
  const temp = `${directory}/${name}.tmp`;
  if (disk.kind(temp) !== null) disk.remove(temp);
  const file = disk.open(temp, "create");
  try {
    writeFully(file, 0, bytes, 0, bytes.length);
    await new Promise<void>((resolve, reject) => {
      file.sync((error) => (error === null ? resolve() : reject(error)));
    });
  } finally {
    file.close();
  }
  disk.rename(temp, `${directory}/${name}`);
  await syncDirectory(env, directory);
}
