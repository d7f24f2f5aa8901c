// HOT: every commit passes here.
import { assert } from "../assert.ts";
import { readKind, readVersion, recordBytesAt, recordKind, writeVersion } from "../bytes/record.ts";
import type { Timer } from "../env/clock.ts";
import type { DiskError } from "../env/disk.ts";
import type { Env } from "../env/env.ts";
import { NokvError } from "../errors.ts";
import type { DirectorySync } from "../wal/directory-sync.ts";
import { WalSegment } from "../wal/segment.ts";
import type { WalConfig, WalOwner } from "../wal/wal-config.ts";
import { WalWriter } from "../wal/writer.ts";
import { Arenas } from "./arenas.ts";
import { Backpressure } from "./backpressure.ts";
import type { Batch } from "./batch.ts";
import { closed, invalidArgument, poisoned, undetermined } from "./failure.ts";
import { walName } from "../wal/segment-name.ts";
import { CatchUp } from "./catch-up.ts";
import type { FileNumbers } from "./file-numbers.ts";
import { HotKeys } from "./hot-keys.ts";
import type { HybridClock } from "./hybrid-clock.ts";
import { MemorySegment, Memtables } from "./memtables.ts";
import type { EngineOptions } from "./options.ts";
import type { ReplayedFrame } from "./past.ts";
import type { RecordCache } from "./record-cache.ts";
import { behind, busy, noPressure, type Pressure } from "./room.ts";
import type { StallStats } from "./stats.ts";
import { type Done, Waiters } from "./waiters.ts";

/** Whom the write path tells. */
export interface WriteListener {
  readonly pressure: Pressure;
  /** A memtable became full, or visible. */
  rotatedOrReached(): void;
  segmentDurable(segment: WalSegment): void;
  /** The log failed: nothing more will be durable. */
  failed(error: DiskError): void;
}

/** What the write path is made from. */
export interface WriteConfig {
  readonly directory: DirectorySync;
  readonly epoch: number;
  readonly options: EngineOptions;
  /** Newest version in tables: visible from the start. What is replayed follows. */
  readonly visibleVersion: number;
  /** A commit drops its keys there. */
  readonly records: RecordCache;
}

/**
 * From a batch to a durable, visible version: it is copied into the arena that is the log segment's image,
 * indexed by the memtable, and told when its durability level is met.
 *
 * A commit is seen by `latest` at once and by plain reads when it is visible. When the background is behind,
 * commits are still taken into memory, but their groups are held back until it has caught up; when memory is
 * full too, they are refused.
 *
 * What orders commits is a *ticket*, a number on the line of versions. It is above every version in earlier commits. A
 * commit whose records get their version here has one number for both; one whose records bear versions (`apply`)
 * has a ticket above them. So in either case nothing up to a ticket holds a version beyond it. The versions
 * that this class and what it tells name are tickets.
 */
export class WritePath implements WalOwner {
  readonly #env: Env;
  readonly #config: WriteConfig;
  readonly #clock: HybridClock;
  readonly #numbers: FileNumbers;
  readonly #waiters = new Waiters();
  readonly #arenas: Arenas;
  readonly wal: WalWriter;
  readonly memtables: Memtables;
  /** Null: nobody asked for it. */
  readonly hot: HotKeys | null;
  #listener: WriteListener | null = null;
  #visibleVersion: number;
  #pendingVersion: number;
  #failure: DiskError | null = null;
  #closing = false;
  readonly #backpressure: Backpressure;
  readonly #catchUp: CatchUp;
  #slowTimer: Timer | null = null;
  /** The next group has waited its time. */
  #paid = false;
  /** The last group was not slowed although level 0 called for it. */
  #spared = false;
  putCount = 0;
  deleteCount = 0;
  rangeDeleteCount = 0;
  batchCount = 0;
  #unslowedStalls = 0;
  /** Called when the disk or the background got on; who waits for room may find some. */
  onProgress: (() => void) | null = null;

