import { assert } from "../assert.ts";
import { ByteSlab } from "../bytes/byte-slab.ts";
import { columnFamily, keyLengthMax } from "../bytes/record.ts";
import type { DiskError, DiskLock } from "../env/disk.ts";
import type { Env } from "../env/env.ts";
import type { NokvError } from "../errors.ts";
import type { BlockCache } from "../lsm/block-cache.ts";
import type { PointBudget } from "../lsm/point-index.ts";
import type { FormatGate } from "../manifest/format-gate.ts";
import type { ManifestWriter } from "../manifest/writer.ts";
import type { WalSegment } from "../wal/segment.ts";
import { backgroundContext } from "./background-context.ts";
import type { Batch } from "./batch.ts";
import { type Checkpoint, writeCheckpoint } from "./checkpoint.ts";
import { closeParts, emptyLog } from "./closing.ts";
import { Compactor } from "./compactor.ts";
import { engineStats } from "./engine-stats.ts";
import { closed, invalidArgument, poisoned } from "./failure.ts";
import { Flusher } from "./flusher.ts";
import type { HybridClock } from "./hybrid-clock.ts";
import type { EngineIterator, IteratorOptions } from "./iterator.ts";
import { Iterators } from "./iterators.ts";
import type { EngineOptions } from "./options.ts";
import { type KeyRange, RangeEstimate, type RangeSize } from "./range-estimate.ts";
import type { RecordCache } from "./record-cache.ts";
import { appendDurably } from "./manifest-change.ts";
import { livePressure } from "./pressure.ts";
import { type Latest, Reader } from "./reader.ts";
import { type EngineParts, recover } from "./recovery.ts";
import { SafePoint } from "./safe-point.ts";
import { ScrubList } from "./scrub-list.ts";
import { Pins, type Snapshot } from "./snapshot.ts";
import type { EngineStats, RecoveryStats } from "./stats.ts";
import type { TableSet } from "./table-set.ts";
import { Transfer } from "./transfer.ts";
import { Verifier } from "./verify-open.ts";
import type { VerifyReport } from "./verify.ts";
import type { VersionedBatch } from "./versioned-batch.ts";
import { scanVersioned } from "./versioned-scan.ts";
import type { VersionedEntry, VersionedRecord, VersionedScan, VersionedStore } from "./versioned-store.ts";
import { VersionedWrites } from "./versioned-writes.ts";
import type { Done } from "./waiters.ts";
import type { WriteListener, WritePath } from "./write-path.ts";

/**
 * Opens the database in `directory`, or creates it; see `recover` for what is repaired and what is refused.
 * Rejects with `NokvError`.
 */
export async function openEngine(
  env: Env,
  directory: string,
  options: Partial<EngineOptions> = {},
): Promise<Engine> {
  return new Engine(await recover(env, directory, options));
}

/**
 * An ordered key-value store in one directory. Reads are synchronous. Writes take effect in the order of the
 * calls, become visible to plain reads in that order, and are told when their durability level is met.
 *
 * Opened by `openEngine`. Every method throws `NOKV_CLOSED` after `close` was called, and never swallows what
 * the environment throws to end an incarnation.
 */
export class Engine implements VersionedStore {
  readonly #env: Env;
  readonly #directory: string;
  readonly #options: EngineOptions;
  readonly #lock: DiskLock;
  readonly #clock: HybridClock;
  readonly #cache: BlockCache;
  readonly #records: RecordCache;
  readonly #points: PointBudget;
  readonly #write: WritePath;
  readonly #manifest: ManifestWriter;
  readonly #tables: TableSet;
  readonly #reader: Reader;
  readonly #flusher: Flusher;
  readonly #compactor: Compactor;
  /** The ways of whole ranges out of the database and into it. */
  readonly transfer: Transfer;
  readonly #recovery: RecoveryStats;
  readonly #pins = new Pins();
  readonly #verifier: Verifier;
  /** What a scrubber reads. */
  readonly scrub: ScrubList;
  readonly #iterators: Iterators;
  readonly #slab = new ByteSlab();
  readonly #safePoint: SafePoint | null;
  /** Null: versions are the engine's own. */
  readonly #versioned: VersionedWrites | null;
  readonly #poisonListeners: ((error: NokvError) => void)[] = [];
  #failure: DiskError | null = null;
  #open = true;
  #closing: Promise<void> | null = null;
  /** Closed, and its last flushes are on their way. */
  #emptying = false;

