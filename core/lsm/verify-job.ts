import { DiskError } from "../env/disk.ts";
import type { Disk, DiskFile } from "../env/disk.ts";
import type { Job, JobMachine, JobResult, JobState } from "../env/jobs.ts";
import { NokvError, corruption } from "../errors.ts";
import { damageOf, type Finding } from "../finding.ts";
import { type ValueFileMeta, valueFilePath } from "../vlog/value-file.ts";
import { ValueFileCheck, valueFileProblem } from "../vlog/value-file-check.ts";
import { ValueFiles } from "../vlog/value-files.ts";
import { closeFile } from "../wal/close-file.ts";
import { checkLogFile, type LogRange } from "../wal/log-check.ts";
import { BlockCache } from "./block-cache.ts";
import { OrderCheck } from "./order-check.ts";
import { PointBudget } from "./point-index.ts";
import { TableCheck } from "./table-check.ts";
import { tablePath } from "./table-meta.ts";
import type { TableMeta } from "./table-meta.ts";
import { TableReader } from "./table-reader.ts";

/** Every byte of one file is read and judged; "order": all tables of a version against each other. */
export interface VerifyJob extends Job {
  readonly kind: "verify";
  readonly directory: string;
  readonly target:
    | { readonly kind: "table"; readonly meta: TableMeta; readonly values: readonly ValueFileMeta[] }
    | { readonly kind: "values"; readonly file: ValueFileMeta }
    | { readonly kind: "order"; readonly tables: readonly TableMeta[] }
    | ({ readonly kind: "log" } & LogRange);
}

export interface VerifyResult extends JobResult {
  readonly kind: "verify";
  readonly findings: readonly Finding[];
  /** What ended the check before its end, beside the findings; null: it came to its end. */
  readonly failure: Finding | null;
  readonly records: number;
  /** Of the file. What a table points to is read as well, and counted with the value file. */
  readonly bytes: number;
}

const valueFilesOpenMax = 4;
/** For the point index of one table. */
const pointBytesMax = 1 << 28;

/** Never fails for what is wrong with a file: that is a finding, and so is a file that the machine does not give. */
export class VerifyMachine implements JobMachine {
  readonly #disk: Disk;
  readonly #job: VerifyJob;
  readonly #findings: Finding[] = [];
  #failure: Finding | null = null;
  #check: TableCheck | null = null;
  #reader: TableReader | null = null;
  #values: ValueFiles | null = null;
  #order: OrderCheck | null = null;
  #valueFile: DiskFile | null = null;
  #valueCheck: ValueFileCheck | null = null;
  result: VerifyResult | null = null;

  constructor(disk: Disk, job: VerifyJob) {
    this.#disk = disk;
    this.#job = job;
  }

  step(budgetBytes: number): JobState {
    try {
      return this.#step(budgetBytes);
    } catch (error) {
      if (!(error instanceof NokvError) && !(error instanceof DiskError)) throw error;
      this.#failure = damageOf(error, this.#job.directory);
      return this.#done();
    }
  }

  #step(budgetBytes: number): JobState {
    const { target } = this.#job;
    if (target.kind === "log") return this.#checkLog(target);
    if (target.kind === "order") return this.#stepOrder(target.tables, budgetBytes);
    if (target.kind === "values") return this.#stepValues(target.file, budgetBytes);
    return this.#stepTable(target.meta, target.values, budgetBytes);
  }

  #checkLog(range: LogRange): JobState {
    const { findings, records, bytes } = checkLogFile(this.#disk, range);
    this.#findings.push(...findings);
    return this.#done(records, bytes);
  }

  #stepValues(file: ValueFileMeta, budgetBytes: number): JobState {
    const { directory } = this.#job;
    if (this.#valueCheck === null) {
      const problem = valueFileProblem(this.#disk, directory, file);
      if (problem !== null) throw problem;
      const path = valueFilePath(directory, file);
      const { number, sizeBytes: endBytes } = file;
      // Its frames cover every byte of it, whether or not somebody points there.
      if (file.kind === "log") return this.#checkLog({ path, number, epoch: null, endBytes });
      this.#valueFile = this.#disk.open(path, "read");
      this.#valueCheck = new ValueFileCheck(this.#valueFile, file, (error) => this.#note(error));
    }
    if (this.#valueCheck.step(budgetBytes)) return "more";
    return this.#done(this.#valueCheck.records, this.#valueCheck.bytes);
  }

  #stepOrder(tables: readonly TableMeta[], budgetBytes: number): JobState {
    const { directory } = this.#job;
    this.#order ??= new OrderCheck(this.#disk, directory, tables, (error) => this.#note(error));
    return this.#order.step(budgetBytes) ? "more" : this.#done();
  }

  #stepTable(meta: TableMeta, values: readonly ValueFileMeta[], budgetBytes: number): JobState {
    const { directory } = this.#job;
    if (this.#check === null) {
      const path = tablePath(directory, meta.number);
      // Opening a FIFO would wait for ever; what is missing is said by the opening.
      const kind = this.#disk.kind(path);
      if (kind !== null && kind !== "file") throw corruption(path, 0, "this is not a regular file");
      this.#values = new ValueFiles(this.#disk, directory, valueFilesOpenMax);
      this.#values.retain(values);
      const points = new PointBudget(pointBytesMax);
      this.#reader = TableReader.openAs(this.#disk, directory, meta, new BlockCache(0, 0), points);
      this.#check = new TableCheck(this.#reader, meta, this.#values, (error) => this.#note(error));
    }
    if (this.#check.step(budgetBytes)) return "more";
    return this.#done(this.#check.records, this.#check.bytes);
  }

  #note(error: NokvError | DiskError): void {
    const finding = damageOf(error, this.#job.directory);
    const last = this.#findings[this.#findings.length - 1];
    // Every pointer into a file that cannot be opened meets the same.
    if (last?.path === finding.path && last.offset === finding.offset && last.what === finding.what) return;
    this.#findings.push(finding);
  }

  #done(records = 0, bytes = 0): JobState {
    this.#reader?.close();
    this.#values?.close();
    this.#order?.close();
    if (this.#valueFile !== null) closeFile(this.#valueFile);
    this.result = { kind: "verify", findings: this.#findings, failure: this.#failure, records, bytes };
    return "done";
  }
}