  constructor(env: Env, config: WriteConfig, clock: HybridClock, numbers: FileNumbers) {
    this.#env = env;
    this.#config = config;
    this.#clock = clock;
    this.#numbers = numbers;
    this.hot = HotKeys.of(env.clock, config.options);
    this.#backpressure = new Backpressure(env.clock, config.options);
    this.#visibleVersion = config.visibleVersion;
    this.#pendingVersion = config.visibleVersion;
    this.wal = new WalWriter(env, walConfig(config), this);
    this.#catchUp = new CatchUp(env, config.directory.syncs, this.wal);
    this.#arenas = new Arenas(env.jobs, config.options.memtableBytes);
    const active = this.#beginSegment(0);
    this.memtables = new Memtables(active, config.options.retainedMemtableBytes, this.#arenas);
  }

  get visibleVersion(): number {
    return this.#visibleVersion;
  }

  get pendingVersion(): number {
    return this.#pendingVersion;
  }

  get arenasReused(): number {
    return this.#arenas.reuseCount;
  }

  get failure(): DiskError | null {
    return this.#failure;
  }

  /** Recovery is over: from now on there is somebody to tell. */
  start(listener: WriteListener): void {
    assert(this.#listener === null, "the write path starts once");
    this.#listener = listener;
    this.putCount = 0;
    this.deleteCount = 0;
    this.rangeDeleteCount = 0;
    // The log may have failed behind the last sync of the recovery. Without this line a store that takes no
    // writes would look healthy for ever.
    if (this.#failure !== null) listener.failed(this.#failure);
  }

  commit(batch: Batch, done: Done): void {
    const version = this.#take(batch, 0);
    this.#waiters.add(version, done);
  }

  /** As `commit`; the commits of one group share one promise. */
  commitShared(batch: Batch): Promise<void> {
    const version = this.#take(batch, 0);
    return this.#waiters.promise(version, this.wal.groupCount);
  }

  /**
   * Returns when the durability level is met. Nobody else's group is waited for: where one would be slowed or held
   * back, the thread stands still for as long as the bytes take at the present pace. Throws what `commit` throws,
   * and `NOKV_UNDETERMINED` when nobody can tell whether the level is met.
   */
  commitSync(batch: Batch): void {
    this.#awaitRoom(batch.byteLength);
    this.#slowDown(batch.byteLength);
    // Whoever was told of something meanwhile may have closed the store.
    if (this.#closing) throw closed("database");
    const version = this.#take(batch, 0);
    this.wal.completeNow(version);
    if (this.#visibleVersion >= version) return;
    if (this.#failure !== null) throw undetermined(this.#failure);
    // Whether it gets any, and keeps it, is told by no error of the disk.
    throw new NokvError("NOKV_UNDETERMINED", "the write waits for room on the disk; it is done when there is some");
  }

  /** `done` when `version` has met its durability level, at once when it has already. */
  whenVisible(version: number, done: Done): void {
    if (version <= this.#visibleVersion) return done(null);
    if (version > this.#pendingVersion) throw invalidArgument(`version ${version} was never given out`);
    if (this.#failure !== null) return done(undetermined(this.#failure));
    this.#waiters.add(version, done);
  }

  /**
   * Takes a batch of which every record is stamped, `newest` being the highest version, and gives its ticket. Throws
   * as `commit` does, and then nothing happened.
   */
  apply(batch: Batch, newest: number): number {
    assert(newest > 0, "a version that is given is above 0");
    return this.#take(batch, newest);
  }

  /** `newest`: of the versions that the records bear; 0: none yet. */
  #take(batch: Batch, newest: number): number {
    const length = batch.byteLength;
    this.#checkBatch(batch, length);
    if (this.hot !== null) this.hot.note(batch);
    const full = this.#memoryFull(length);
    if (full !== null) throw full;
    if (!this.wal.active.fits(length)) this.rotate(length);
    // Making room may have begun a flush, and that may have failed at once.
    if (this.#failure !== null) throw poisoned(this.#failure);
    const given = newest > 0;
    if (given) this.#clock.passBy(newest);
    const ticket = given ? this.#clock.step() : this.#clock.next();
    const start = this.wal.append(batch.bytes, length, ticket, given);
    this.#index(start, start + length, given ? 0 : ticket);
    this.#pendingVersion = ticket;
    this.batchCount++;
    return ticket;
  }

  /** Whether `apply` would take a batch of so many bytes now. */
  hasRoom(length: number): boolean {
    return this.#failure === null && !this.wal.outOfSpace && this.#memoryFull(length) === null;
  }

  /** Appends the records of one recovered frame, stamped long ago. Nobody waits for them. */
  replay({ bytes, start, end, versionsGiven }: ReplayedFrame): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let from = start;
    while (from < end) {
      // A batch is a run of one version, but where versions were given: there nothing divides a frame.
      const version = readVersion(view, from);
      let newest = version;
      let to = from;
      while (to < end && (versionsGiven || readVersion(view, to) === version)) {
        newest = Math.max(newest, readVersion(view, to));
        to += recordBytesAt(view, to);
      }
      const length = to - from;
      if (!this.wal.active.fits(length)) this.rotate(length);
      const ticket = versionsGiven ? Math.max(this.#pendingVersion, newest) + 1 : version;
      const offset = this.wal.append(bytes.subarray(from, to), length, ticket, versionsGiven);
      this.#index(offset, offset + length, 0);
      this.#clock.passBy(ticket);
      this.#pendingVersion = ticket;
      from = to;
    }
  }

  /**
   * Tables came into use that hold versions up to `version`. Everything handed out before is visible, and the
   * clock has passed it by.
   */
  passBy(version: number): void {
    if (version > this.#pendingVersion) this.#pendingVersion = version;
    if (version > this.#visibleVersion) this.#visibleVersion = version;
  }

  /** Begins a new memtable and segment with room for `batchBytes`. */
  rotate(batchBytes: number): void {
    assert(!this.#closing, "a log that is sealed for good is not continued");
    this.memtables.rotate(this.#beginSegment(batchBytes), this.#env.clock.monotonicUs());
    this.#listener?.rotatedOrReached();
  }

  /** Seals the log; held groups go out, since nothing more is taken. */
  close(done: (error: DiskError | null) => void): void {
    this.#closing = true;
    this.wal.seal(done);
  }

  /** Tries held groups again: the background got on. */
  resume(): void {
    this.wal.resume();
    this.onProgress?.();
  }

  /** Nothing more becomes durable. Whoever waits can not know. */
  poison(error: DiskError): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.wal.poison(error);
    this.#waiters.fail(undetermined(error));
  }

  mayWrite(): boolean {
    if (this.#mustHold()) {
      this.#hold();
      return false;
    }
    this.#backpressure.letGo();
    return this.#slowTimer === null && !this.#mustWait();
  }

  /** What of `EngineStats` is about writes that had to wait. */
  stallStats(): StallStats {
    const { stalls, slowdowns, slowdownsByCause, pressure, cause, ...times } = this.#backpressure;
    return {
      stallCount: stalls,
      stallMs: Math.trunc(times.stallUs / 1000),
      longestStallMs: Math.trunc(times.longestStallUs / 1000),
      unslowedStalls: this.#unslowedStalls,
      slowdowns,
      slowdownMs: Math.trunc(times.slowdownUs / 1000),
      longestSlowdownMs: Math.trunc(times.longestSlowdownUs / 1000),
      slowdownsByCause: { ...slowdownsByCause },
      pressure,
      pressureCause: cause,
    };
  }

  mayWaitForSpace(): boolean {
    // An opening that finds no room says so at once.
    return this.#listener !== null;
  }

  reached(version: number): void {
    assert(version > this.#visibleVersion, "visible versions go up");
    assert(version <= this.#pendingVersion, "only what was given out becomes visible");
    this.#visibleVersion = version;
    if (this.memtables.immutableCount > 0) this.#listener?.rotatedOrReached();
    this.#waiters.tell(version);
    this.onProgress?.();
  }

  segmentDurable(segment: WalSegment): void {
    this.#listener?.segmentDurable(segment);
  }

  failed(error: DiskError): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    // Everybody stops before anybody is told.
    this.#listener?.failed(error);
    this.#waiters.fail(undetermined(error));
  }

  #hold(): void {
    if (this.#backpressure.held) return;
    const { immutableCount } = this.memtables;
    const level0Tables = this.#listener?.pressure.level0Tables ?? 0;
    if (this.#spared && immutableCount <= this.#config.options.immutableMemtablesMax) this.#unslowedStalls++;
    this.#backpressure.hold();
    this.#env.trace.emit("engine/stalled", { immutables: immutableCount, level0Tables });
  }

  /** Whether the next group waits because the background is behind. Then a timer goes on with it. */
  #mustWait(): boolean {
    const bytes = this.wal.pendingBytes;
    if (this.#listener === null || this.#closing || bytes === 0) return false;
    if (this.#paid) {
      this.#paid = false;
      return false;
    }
    const { pressure } = this.#listener;
    const backpressure = this.#backpressure;
    this.#measure(pressure);
    this.#spared = pressure.level0Tables > backpressure.level0Slow && backpressure.pressure === 0;
    const waitUs = backpressure.charge(bytes);
    if (waitUs === 0) return false;
    this.#slowTimer = this.#env.clock.after(waitUs, () => {
      this.#slowTimer = null;
      this.#paid = true;
      this.wal.resume();
    });
    return true;
  }

  /** Throws `NOKV_BUSY` where standing still did not help: level 0 is twice as full as it may be. */
  #slowDown(bytes: number): void {
    if (this.#listener === null || this.#failure !== null) return;
    const { pressure } = this.#listener;
    if (pressure.level0Tables >= 2 * this.#config.options.level0TablesStop) {
      // Only a turn of the event loop helps: whoever writes synchronously has to try again later.
      const why = pressure.compactionIsLent ? ", which waits for an export, import or checkpoint to end" : "";
      throw behind(`${pressure.level0Tables} tables wait for compaction${why}`, pressure.compactionFailure);
    }
    this.#measure(pressure);
    const waitUs = Math.min(this.#backpressure.charge(bytes), standStillUsMax);
    if (waitUs === 0) return;
    this.#catchUp.pass(waitUs);
  }

  /** Stands still while there is no room for the batch and the background gets on. */
  #awaitRoom(bytes: number): void {
    if (!this.#isFull(bytes)) return;
    const wasHeld = this.#backpressure.held;
    this.#hold();
    // A memtable is flushed when all of it is visible.
    // Versions that came with tables are in no log.
    if (this.#pendingVersion > this.#visibleVersion) this.wal.completeNow(this.#pendingVersion);
    this.#catchUp.while(() => this.#isFull(bytes));
    if (!wasHeld) this.#backpressure.letGo();
  }

  /** No batch of `bytes` is taken until the background got on, and it may. */
  #isFull(bytes: number): boolean {
    if (this.#listener === null || this.#failure !== null) return false;
    const { pressure } = this.#listener;
    const { immutableMemtablesMax, level0TablesStop } = this.#config.options;
    if (pressure.level0Tables >= 2 * level0TablesStop) return pressure.compactionFailure === null;
    if (this.wal.active.fits(bytes) || this.memtables.immutableCount <= immutableMemtablesMax) return false;
    return pressure.flushFailure === null;
  }

  #measure({ level0Tables, debtBytes }: Pressure): void {
    const { memtableBytes, immutableMemtablesMax } = this.#config.options;
    const memoryBytesMax = memtableBytes * (immutableMemtablesMax + 1);
    this.#backpressure.measure({ memoryBytes: this.memtables.usedBytes, memoryBytesMax, level0Tables, debtBytes });
  }

  #checkBatch(batch: Batch, length: number): void {
    const { options } = this.#config;
    if (batch.largestValueBytes > options.valueBytesMax) {
      const limit = `valueBytesMax is ${options.valueBytesMax}`;
      throw invalidArgument(`value of ${batch.largestValueBytes} bytes; ${limit}`);
    }
    if (length > options.batchBytesMax) {
      throw invalidArgument(`batch of ${length} bytes; batchBytesMax is ${options.batchBytesMax}`);
    }
    if (this.#failure !== null) throw poisoned(this.#failure);
    if (this.wal.outOfSpace) throw new NokvError("NOKV_NO_SPACE", "the log waits for room on the disk");
    if (this.#waiters.count === 0) return;
    const pending = this.wal.pendingBytes;
    if (pending + length > options.pendingBytesMax) {
      const limit = `pendingBytesMax is ${options.pendingBytesMax}`;
      throw busy(`${pending} bytes of writes wait for the disk; ${limit}`);
    }
  }

  /** `NOKV_BUSY` or `NOKV_NO_SPACE` when no memory is left to take so many bytes into; null: there is. */
  #memoryFull(length: number): NokvError | null {
    const pressure = this.#listener?.pressure ?? noPressure;
    const { options } = this.#config;
    if (pressure.compactionFailure !== null && pressure.level0Tables >= options.level0TablesStop) {
      return behind(`${pressure.level0Tables} tables wait for compaction`, pressure.compactionFailure);
    }
    if (this.wal.active.fits(length)) return null;
    const waiting = this.memtables.immutableCount;
    // One more than the limit is taken into memory, and held back: a queue, bounded by one arena.
    const refused = pressure.flushFailure !== null && waiting === options.immutableMemtablesMax;
    if (refused || waiting > options.immutableMemtablesMax) {
      return behind(`${waiting} memtables wait for their flush`, pressure.flushFailure);
    }
    return null;
  }

  #mustHold(): boolean {
    // During recovery nothing flushes yet, and at the end nothing more is taken.
    if (this.#listener === null || this.#closing) return false;
    const { pressure } = this.#listener;
    const { options } = this.#config;
    const { held, level0Resume } = this.#backpressure;
    const level0Bound = held ? level0Resume + 1 : options.level0TablesStop;
    if (pressure.level0Tables >= level0Bound && pressure.compactionFailure === null) return true;
    if (this.memtables.immutableCount <= options.immutableMemtablesMax) return false;
    // Holding helps only while a flush can get on: what is not visible yet can not be flushed, and after a
    // failure nobody knows when it will.
    const oldest = this.memtables.oldestImmutable;
    assert(oldest !== null, "a memtable waits for its flush");
    return pressure.flushFailure === null && oldest.segment.lastVersion <= this.#visibleVersion;
  }

  #beginSegment(batchBytes: number): MemorySegment {
    const memtable = this.#arenas.take(WalSegment.arenaBytes(batchBytes));
    const number = this.#numbers.allocate();
    const path = `${this.#config.directory.path}/${walName(number)}`;
    return new MemorySegment(memtable, this.wal.begin(number, path, memtable.arena));
  }

  /** Indexes the records in `[start, end)` of the active arena, stamped with `version` before; 0: they are already. */
  #index(start: number, end: number, version: number): void {
    const { memtable } = this.memtables.active;
    const { records } = this.#config;
    const view = memtable.view;
    let at = start;
    while (at < end) {
      if (version !== 0) writeVersion(view, at, version);
      const kind = readKind(view, at);
      // A key that is in a memtable is not cached: see there.
      if (memtable.add(at)) records.invalidate(memtable.addedHash);
      if (kind === recordKind.value) this.putCount++;
      else if (kind === recordKind.tombstone) this.deleteCount++;
      else this.#noteRange();
      at += recordBytesAt(view, at);
    }
    assert(at === end, "a batch is whole records");
  }

  #noteRange(): void {
    this.rangeDeleteCount++;
    this.memtables.hasRanges = true;
  }
}

/** The longest that one synchronous commit stands still: what waits longer is a stop, and is told as one. */
const standStillUsMax = 1_000_000;

function walConfig(config: WriteConfig): WalConfig {
  const { directory, epoch, options } = config;
  return {
    directory,
    epoch,
    level: options.durability,
    syncIntervalMs: options.syncIntervalMs,
    groupBytesMax: options.walGroupBytesMax,
    sparesMax: options.walSparesMax,
    aheadBytesMax: options.walAheadBytesMax,
    waitedSyncUs: options.waitedSyncUs,
  };
}