  constructor(parts: EngineParts) {
    this.#env = parts.env;
    this.#directory = parts.directory;
    this.#options = parts.options;
    this.#lock = parts.lock;
    this.#clock = parts.clock;
    this.#cache = parts.cache;
    this.#records = parts.records;
    this.#points = parts.points;
    this.#write = parts.write;
    this.#recovery = parts.recovery;
    this.#manifest = parts.manifest({
      nextFile: () => parts.numbers.next,
      lastVersion: () => this.#clock.last,
      allocateFile: () => parts.numbers.allocate(),
      needsRoom: () => parts.write.wal.giveUpRoom(),
      failed: (error) => this.#poison(error),
    });
    this.#tables = parts.tables(this.#manifest, (error) => this.#poison(error));
    const slab = this.#slab;
    this.#reader = new Reader(this.#write, this.#tables, this.#records, this.#clock, slab);
    this.#iterators = new Iterators(this.#write, this.#tables, this.#clock, slab);
    this.#safePoint = this.#options.versions === "given" ? new SafePoint() : null;
    this.#versioned = this.#safePoint === null ? null : this.#versionedWrites();
    const context = backgroundContext(parts, this.#pins, this.#tables, {
      safePoint: this.#safePoint,
      isActive: () => this.#open && this.#failure === null,
      isEmptying: () => this.#emptying && this.#failure === null,
      kick: () => this.#kick(),
    });
    this.#flusher = new Flusher(context);
    this.#compactor = new Compactor(context, this.#flusher.lane);
    this.transfer = new Transfer(this, context, this.#compactor, this.#flusher);
    this.#verifier = new Verifier(context, () => this.#checkOpen());
    this.scrub = new ScrubList(context, this.#manifest);
    this.#pins.onUnpinned = () => this.#compactor.pinsMoved();
    this.#write.start(this.#writeListener());
    this.#kick();
  }

  /** Newest version that plain reads see: its durability level is met. */
  get visibleVersion(): number {
    return this.#write.visibleVersion;
  }

  /** Every record up to this version is in durable tables. */
  get flushedVersion(): number {
    return this.#flusher.flushedVersion;
  }

  /** Newest version handed out. */
  get pendingVersion(): number {
    return this.#write.pendingVersion;
  }

  /**
   * Takes a batch: at once it is what `latest` sees, and nothing can come between. `done(null)` when its
   * durability level is met, `done(NOKV_UNDETERMINED)` when that failed. Throws when nothing happened.
   */
  commit(batch: Batch, done: Done): void {
    this.#checkOwn();
    if (batch.count === 0) return done(null);
    this.#write.commit(batch, done);
  }

  /** As `commit`, by promise. */
  commitShared(batch: Batch): Promise<void> {
    this.#checkOwn();
    return batch.count === 0 ? Promise.resolve() : this.#write.commitShared(batch);
  }

  /**
   * As `commit`, and returns when the durability level is met: nothing else of this thread runs meanwhile. Where the
   * background is behind it takes longer, up to a second; where memory is full, as long as a flush takes. `NOKV_BUSY`
   * where that does not help: flushes fail, or take longer than 10 seconds. `NOKV_UNDETERMINED` when nobody can tell.
   */
  commitSync(batch: Batch): void {
    this.#checkOwn();
    if (batch.count > 0) this.#write.commitSync(batch);
  }

  nextVersion(): number {
    this.#given();
    return this.#clock.step();
  }

  newest(family: number, key: Uint8Array, versionMax: number): VersionedRecord | null {
    this.#checkRead(key);
    return this.#reader.record(family, key, versionMax);
  }

  scan(wish: VersionedScan): VersionedEntry[] {
    this.#checkRead(wish.start);
    const sources = { write: this.#write, tables: this.#tables, slab: this.#slab };
    const entries = scanVersioned(sources, wish);
    this.#compactor.noteWalk();
    return entries;
  }

  hasRoom(batchBytes: number): boolean {
    return this.#given().hasRoom(batchBytes);
  }

  whenRoom(run: () => void): void {
    this.#given().whenRoom(run);
  }

  apply(batch: VersionedBatch): number {
    return this.#given().apply(batch);
  }

  whenDurable(ticket: number, done: Done): void {
    this.#given().whenDurable(ticket, done);
  }

  advanceSafePoint(safePoint: number): void {
    this.#given();
    if (this.#safePoint?.advance(safePoint) === true) this.#compactor.kick();
  }

  /** A copy of the visible value, or null. `at`: as of a snapshot; null: now. */
  get(key: Uint8Array, at: Snapshot | null = null, family: number = columnFamily.data): Uint8Array | null {
    this.#checkRead(key);
    if (at !== null) at.check(this.#pins);
    return this.#reader.get(key, at, family);
  }

  /** Is there a visible value? As `get`, without reading it. */
  has(key: Uint8Array, at: Snapshot | null = null, family: number = columnFamily.data): boolean {
    this.#checkRead(key);
    if (at !== null) at.check(this.#pins);
    return this.#reader.has(key, at, family);
  }

  /**
   * Copies the visible value into `target`, from its start, when it fits. The value's length; -1 when there is
   * none. Allocates nothing.
   */
  // oxlint-disable-next-line max-params
  getInto(key: Uint8Array, target: Uint8Array, at: Snapshot | null = null, family: number = columnFamily.data): number {
    this.#checkRead(key);
    if (at !== null) at.check(this.#pins);
    return this.#reader.getInto(key, target, at, family);
  }

  /** The newest record, whether or not a crash could still take it back. */
  latest(key: Uint8Array, family: number = columnFamily.data): Latest {
    this.#checkRead(key);
    return this.#reader.latest(key, family);
  }

  /** `done` when `version` is visible, at once if it is already; `NOKV_UNDETERMINED` if it never will be. */
  whenVisible(version: number, done: Done): void {
    this.#checkOpen();
    this.#write.whenVisible(version, done);
  }

  /** The present for decisions about expiry, Unix milliseconds. Never goes back. */
  nowMs(): number {
    this.#checkOpen();
    return this.#clock.nowMs();
  }

  /** Close it. What it shows is fixed when it is made. */
  iterator(options: IteratorOptions = {}): EngineIterator {
    this.#checkOpen();
    const iterator = this.#iterators.open(options, this.#pins);
    this.#compactor.noteWalk();
    return iterator;
  }

  /** A view of what is visible now. Release it. */
  snapshot(): Snapshot {
    this.#checkOwn();
    return this.#pins.pin(this.#write.visibleVersion, this.#clock.nowMs());
  }

  /** What was visible at an earlier version and instant, as far as nothing of it was dropped since. Release it. */
  snapshotAt(version: number, readAtMs: number): Snapshot {
    this.#checkOwn();
    return this.#pins.pin(version, readAtMs);
  }

  /** Moves everything in memory into tables. Rejects when that failed; it is tried again by itself. */
  async flush(): Promise<void> {
    this.checkWritable();
    const { memtables } = this.#write;
    while (memtables.immutableCount > this.#options.immutableMemtablesMax) await this.#nextFlush();
    if (!memtables.active.memtable.isEmpty) this.#write.rotate(0);
    const last = memtables.newestImmutable?.segment.number ?? 0;
    for (;;) {
      const oldest = memtables.oldestImmutable;
      if (oldest === null || oldest.segment.number > last) return;
      await this.#nextFlush();
    }
  }

  /**
   * Makes `target`, a directory that does not exist or is empty, a database of its own that holds everything
   * committed before the call: hard links, so it takes no room until either side merges its tables. It must be
   * on the same file system.
   */
  async checkpoint(target: string): Promise<Checkpoint> {
    this.checkWritable();
    const version = this.#write.pendingVersion;
    return writeCheckpoint(this.#env, target, async () => {
      await this.flush();
      assert(this.#flusher.flushedVersion >= version, "a flush brings everything into tables");
      const { flushedVersion } = this.#flusher;
      const { gate } = this;
      return { directory: this.#directory, tables: this.#tables.current.version, version: flushedVersion, gate };
    });
  }

  /** `done` when everything up to `version` is in durable tables, so that no log is needed for it. */
  whenInTables(version: number, done: Done): void {
    this.checkWritable();
    if (version > this.#write.pendingVersion) throw invalidArgument(`version ${version} was never given out`);
    this.#flusher.whenFlushed(version, done);
  }

  /** What the manifest says this directory is. */
  get gate(): FormatGate {
    return this.#manifest.state.gate;
  }

  /** From now on the directory is that, durably when it resolves. Rejects when the manifest takes no more. */
  async passGate(gate: FormatGate): Promise<void> {
    this.checkWritable();
    await appendDurably(this.#manifest, { gate }, `writing the gate of ${this.#directory}`);
  }

  /** How much data lies in a range: from indexes and samples, no block is read. */
  sizeOf(range: KeyRange): RangeSize {
    this.#checkOpen();
    return new RangeEstimate(this.#write.memtables, this.#tables.current).size(range);
  }

  /** At most `count` keys that divide a range into parts of about equal size. */
  sampleKeys(range: KeyRange, count: number): Uint8Array[] {
    this.#checkOpen();
    return new RangeEstimate(this.#write.memtables, this.#tables.current).sampleKeys(range, count);
  }

  /** Flushes, merges all tables into one sorted level, and collects what that made garbage of in value files. */
  async compact(): Promise<void> {
    await this.flush();
    this.checkWritable();
    await new Promise<void>((resolve, reject) => {
      this.#compactor.compactAll((error) => (error === null ? resolve() : reject(error)));
    });
  }

  /**
   * Ends in order: everything taken becomes durable, whatever the level, and a log of some length is moved into
   * tables. Rejects with `NOKV_UNDETERMINED` when that failed. The directory is free afterwards either way. May be
   * called again.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** `run` once, when a write or a sync has failed for good and the store takes no more writes. */
  onPoisoned(run: (error: NokvError) => void): void {
    if (this.#failure !== null) run(poisoned(this.#failure));
    else this.#poisonListeners.push(run);
  }

  /** What the last flush or merge failed with, if it met damage; null: it did not. */
  get damage(): NokvError | null {
    return this.#flusher.lane.damage ?? this.#compactor.lane.damage;
  }

  stats(): EngineStats {
    return engineStats({
      options: this.#options, recovery: this.#recovery,
      write: this.#write, tables: this.#tables, reader: this.#reader,
      flusher: this.#flusher, compactor: this.#compactor,
      cache: this.#cache, records: this.#records, points: this.#points,
      openIterators: this.#iterators.count, openSnapshots: this.#pins.count,
      poisoned: this.#failure !== null, damage: this.damage,
    });
  }

  /**
   * Reads every byte of the tables, the values they point to, the manifest and the log as far as it is written, as
   * jobs: other work goes on. Findings of tables that were merged away meanwhile do not count.
   */
  verify(): Promise<VerifyReport> {
    return this.#verifier.run();
  }

  #checkOpen(): void {
    if (!this.#open) throw closed("database");
  }

  /** Throws `NOKV_INVALID_ARGUMENT` where versions are given. */
  #checkOwn(): void {
    this.#checkOpen();
    if (this.#versioned !== null) throw invalidArgument('versions are given to this database: use "apply"');
  }

  #given(): VersionedWrites {
    this.#checkOpen();
    if (this.#versioned !== null) return this.#versioned;
    throw invalidArgument('this database gives versions itself: open it with versions "given"');
  }

  /** Throws `NOKV_INVALID_ARGUMENT` where versions are the engine's own. */
  checkGiven(): void {
    this.#given();
  }

  #versionedWrites(): VersionedWrites {
    return new VersionedWrites({
      clock: this.#env.clock,
      write: this.#write,
      reader: this.#reader,
      checkAll: this.#options.checkVersions,
    });
  }

  /** Throws `NOKV_CLOSED` or `NOKV_POISONED` when nothing can be written any more. */
  checkWritable(): void {
    this.#checkOpen();
    if (this.#failure !== null) throw poisoned(this.#failure);
  }

  #checkRead(key: Uint8Array): void {
    if (!this.#open) throw closed("database");
    if (key.length <= keyLengthMax) return;
    throw invalidArgument(`key of ${key.length} bytes; at most ${keyLengthMax}`);
  }

  #writeListener(): WriteListener {
    return {
      pressure: livePressure(this.#tables, this.#flusher.lane, this.#compactor.lane, this.#options),
      rotatedOrReached: () => this.#flusher.kick(),
      segmentDurable: (segment) => this.#listSegment(segment),
      failed: (error) => this.#poison(error),
    };
  }

  #kick(): void {
    this.#flusher.kick();
    this.#compactor.kick();
  }

  /** From now on the loss of this segment is damage, not a crash. */
  #listSegment(segment: WalSegment): void {
    this.#manifest.append({ listed: [segment.number] }, () => {});
  }

  async #close(): Promise<void> {
    this.#open = false;
    this.#iterators.invalidate();
    this.#versioned?.stop();
    this.#pins.close();
    this.#records.clear();
    const failedBefore = this.#failure;
    this.#emptying = true;
    await emptyLog(this.#write, this.#flusher, this.#options.memtableBytes);
    this.#emptying = false;
    this.#write.memtables.clearRetained();
    await closeParts({
      write: this.#write,
      manifest: this.#manifest,
      tables: this.#tables,
      flusher: this.#flusher,
      compactor: this.#compactor,
      verifier: this.#verifier,
      transfer: this.transfer,
      points: this.#points,
      lock: this.#lock,
      failedBefore,
      failure: () => this.#failure,
    });
  }

  /** Rejects when the flush failed, and when the store was closed or poisoned meanwhile. */
  async #nextFlush(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#flusher.lane.afterNext((error) => (error === null ? resolve() : reject(error)));
      this.#flusher.kick();
    });
    this.checkWritable();
  }

  /** Stops everything that writes. Reads of what is visible go on. */
  #poison(error: DiskError): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.#env.trace.emit("engine/poisoned", { code: error.code, path: error.path });
    this.#write.poison(error);
    this.#manifest.poison(error);
    this.#flusher.stop(poisoned(error));
    this.#compactor.stop(poisoned(error));
    for (const run of this.#poisonListeners.splice(0)) run(poisoned(error));
  }
}
