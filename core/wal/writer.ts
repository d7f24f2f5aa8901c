// HOT: every committed write passes here.
import { walAfterRotate, walAfterSync, walBeforeSync } from "../../failpoints/catalog.ts";
import { assert } from "../assert.ts";
import type { Timer } from "../env/clock.ts";
import { DiskError, type DiskFile } from "../env/disk.ts";
import type { Env } from "../env/env.ts";
import { closeFile } from "./close-file.ts";
import { fileHeaderBytes } from "./file-header.ts";
import { Preallocation, trim } from "./preallocation.ts";
import { WalSegment } from "./segment.ts";
import { SpareFiles } from "./spare-files.ts";
import { startSync, syncNow } from "./start-sync.ts";
import { SyncPace } from "./sync-pace.ts";
import { SyncWaiters } from "./sync-waiters.ts";
import { spaceRetriesMax, spaceRetryUs, type WalConfig, type WalOwner } from "./wal-config.ts";

/**
 * Appends batches to segments and makes them durable in groups: while a sync is in flight, new batches gather
 * in the arena; when it completes, one write and one sync carry them all.
 *
 * Invariants:
 * - segments are written and synced from the oldest to the newest; at most one sync is in flight
 * - level "sync": nothing enters a segment's file before every older segment is durable
 * - after an error nothing is written or synced again: the pages may be gone although a retry would succeed
 */
export class WalWriter {
  readonly #env: Env;
  readonly #config: WalConfig;
  readonly #owner: WalOwner;
  /** Oldest first; the last is the active one. Those before it are sealed. */
  readonly #segments: WalSegment[] = [];
  readonly #waiters = new SyncWaiters();
  readonly spares: SpareFiles;
  readonly #pace: SyncPace;
  readonly #ahead: Preallocation;
  readonly #pumpBound: () => void;
  readonly #syncedBound: (error: DiskError | null) => void;
  readonly #injectedBound: () => void;
  #scheduled = false;
  /** The sync in flight: of which segment, what it covers, how many completions are still to come. */
  #syncing: WalSegment | null = null;
  #syncCovers = 0;
  #syncCoversVersion = 0;
  #syncOutstanding = 0;
  #syncTimer: Timer | null = null;
  #spaceTimer: Timer | null = null;
  #spaceRetries = 0;
  #failure: DiskError | null = null;
  #closed = false;
  /** Newest version that the owner was told of. */
  #reached = 0;
  writtenBytes = 0;
  syncCount = 0;
  groupCount = 0;

  constructor(env: Env, config: WalConfig, owner: WalOwner) {
    this.#env = env;
    this.#config = config;
    this.#owner = owner;
    this.spares = new SpareFiles(env.disk, config.sparesMax);
    this.#ahead = new Preallocation(config.aheadBytesMax);
    this.#pace = new SyncPace(env.clock, config.waitedSyncUs);
    this.#pumpBound = () => {
      this.#scheduled = false;
      this.#pump();
    };
    this.#syncedBound = (error) => {
      // At once, although another completion may be to come: meanwhile somebody would build on what is lost.
      if (error !== null && this.#failure === null) this.#fail(error);
      this.#syncOutstanding--;
      if (this.#syncOutstanding === 0) this.#synced();
    };
    // Not of the active segment: the log may have been closed meanwhile, and then there is none.
    this.#injectedBound = () => this.#syncedBound(new DiskError("EIO", "sync", this.#syncing?.path ?? ""));
  }

  /** The segment that takes appends. */
  get active(): WalSegment {
    const segment = this.#segments[this.#segments.length - 1];
    assert(segment !== undefined, "a log has an active segment");
    return segment;
  }

  /** A group is held up by a full disk; it is tried again. */
  get outOfSpace(): boolean {
    return this.#spaceTimer !== null;
  }

