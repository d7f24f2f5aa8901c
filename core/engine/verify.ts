import { assert, unreachable } from "../assert.ts";
import { DiskError } from "../env/disk.ts";
import type { Env } from "../env/env.ts";
import { NokvError } from "../errors.ts";
import { damageOf, type Finding, remedies } from "../finding.ts";
import { type TableMeta, tablePath } from "../lsm/table-meta.ts";
import { type VerifyJob, VerifyMachine, type VerifyResult } from "../lsm/verify-job.ts";
import type { ManifestImage } from "../manifest/reader.ts";
import { salvageManifest } from "../manifest/salvage.ts";
import type { ManifestState } from "../manifest/state.ts";
import { judgeLog } from "../wal/log-verdict.ts";
import { checkSurvey, lookAtDirectory, survey, type Survey } from "./directory.ts";
import { invalidArgument, refusal } from "./failure.ts";
import { type OwnFile, raftDirectoryName, snapshotsDirectoryName } from "./file-names.ts";
import { engineOptionsDefault } from "./options.ts";
import { goesBack, readLog } from "./past.ts";

/** Not to be moved away: a store without its log has forgotten its votes. Nobody knows what a damaged directory is. */
const ofStores: readonly string[] = [raftDirectoryName, snapshotsDirectoryName];

/** What a check of every byte found. Plain data. */
export interface VerifyReport {
  readonly directory: string;
  /** No finding is damage. */
  readonly sound: boolean;
  readonly findings: readonly Finding[];
  readonly tables: number;
  readonly logSegments: number;
  readonly valueFiles: number;
  /** In tables. */
  readonly records: number;
  /** Read and judged. */
  readonly bytes: number;
}

const stepBytes = 1 << 20;

/**
 * Reads every byte of a database that nobody has open for writing, and changes none: every checksum, the order and
 * the numbers of records, filters, values behind pointers, tables against the manifest, the manifest against the
 * directory. Rejects only when there is nothing to read: `NOKV_NOT_FOUND`, `NOKV_FOREIGN_DIRECTORY`, `NOKV_LOCKED`,
 * `NOKV_IO`. Between steps other work goes on.
 */
export async function verifyDirectory(env: Env, directory: string): Promise<VerifyReport> {
  if (directory === "") throw invalidArgument("the directory's name is empty");
  try {
    const lock = lookAtDirectory(env, directory);
    try {
      return await new Verification(env, directory).run();
    } finally {
      lock.release();
    }
  } catch (error) {
    if (error instanceof DiskError) throw refusal(error, `verifying ${directory} failed`);
    throw error;
  }
}

class Verification {
  readonly #env: Env;
  readonly #directory: string;
  readonly #findings: Finding[] = [];
  #manifestIsSound = true;
  #records = 0;
  #bytes = 0;

  constructor(env: Env, directory: string) {
    this.#env = env;
    this.#directory = directory;
  }

