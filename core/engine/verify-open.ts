import { assert } from "../assert.ts";
import { DiskError } from "../env/disk.ts";
import type { Env } from "../env/env.ts";
import { NokvError } from "../errors.ts";
import { damageOf, type Finding } from "../finding.ts";
import { tablePath } from "../lsm/table-meta.ts";
import type { VerifyJob, VerifyResult } from "../lsm/verify-job.ts";
import type { Version } from "../lsm/version.ts";
import { readManifest } from "../manifest/reader.ts";
import type { WalSegment } from "../wal/segment.ts";
import { type BackgroundContext, jobFailure } from "./background.ts";
import type { VerifyReport } from "./verify.ts";

/** Merges may be faster than a walk over all tables. */
const orderAttemptsMax = 5;

/** Verifies an engine at work, as often as it is asked to. */
export class Verifier {
  readonly #context: BackgroundContext;
  readonly #checkOpen: () => void;
  readonly #running = new Set<Promise<VerifyReport>>();

  /** `checkOpen` throws once the engine is closed. */
  constructor(context: BackgroundContext, checkOpen: () => void) {
    this.#context = context;
    this.#checkOpen = checkOpen;
  }

  async run(): Promise<VerifyReport> {
    this.#checkOpen();
    const running = verifyOpen(this.#context, this.#checkOpen);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  /** No job is under way any more: in a closed engine each run ends with its present one. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#running);
  }
}

/**
 * Verifies file after file, each by a job. Files come and go meanwhile: what is found in one that is of no use any
 * more does not count, and orphans cannot be told from files in the making.
 */
async function verifyOpen(context: BackgroundContext, checkOpen: () => void): Promise<VerifyReport> {
  const { env, directory } = context;
  const version = (): Version => {
    checkOpen();
    return context.tables.current.version;
  };
  const segments = (): readonly WalSegment[] => context.write.memtables.segments();
  const findings: Finding[] = manifestFindings(env, directory);
  const sum = { tables: 0, records: 0, bytes: 0, logSegments: 0, valueFiles: 0 };
  const run = async (target: VerifyJob["target"], isCurrent: () => boolean): Promise<void> => {
    const result = await runJob(env, { kind: "verify", directory, target });
    if (!isCurrent()) return;
    findings.push(...result.findings);
    if (result.failure !== null) findings.push(result.failure);
    sum.bytes += result.bytes;
    if (target.kind === "log") sum.logSegments++;
    if (target.kind === "values") sum.valueFiles++;
    if (target.kind !== "table") return;
    sum.records += result.records;
    sum.tables++;
  };
  for (const meta of version().tables()) {
    const isCurrent = (): boolean => version().tables().some(({ number }) => number === meta.number);
    if (!isCurrent()) continue;
    await run({ kind: "table", meta, values: version().valueFiles() }, isCurrent);
  }
  findings.push(...(await orderFindings(context, version, findings)));
  for (const file of version().valueFiles()) {
    const isCurrent = (): boolean => version().valueFiles().some(({ number }) => number === file.number);
    if (isCurrent()) await run({ kind: "values", file }, isCurrent);
  }
  for (const segment of segments()) {
    const isCurrent = (): boolean => segments().includes(segment);
    if (!isCurrent() || segment.wholeBytes === 0) continue;
    const { path, number, epoch, wholeBytes: endBytes } = segment;
    await run({ kind: "log", path, number, epoch, endBytes }, isCurrent);
  }
  return { directory, sound: !findings.some(({ severity }) => severity === "damage"), findings, ...sum };
}

/**
 * The tables of one version against each other. What is found holds, whatever has become of that version; when a
 * merge took a table away before it was opened, the next version is tried.
 */
async function orderFindings(
  { env, directory }: BackgroundContext,
  version: () => Version,
  known: readonly Finding[],
): Promise<readonly Finding[]> {
  const damaged = new Set(known.map(({ path }) => path));
  for (let attempt = 1; ; attempt++) {
    const tried = version();
    const tables = tried.tables().filter(({ number }) => !damaged.has(tablePath(directory, number)));
    const { findings, failure } = await runJob(env, { kind: "verify", directory, target: { kind: "order", tables } });
    if (failure === null || findings.length > 0) return findings;
    if (version() === tried) return [failure];
    if (attempt === orderAttemptsMax) return [];
  }
}

function manifestFindings(env: Env, directory: string): Finding[] {
  try {
    readManifest(env.disk, directory);
    return [];
  } catch (error) {
    if (!(error instanceof NokvError) && !(error instanceof DiskError)) throw error;
    return [damageOf(error, directory)];
  }
}

function runJob(env: Env, job: VerifyJob): Promise<VerifyResult> {
  return new Promise((resolve, reject) => {
    env.jobs.run(job, (error, result) => {
      if (error !== null) return reject(jobFailure(error, "verifying failed"));
      assert(result !== null && result.kind === "verify", "the result is that of the job");
      resolve(result as VerifyResult);
    });
  });
}