  /** Bytes that were appended and not yet taken by the disk. */
  get pendingBytes(): number {
    let bytes = 0;
    for (const segment of this.#segments) bytes += segment.endBytes - segment.writtenBytes;
    return bytes;
  }

  /** Seals the active segment, if there is one, and begins segment `number` in `arena`. */
  begin(number: number, path: string, arena: Uint8Array): WalSegment {
    let previousNumber = 0;
    if (this.#segments.length > 0) {
      const old = this.active;
      assert(number > old.number, "segment numbers go up");
      previousNumber = old.number;
      if (!old.sealed) old.seal();
    }
    this.#segments.push(new WalSegment(number, path, arena, this.#config.epoch, previousNumber));
    this.#schedule();
    return this.active;
  }

  /**
   * Appends one batch to the active segment, where it fits. Returns the offset of its first record. `given`: its
   * records bear versions already; else their version is `ticket`, and they are stamped before this turn ends.
   */
  append(source: Uint8Array, length: number, ticket: number, given = false): number {
    assert(this.#failure === null, "a failed log takes nothing");
    const segment = this.active;
    segment.setVersionsGiven(given);
    const offset = segment.append(source, length, ticket, this.#config.groupBytesMax);
    this.#schedule();
    return offset;
  }

  /** `done` once everything appended so far is durable, whatever the level. */
  sync(done: (error: DiskError | null) => void): void {
    const failure = this.#failure;
    if (failure !== null) {
      this.#env.clock.soon(() => done(failure));
      return;
    }
    this.#demandAll();
    this.#waiters.add({ segment: this.active, bytes: this.active.endBytes, done });
    this.#schedule();
  }

  /**
   * Brings what was appended up to `version` to its level before it returns, although the owner may hold groups
   * back. If the owner was not told of `version` then, the log failed or waits for room.
   */
  completeNow(version: number): void {
    while (this.#reached < version && this.#failure === null && this.#spaceTimer === null) {
      if (this.#config.level !== "sync") {
        if (this.#writeGroup(true)) this.#tell(this.#writtenVersion());
        continue;
      }
      const segment = this.#segments.find((one) => !one.forgotten && one.durableBytes < one.endBytes);
      assert(segment !== undefined, "what is not durable yet is in a segment");
      this.#durableNow(segment);
    }
  }

  /**
   * Makes durable what somebody waits for beyond the level, a kept segment above all, before it returns. False: nobody
   * waits, or the log failed or waits for room.
   */
  demandedNow(): boolean {
    const isDemanded = (one: WalSegment): boolean => !one.forgotten && one.durableBytes < one.demandedBytes;
    if (this.#config.level === "sync" || this.outOfSpace || !this.#segments.some(isDemanded)) return false;
    if (this.#failure !== null || !this.#writeGroup(true)) return false;
    this.#tell(this.#writtenVersion());
    const segment = this.#segments.find(isDemanded);
    return segment !== undefined && this.#failure === null && this.#durableNow(segment);
  }

  /** False when the log failed or waits for room. */
  #durableNow(segment: WalSegment): boolean {
    if (segment.writtenBytes < segment.endBytes && !this.#writeSegment(segment)) return false;
    const { file } = segment;
    assert(file !== null, "only what was written is synced");
    return this.#syncNow(segment, file);
  }

  /** Tries a held or blocked group again. */
  resume(): void {
    this.#schedule();
  }

  /**
   * `done` once `segment`, which is sealed, is durable to its last byte, whatever the level and however far the
   * background is behind: its file is about to be needed for its values.
   */
  keep(segment: WalSegment, done: (error: DiskError | null) => void): void {
    assert(segment.sealed, "a segment is kept when nothing follows in it");
    const failure = this.#failure;
    if (failure !== null || segment.isDurable) {
      this.#env.clock.soon(() => done(failure));
      return;
    }
    segment.kept = true;
    segment.demandedBytes = segment.endBytes;
    this.#waiters.add({ segment, bytes: segment.endBytes, done });
    this.#schedule();
  }

  /** The records of `segment` are in a durable table: the log no longer answers for them. */
  forget(segment: WalSegment): void {
    assert(segment !== this.active, "the active segment is never forgotten");
    segment.forgotten = true;
    this.#dropDone();
    this.#schedule();
  }

  /** Keeps the file of a forgotten segment for a later one. False: remove it. */
  recycle(segment: WalSegment, sparePath: string): boolean {
    assert(segment.forgotten, "a file that is written over is needed no more");
    // A sync of the old bytes that is under way may fail, and take the new ones down with it.
    if (segment.file !== null || segment.writtenBytes === 0 || this.#failure !== null) return false;
    return this.spares.give(segment.path, sparePath);
  }

  /** Gives back the room that the log does not need: somebody found the disk full. */
  giveUpRoom(): void {
    this.spares.removeAll();
    if (this.#failure === null && this.#segments.length > 0) this.#ahead.giveUp(this.active);
  }

  /** Seals the log for an orderly end and makes it durable. Nothing may be appended afterwards. */
  seal(done: (error: DiskError | null) => void): void {
    if (this.#failure === null) this.active.seal();
    this.sync(done);
  }

  /** Gives the files back. Not for a crash: nothing depends on it. */
  closeFiles(): void {
    this.#closed = true;
    this.#stopTimers();
    for (const segment of this.#segments) {
      if (segment.file !== null) closeFile(segment.file);
      segment.file = null;
    }
    this.#segments.length = 0;
  }

  /** Stops the log because something else failed for good. Waiters are told; the owner is not. */
  poison(error: DiskError): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.#stopTimers();
    this.#waiters.fail(error);
  }

  #schedule(): void {
    if (this.#scheduled || this.#failure !== null) return;
    this.#scheduled = true;
    // Not now: the commits of one turn share a group.
    this.#env.clock.soon(this.#pumpBound);
  }

  #pump(): void {
    if (this.#failure !== null || this.#closed || this.#spaceTimer !== null) return;
    const level = this.#config.level;
    // Level "sync": batches gather while a sync is in flight, and the next one carries them all.
    const gathering = level === "sync" && this.#syncing !== null;
    if (!gathering) {
      if (!this.#writeGroup(this.#owner.mayWrite())) return;
      if (level !== "sync") this.#tell(this.#writtenVersion());
    }
    // Whoever was told may have closed or poisoned the log.
    if (this.#failure !== null) return;
    if (this.#syncing === null) this.#startSync();
    if (this.#syncing === null) this.#waiters.tell();
    if (level === "interval") this.#armSyncTimer();
  }

  /** Not `mayWrite`: only what a kept segment lacks. False when the log failed or waits for room. */
  #writeGroup(mayWrite: boolean): boolean {
    for (let i = 0; i < this.#segments.length; i++) {
      const segment = this.#segments[i] as WalSegment;
      // A durable segment leaves the list, so behind the first one something older is not durable yet.
      // Without this line a crash could keep new commits and lose older ones that were acknowledged.
      if (this.#config.level === "sync" && i > 0) break;
      if (segment.forgotten || segment.writtenBytes === segment.endBytes) continue;
      // What holds groups back may be the very flush that waits for this one.
      if (!mayWrite && !segment.kept) continue;
      if (!this.#writeSegment(segment)) return false;
    }
    return true;
  }

  #writeSegment(segment: WalSegment): boolean {
    try {
      if (segment.writtenBytes === 0) this.#createFile(segment);
      segment.closeFrame();
      if (segment.sealed) trim(segment);
      const groupBytes = segment.endBytes - segment.writtenBytes;
      this.#writeUpTo(segment, segment.endBytes);
      if (this.#config.level === "sync") this.#ahead.extend(segment, groupBytes);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (!this.#waitForSpace(error)) this.#fail(error);
      return false;
    }
    segment.writtenVersion = segment.lastVersion;
    segment.wholeBytes = segment.endBytes;
    this.#spaceRetries = 0;
    this.groupCount++;
    return true;
  }

  #createFile(segment: WalSegment): void {
    if (segment.file === null) {
      segment.file = this.#openFile(segment);
      segment.allocatedBytes = segment.renamed ? segment.file.sizeBytes() : 0;
    }
    segment.writeHeader();
    this.#writeUpTo(segment, fileHeaderBytes);
    if (segment.previousNumber > 0) this.#env.failpoints.hit(walAfterRotate);
  }

  #openFile(segment: WalSegment): DiskFile {
    segment.renamed = segment.renamed || this.spares.take(segment.path);
    return this.#env.disk.open(segment.path, segment.renamed ? "write" : "create");
  }

  #writeUpTo(segment: WalSegment, end: number): void {
    const file = segment.file;
    assert(file !== null, "a segment has its file before it is written");
    while (segment.writtenBytes < end) {
      const start = segment.writtenBytes;
      const taken = file.write(start, segment.arena, start, end);
      assert(taken >= 1 && taken <= end - start, "a write takes at least one byte and no more than asked");
      segment.writtenBytes = start + taken;
      this.writtenBytes += taken;
    }
  }

  /**
   * A full disk or table of files took nothing, or some bytes of a group that nobody was told of: the same
   * bytes are offered again later. Any other refusal is final.
   */
  #waitForSpace(error: DiskError): boolean {
    if (error.code !== "ENOSPC" && error.code !== "EMFILE") return false;
    if (this.#spaceRetries === spaceRetriesMax || !this.#owner.mayWaitForSpace()) return false;
    this.#spaceRetries++;
    this.#spaceTimer = this.#env.clock.after(spaceRetryUs, () => {
      this.#spaceTimer = null;
      this.#schedule();
    });
    return true;
  }

  #startSync(): void {
    for (let i = 0; i < this.#segments.length; i++) {
      const segment = this.#segments[i] as WalSegment;
      if (!this.#needsSync(segment)) continue;
      this.#sync(segment);
      return;
    }
  }

  #needsSync(segment: WalSegment): boolean {
    if (segment.forgotten || segment.durableBytes === segment.writtenBytes) return false;
    return this.#config.level === "sync" || segment.durableBytes < segment.demandedBytes;
  }

  #sync(segment: WalSegment): void {
    const file = segment.file;
    assert(file !== null, "only what was written is synced");
    if (segment.entryDurable && this.#pace.mayWait) {
      this.#syncNow(segment, file);
      return;
    }
    this.#syncing = segment;
    this.#syncCovers = segment.writtenBytes;
    this.#syncCoversVersion = segment.writtenVersion;
    this.#syncOutstanding = segment.entryDurable ? 1 : 2;
    this.syncCount++;
    const injected = this.#injected();
    this.#pace.begin();
    startSync(file, injected ? this.#injectedBound : this.#syncedBound);
    // A file without a durable entry in its directory is lost with everything in it.
    if (!segment.entryDurable) this.#config.directory.sync(this.#syncedBound);
  }

  #synced(): void {
    const segment = this.#syncing;
    assert(segment !== null, "a completed sync was in flight");
    this.#syncing = null;
    if (this.#failure !== null || this.#closed) return;
    // One that had to wait for the directory as well tells nothing.
    if (segment.entryDurable) this.#pace.end();
    this.#completed(segment, this.#syncCovers, this.#syncCoversVersion);
  }

  /** False when it failed. */
  #syncNow(segment: WalSegment, file: DiskFile): boolean {
    const covers = segment.writtenBytes;
    const version = segment.writtenVersion;
    const entry = segment.entryDurable;
    this.syncCount++;
    const injected = this.#injected();
    this.#pace.begin();
    let error = injected ? new DiskError("EIO", "sync", segment.path) : syncNow(file);
    if (entry) this.#pace.end();
    // A file without a durable entry in its directory is lost with everything in it.
    if (error === null && !entry) error = this.#config.directory.syncNow();
    if (error !== null) this.#fail(error);
    else this.#completed(segment, covers, version);
    return error === null;
  }

  /** This sync shall fail before it begins. */
  #injected(): boolean {
    return this.#env.failpoints.hit(walBeforeSync) === "error";
  }

  #completed(segment: WalSegment, covers: number, version: number): void {
    this.#env.failpoints.hit(walAfterSync);
    const first = segment.durableBytes === 0;
    segment.entryDurable = true;
    // While a sync was in flight, another that somebody waited for may have covered more.
    if (covers > segment.durableBytes) segment.durableBytes = covers;
    this.#dropDone();
    if (first) this.#owner.segmentDurable(segment);
    this.#waiters.tell();
    if (this.#config.level === "sync") this.#tell(version);
    if (this.#failure !== null) return;
    if (this.#hasWork()) this.#schedule();
    else this.#writeWitness();
  }

  /** Segments leave from the old end once they are durable, or once the log no longer answers for them. */
  #dropDone(): void {
    while (this.#segments.length > 1) {
      const oldest = this.#segments[0] as WalSegment;
      const durable = oldest.isDurable;
      if (oldest === this.#syncing || (!durable && !oldest.forgotten)) return;
      this.#segments.shift();
      if (oldest.file !== null) closeFile(oldest.file);
      oldest.file = null;
      const next = this.#segments[0] as WalSegment;
      next.frames.earlierDurable = true;
      if (durable && next.previousNumber === oldest.number) next.previousBytes = oldest.endBytes;
    }
  }

  /** A flipped bit in the last group must not look like a torn tail: something behind it vouches for it. */
  #writeWitness(): void {
    const segment = this.active;
    if (segment.sealed || segment.durableBytes === fileHeaderBytes) return;
    try {
      segment.writeWitness();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      // A full disk takes no witness, and nothing is lost by that.
      if (error.code !== "ENOSPC") this.#fail(error);
    }
  }

  #hasWork(): boolean {
    if (this.#segments.length > 1) return true;
    const segment = this.active;
    return segment.endBytes > segment.writtenBytes || segment.writtenBytes > segment.durableBytes;
  }

  #demandAll(): void {
    for (const segment of this.#segments) segment.demandedBytes = segment.endBytes;
  }

  #armSyncTimer(): void {
    if (this.#syncTimer !== null) return;
    const isBehind = (segment: WalSegment): boolean =>
      !segment.forgotten && segment.writtenBytes > segment.durableBytes;
    if (!this.#segments.some(isBehind)) return;
    this.#syncTimer = this.#env.clock.after(this.#config.syncIntervalMs * 1000, () => {
      this.#syncTimer = null;
      this.#demandAll();
      this.#schedule();
    });
  }

  #writtenVersion(): number {
    let version = 0;
    for (let i = 0; i < this.#segments.length; i++) {
      const segment = this.#segments[i] as WalSegment;
      if (segment.writtenVersion > version) version = segment.writtenVersion;
    }
    return version;
  }

  #tell(version: number): void {
    if (version <= this.#reached) return;
    this.#reached = version;
    this.#owner.reached(version);
  }

  #fail(error: DiskError): void {
    assert(this.#failure === null, "a log fails once");
    this.#env.trace.emit("wal/failed", { code: error.code, path: error.path });
    this.poison(error);
    this.#owner.failed(error);
  }

  #stopTimers(): void {
    this.#syncTimer?.cancel();
    this.#spaceTimer?.cancel();
    this.#syncTimer = null;
    this.#spaceTimer = null;
  }
}
