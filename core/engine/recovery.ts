import { recoveryBeforeRemove } from "../../failpoints/catalog.ts";
import { assert, unreachable } from "../assert.ts";
import { DiskError, type DiskLock } from "../env/disk.ts";
import type { Env } from "../env/env.ts";
import { NokvError } from "../errors.ts";
import { BlockCache } from "../lsm/block-cache.ts";
import { type OpenTables, TablePool } from "../lsm/open-tables.ts";
import { PointBudget } from "../lsm/point-index.ts";
import { TableReader } from "../lsm/table-reader.ts";
import type { TableMeta } from "../lsm/table-meta.ts";
import { Version } from "../lsm/version.ts";
import { manifestName, switchCurrent } from "../manifest/current.ts";
import type { ManifestEdit } from "../manifest/edit.ts";
import { createManifest, type ManifestLog } from "../manifest/log.ts";
import { ManifestState } from "../manifest/state.ts";
import { type ManifestOwner, ManifestWriter } from "../manifest/writer.ts";
import { ValueFiles } from "../vlog/value-files.ts";
import { DirectorySync } from "../wal/directory-sync.ts";
import {
  enterDirectory,
  firstManifestNumber,
  lockDirectory,
  survey,
  type Survey,
} from "./directory.ts";
import { invalidArgument, refusal } from "./failure.ts";
import { FileNumbers } from "./file-numbers.ts";
import { walName } from "../wal/segment-name.ts";
import type { OwnFile } from "./file-names.ts";
import { HybridClock } from "./hybrid-clock.ts";
import { checkOptions, type EngineOptions } from "./options.ts";
import { type OpeningMode, strictOpening } from "./opening-mode.ts";
import type { Past } from "./past.ts";
import { RecordCache } from "./record-cache.ts";
import type { RecoveryStats } from "./stats.ts";
import { TableSet } from "./table-set.ts";
import { WritePath } from "./write-path.ts";

/** What recovery hands over: a store that is open, and nothing running in it yet. */
export interface EngineParts {
  readonly env: Env;
  readonly directory: string;
  readonly options: EngineOptions;
  readonly lock: DiskLock;
  readonly clock: HybridClock;
  readonly numbers: FileNumbers;
  readonly cache: BlockCache;
  readonly records: RecordCache;
  readonly points: PointBudget;
  readonly write: WritePath;
  readonly recovery: RecoveryStats;
  /** Flushes and compactions may run. */
  readonly background: boolean;
  manifest(owner: ManifestOwner): ManifestWriter;
  /** `failed` hears that the directory can not be trusted any more. */
  tables(manifest: ManifestWriter, failed: (error: DiskError) => void): TableSet;
}

/**
 * Opens the database in `directory`, or creates it. What a crash may leave is repaired; what it may not is
 * refused with `NOKV_CORRUPTION` naming file and offset, and then nothing was changed.
 *
 * Nothing that was found is trusted to stay: what the log held is written again, to a new segment under a new
 * manifest, because the pages of a file whose sync once failed may be in memory only.
 */
export async function recover(
  env: Env,
  directory: string,
  options: Partial<EngineOptions>,
  mode: OpeningMode = strictOpening,
): Promise<EngineParts> {
  const checked = checkOptions(options);
  if (directory === "") throw invalidArgument("the directory's name is empty");
  const path = directory.length > 1 ? directory.replace(/\/+$/, "") : directory;
  try {
    return await new Opening(env, path, checked, mode).run();
  } catch (error) {
    if (error instanceof DiskError) throw refusal(error, `opening ${path} failed`);
    throw error;
  }
}

interface Made {
  readonly clock: HybridClock;
  readonly numbers: FileNumbers;
  readonly recovery: RecoveryStats;
  readonly log: ManifestLog;
  readonly state: ManifestState;
}

/** One opening under way, and what must be given back when it fails. */
class Opening {
  readonly #env: Env;
  readonly #directory: string;
  readonly #options: EngineOptions;
  readonly #mode: OpeningMode;
  readonly #cache: BlockCache;
  readonly #records: RecordCache;
  readonly #points: PointBudget;
  readonly #pool: TablePool;
  readonly #sync: DirectorySync;
  #tables: OpenTables | null = null;
  #write: WritePath | null = null;
  #log: ManifestLog | null = null;
  #manifestNumber = 0;
  /** From here on CURRENT may name the new files: they are never removed again. */
  #switching = false;