  async run(): Promise<VerifyReport> {
    const found = survey(this.#env, this.#directory);
    if (!found.hasCurrent) this.#checkAbsence(found);
    const manifest = this.#readManifest(found);
    if (manifest !== null) {
      await this.#checkTables(manifest.state);
      await this.#checkValueFiles(manifest.state);
      this.#checkLog(found, manifest);
    }
    this.#checkNames(found, manifest);
    return {
      directory: this.#directory,
      sound: !this.#findings.some(({ severity }) => severity === "damage"),
      findings: this.#findings,
      tables: manifest?.state.tables.size ?? 0,
      logSegments: this.#segments(found, manifest).length,
      valueFiles: manifest?.state.values.size ?? 0,
      records: this.#records,
      bytes: this.#bytes,
    };
  }

  /** Throws when there is no database, or not yet. Without CURRENT there may be one all the same, damaged. */
  #checkAbsence(found: Survey): void {
    try {
      checkSurvey(this.#env, this.#directory, found, { ...engineOptionsDefault, createIfMissing: false });
    } catch (error) {
      if (!(error instanceof NokvError) || error.code !== "NOKV_CORRUPTION") throw error;
    }
  }

  #readManifest(found: Survey): ManifestImage | null {
    const numbers = found.files.filter(({ kind }) => kind === "manifest").map(({ number }) => number);
    const manifest = salvageManifest(this.#env.disk, this.#directory, numbers, (error) => {
      this.#manifestIsSound = false;
      this.#note(error);
    });
    if (manifest === null) {
      const what = "no manifest can be read: nothing says what the files are";
      this.#findings.push({ severity: "damage", path: this.#directory, offset: null, what, remedy: remedies.restore });
    } else if (manifest.tornBytes > 0 && this.#findings.length === 0) {
      const what = `${manifest.tornBytes} bytes of an edit that was never completed`;
      this.#repairable(manifest.path, what);
    }
    return manifest;
  }

  async #checkTables(state: ManifestState): Promise<void> {
    const values = state.valuesInOrder();
    /** What is wrong with the others says nothing of their order. */
    const sound: TableMeta[] = [];
    for (const meta of state.tablesInOrder()) {
      const { findings, failure, records } = await this.#run({ kind: "table", meta, values });
      const found = failure === null ? findings : [...findings, failure];
      this.#findings.push(...found);
      this.#records += records;
      const path = tablePath(this.#directory, meta.number);
      if (!found.some((finding) => finding.path === path)) sound.push(meta);
    }
    const { findings, failure } = await this.#run({ kind: "order", tables: sound });
    this.#findings.push(...findings);
    if (failure !== null) this.#add(failure);
  }

  async #checkValueFiles(state: ManifestState): Promise<void> {
    for (const file of state.valuesInOrder()) {
      const { findings, failure } = await this.#run({ kind: "values", file });
      for (const finding of findings) this.#add(finding);
      if (failure !== null) this.#add(failure);
    }
  }

  async #run(target: VerifyJob["target"]): Promise<VerifyResult> {
    const job: VerifyJob = { kind: "verify", directory: this.#directory, target };
    const machine = new VerifyMachine(this.#env.disk, job);
    while (machine.step(stepBytes) !== "done") await turn(this.#env);
    const { result } = machine;
    assert(result !== null, "a job that is done has a result");
    this.#bytes += result.bytes;
    await turn(this.#env);
    return result;
  }

  #checkLog(found: Survey, { state, epoch }: ManifestImage): void {
    const read = { state, epoch, note: (finding: Finding) => void this.#findings.push(finding) };
    const { scans } = readLog(this.#env, this.#directory, found.files, read);
    for (const { sizeBytes } of scans) this.#bytes += sizeBytes;
    try {
      const { torn, tornBytes, replay } = judgeLog(this.#directory, scans, state);
      // What the evidence of a damaged manifest would have said of the tail, nobody knows.
      if (torn !== null && !this.#manifestIsSound) this.#damage(torn.path, torn.problem, torn.offset);
      else if (torn !== null) {
        this.#repairable(torn.path, `${torn.problem}; ${tornBytes} bytes were never acknowledged`, torn.offset);
      }
      let newest = state.newestTableVersion();
      for (const scan of replay) {
        if (goesBack(scan, newest)) this.#damage(scan.path, "its versions go back: it belongs elsewhere");
        newest = Math.max(newest, scan.lastVersion);
      }
    } catch (error) {
      if (!(error instanceof NokvError)) throw error;
      this.#note(error);
    }
  }

  /** Files that belong to nothing: ours go away at the next opening, others stay. */
  #checkNames(found: Survey, manifest: ManifestImage | null): void {
    for (const name of found.foreign) {
      if (ofStores.includes(name) && manifest?.state.gate.mode !== "standalone") continue;
      const path = `${this.#directory}/${name}`;
      const what = "this file is not the database's";
      this.#findings.push({ severity: "warning", path, offset: null, what, remedy: remedies.foreign });
    }
    if (manifest === null) return;
    for (const file of found.files) {
      if (isNamed(file, manifest)) continue;
      this.#repairable(`${this.#directory}/${file.name}`, "nothing refers to this file any more");
    }
  }

  #segments(found: Survey, manifest: ManifestImage | null): readonly OwnFile[] {
    if (manifest === null) return [];
    return found.files.filter(({ kind, number }) => kind === "wal" && number >= manifest.state.logNumber);
  }

  #note(error: NokvError): void {
    this.#add(damageOf(error, this.#directory));
  }

  #add(finding: Finding): void {
    // One defect is met by several steps.
    const known = this.#findings.some(({ path, offset }) => path === finding.path && offset === finding.offset);
    if (!known) this.#findings.push(finding);
  }

  #damage(path: string, what: string, offset: number | null = null): void {
    this.#findings.push({ severity: "damage", path, offset, what, remedy: remedies.restore });
  }

  #repairable(path: string, what: string, offset: number | null = null): void {
    this.#findings.push({ severity: "repairable", path, offset, what, remedy: remedies.reopen });
  }
}

function isNamed({ kind, number }: OwnFile, manifest: ManifestImage): boolean {
  const { state } = manifest;
  switch (kind) {
    case "manifest":
      return number === manifest.number;
    case "table":
      return state.tables.has(number);
    case "value":
      return state.values.has(number);
    case "wal":
      return number >= state.logNumber || state.values.has(number);
    case "temp":
      return false;
    case "current":
    case "lock":
    case "mode":
    // The next segment of the log: nothing in it counts.
    case "spare":
      return true;
    default:
      return unreachable(kind);
  }
}

function turn(env: Env): Promise<void> {
  return new Promise((resolve) => env.clock.soon(resolve));
}