  constructor(env: Env, directory: string, options: EngineOptions, mode: OpeningMode) {
    this.#env = env;
    this.#mode = mode;
    this.#directory = directory;
    this.#options = options;
    this.#sync = new DirectorySync(env.disk, directory);
    this.#cache = new BlockCache(options.blockCacheBytes, options.blockBytes);
    this.#records = new RecordCache(options.recordCacheBytes);
    this.#points = new PointBudget(options.pointIndexBytes);
    const points = options.pointIndexBytes === 0 ? null : this.#points;
    const open = (meta: TableMeta): TableReader =>
      TableReader.openAs(env.disk, directory, meta, this.#cache, points);
    this.#pool = new TablePool(open, new ValueFiles(env.disk, directory, options.valueFilesOpenMax));
  }

  async run(): Promise<EngineParts> {
    const mode = this.#mode;
    await enterDirectory(this.#env, this.#directory, this.#options, (...given) => mode.admit(...given));
    const lock = lockDirectory(this.#env, this.#directory, this.#options.owner);
    try {
      return await this.#open(lock);
    } catch (error) {
      // Anything else ends the incarnation or the program: there is nothing to tidy up for.
      if (!(error instanceof DiskError) && !(error instanceof NokvError)) throw error;
      this.#giveBack();
      lock.release();
      throw error;
    }
  }

  async #open(lock: DiskLock): Promise<EngineParts> {
    const env = this.#env;
    const found = survey(env, this.#directory);
    // Again, now that nobody else can change the answer.
    this.#mode.admit(env, this.#directory, found, this.#options);
    const past = this.#mode.read(env, this.#directory, found);
    this.#mode.pass(env, this.#directory, found, past.state.gate, this.#options);
    this.#tables = this.#pool.retain(Version.of(past.state.tablesInOrder(), past.state.valuesInOrder()));
    if (!found.hasCurrent) this.#removeUnfinished(found);
    await this.#vouchForFirst(past);

    const numbers = new FileNumbers(this.#firstNumber(past, found));
    this.#manifestNumber = numbers.allocate();
    const clock = new HybridClock(env.clock, past.lastVersion);
    const epoch = this.#drawEpoch();
    const framesReplayed = await this.#rewriteLog(past, epoch, clock, numbers);
    const { log, state } = await this.#publish(past, epoch, clock, numbers);

    env.failpoints.hit(recoveryBeforeRemove);
    const filesRemoved = this.#removeGarbage(found, state);
    const recovery = { framesReplayed, bytesTorn: past.tornBytes, filesRemoved };
    env.trace.emit("engine/opened", { directory: this.#directory, ...recovery });
    return this.#parts(lock, { clock, numbers, recovery, log, state });
  }

  /**
   * A first CURRENT may have been seen in memory only, when a crash or an error came before its entry was
   * durable. It must be durable before there is a third file: files of ours without CURRENT are somebody's
   * data, and refused.
   */
  async #vouchForFirst(past: Past): Promise<void> {
    const { manifest } = past;
    if (manifest === null || manifest.number !== firstManifestNumber) return;
    await new Promise<void>((resolve, reject) => {
      switchCurrent(this.#env, this.#sync, manifest, (error) => (error === null ? resolve() : reject(error)));
    });
  }

  #parts(lock: DiskLock, made: Made): EngineParts {
    const { log, state, ...rest } = made;
    const env = this.#env;
    const directory = this.#directory;
    const options = this.#options;
    const sync = this.#sync;
    const tables = this.#tables;
    const write = this.#write;
    assert(tables !== null && write !== null, "an engine has its tables and its log");
    return {
      env, directory, options, lock, write, cache: this.#cache, records: this.#records, points: this.#points,
      background: this.#mode.background, ...rest,
      manifest: (owner) => new ManifestWriter(env, sync, log, state, options.manifestBytesMax, owner),
      tables: (manifest, failed) => new TableSet(env, sync, manifest, this.#pool, tables, failed),
    };
  }

  /** Above everything ever named, as far as anybody remembers, and above everything that is there. */
  #firstNumber(past: Past, found: Survey): number {
    if (past.manifest === null) return firstManifestNumber;
    let highest = past.state.nextFile - 1;
    for (const file of found.files) highest = Math.max(highest, file.number);
    return highest + 1;
  }

  /** Salts every checksum of this opening, so that no leftover of another one validates. */
  #drawEpoch(): number {
    const wallMs = Math.max(0, Math.floor(this.#env.clock.wallMs()));
    return this.#env.random.u32("core/engine/epoch", this.#manifestNumber, wallMs);
  }

  /**
   * Everything that survived, through the normal write path into new segments, durable whatever the level.
   */
  async #rewriteLog(past: Past, epoch: number, clock: HybridClock, numbers: FileNumbers): Promise<number> {
    const config = {
      directory: this.#sync,
      epoch,
      options: this.#options,
      visibleVersion: past.tableVersion,
      records: this.#records,
    };
    const write = new WritePath(this.#env, config, clock, numbers);
    this.#write = write;
    const frameCount = past.replay((frame) => write.replay(frame));
    // The old segments are still all there is: without this sync, removing them could lose everything.
    await new Promise<void>((resolve, reject) => {
      write.wal.sync((error) => (error === null ? resolve() : reject(error)));
    });
    assert(write.visibleVersion === write.pendingVersion, "what was recovered is visible");
    return frameCount;
  }

  /** A new manifest with everything found, and CURRENT naming it. */
  async #publish(
    past: Past,
    epoch: number,
    clock: HybridClock,
    numbers: FileNumbers,
  ): Promise<{ log: ManifestLog; state: ManifestState }> {
    const base = this.#base(past, clock, numbers);
    const state = new ManifestState();
    const problem = state.apply(base);
    assert(problem === null, "a new manifest begins with a sound base");
    const content = { number: this.#manifestNumber, epoch, base };
    const log = await new Promise<ManifestLog>((resolve, reject) => {
      createManifest(this.#env, this.#sync, content, (error, made) => {
        if (made === null) reject(error);
        else resolve(made);
      });
    });
    this.#log = log;
    this.#switching = true;
    await new Promise<void>((resolve, reject) => {
      switchCurrent(this.#env, this.#sync, log, (error) => (error === null ? resolve() : reject(error)));
    });
    return { log, state };
  }

  #base(past: Past, clock: HybridClock, numbers: FileNumbers): ManifestEdit {
    const segments = this.#write?.memtables.segmentNumbers() ?? [];
    const [oldest] = segments;
    assert(oldest !== undefined, "a log has a segment");
    return {
      kind: "base",
      logNumber: oldest,
      nextFile: numbers.next,
      lastVersion: clock.last,
      closedBytes: 0,
      listed: segments,
      removed: [],
      added: past.state.tablesInOrder(),
      valuesRemoved: [],
      valuesAdded: past.state.valuesInOrder(),
      gate: past.state.gate.mode === "standalone" ? null : past.state.gate,
    };
  }

  /** What a first opening left that never got as far as CURRENT. It held nothing. */
  #removeUnfinished(found: Survey): void {
    for (const file of found.files) {
      if (file.kind === "manifest" || file.kind === "wal" || file.kind === "temp") this.#remove(file.name);
    }
  }

  /** Only files of ours, and only those that the durable manifest does not name. */
  #removeGarbage(found: Survey, state: ManifestState): number {
    let removed = 0;
    for (const file of found.files) {
      if (this.#isGarbage(file, state) && this.#remove(file.name)) removed++;
    }
    return removed;
  }

  #isGarbage(file: OwnFile, state: ManifestState): boolean {
    switch (file.kind) {
      case "manifest":
        return file.number !== this.#manifestNumber;
      case "wal":
        // A kept segment is no log any more, but tables point into it.
        return !state.listed.includes(file.number) && !state.values.has(file.number);
      case "table":
        return !state.tables.has(file.number);
      case "value":
        return !state.values.has(file.number);
      case "temp":
      case "spare":
        return true;
      case "current":
      case "lock":
      case "mode":
        return false;
      default:
        return unreachable(file.kind);
    }
  }

  #remove(name: string): boolean {
    try {
      this.#env.disk.remove(`${this.#directory}/${name}`);
      return true;
    } catch (error) {
      // It stays garbage, and the next opening tries again.
      if (!(error instanceof DiskError)) throw error;
      return false;
    }
  }

  #giveBack(): void {
    this.#tables?.release();
    this.#log?.close();
    const write = this.#write;
    if (write === null) return;
    const segments = write.memtables.segmentNumbers();
    write.wal.closeFiles();
    if (this.#switching) return;
    for (const number of segments) this.#remove(walName(number));
    this.#remove(manifestName(this.#manifestNumber));
  }
}
