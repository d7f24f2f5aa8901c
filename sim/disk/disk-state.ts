import { assert } from "../../core/assert.ts";
import { DiskError } from "../../core/env/disk.ts";
import type { DiskErrorCode } from "../../core/env/disk.ts";
import { Directory } from "./directory.ts";
import type { DiskFaultKind, DiskFaults } from "./disk-faults.ts";
import type { DiskFence, DiskOperation, DiskWorld } from "./disk-world.ts";
import { FaultDice } from "./fault-dice.ts";
import type { Inode } from "./inode.ts";
import { Namespace } from "./namespace.ts";
import { PathTallies } from "./path-tally.ts";
import type { PathTally } from "./path-tally.ts";
import { pageBytes } from "./sector.ts";

/** Something an incarnation holds of the disk and loses when it dies. */
export interface Holding {
  readonly inode: Inode;
  /** The view through which it was opened. */
  readonly holder: object;
}

/** A write that has been called and has not reached the cache yet. */
interface WriteUnderWay {
  readonly inode: Inode;
  readonly position: number;
  readonly source: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** What all views of one disk share: the tree, the counters, the room that is left, who holds what. */
export class DiskState {
  readonly world: DiskWorld;
  readonly faults: DiskFaults;
  readonly dice: FaultDice;
  tallies = new PathTallies();
  namespace: Namespace;
  /** Bytes of all files that have a name or are open. */
  usedBytes = 0;
  /** ENOSPC was reported and no file has grown since. */
  full = false;
  readonly handles = new Set<Holding>();
  readonly locks = new Map<Inode, object>();
  readonly sharedLocks = new Set<Holding>();
  /** Counts `heal()`: errors that began under an older count are over. */
  healCount = 0;
  /** Power losses and corruptions so far, for their draws. */
  powerLosses = 0;
  corruptions = 0;
  /** Counts power losses and restores: completions of an older count are void. */
  epoch = 0;
  underWay: WriteUnderWay | null = null;

  constructor(world: DiskWorld, faults: DiskFaults) {
    this.world = world;
    this.faults = faults;
    this.dice = new FaultDice(world, faults);
    this.namespace = new Namespace(new Directory(this.tallies.of("/")));
  }

  count(kind: DiskFaultKind): void {
    this.world.count(kind);
  }

  /** Makes the operation under way take its time. */
  charge(tally: PathTally): void {
    const faults = this.faults;
    const ordinal = tally.operations++;
    let us = faults.operationUs;
    if (this.dice.hits(faults.slow, "disk.slow", tally.entity, ordinal)) {
      const draw = this.world.draw("disk.slow-us", tally.entity, ordinal);
      us += this.dice.between(faults.slowUsMin, faults.slowUsMax, draw);
      this.count("disk.slow");
    }
    if (us > 0) this.world.charge(us);
  }

  /** Whether a metadata operation of this path fails now; counted. */
  metadataFails(tally: PathTally): boolean {
    const ordinal = tally.metadata++;
    const faults = this.faults;
    let fails = tally.badMetadataSince === this.healCount;
    if (!fails && this.dice.hits(faults.eioMetadata, "disk.eio-metadata", tally.entity, ordinal)) {
      fails = true;
      if (this.dice.hits(faults.eioSticky, "disk.eio-metadata-sticky", tally.entity, ordinal)) {
        tally.badMetadataSince = this.healCount;
      }
    }
    if (fails) this.count("disk.eio-metadata");
    return fails;
  }

  /** Room left for file contents; never negative. */
  roomBytes(): number {
    return Math.max(0, this.faults.quotaBytes - this.usedBytes);
  }

  hold(holding: Holding): void {
    holding.inode.handles++;
    this.handles.add(holding);
  }

  letGo(holding: Holding): void {
    if (!this.handles.delete(holding)) return;
    holding.inode.handles--;
    this.#freeIfUnreachable(holding.inode);
  }

  /** A name of a file is gone; with the last one its room is free once nobody has it open. */
  unlink(inode: Inode): void {
    inode.names--;
    assert(inode.names >= 0, "a name is removed once");
    this.#freeIfUnreachable(inode);
  }

  /** Ends everything that `holder` (or everybody) held, as the kernel does for a process that died. */
  abandon(holder: object | null): void {
    this.#finishWriteUnderWay();
    for (const holding of this.handles) {
      if (holder === null || holding.holder === holder) this.letGo(holding);
    }
    for (const [inode, owner] of this.locks) {
      if (holder === null || owner === holder) this.locks.delete(inode);
    }
    for (const shared of this.sharedLocks) {
      if (holder === null || shared.holder === holder) this.sharedLocks.delete(shared);
    }
  }

  /** Counts anew what the tree holds; nobody has a file open. */
  recount(): void {
    this.usedBytes = 0;
    const files = this.donors();
    for (const inode of files) {
      inode.names = 0;
      this.usedBytes += inode.cached.size;
    }
    for (const { node } of this.namespace.walk()) {
      if (node.kind === "file") node.names++;
    }
  }

  /** A process killed inside a write leaves whole pages of it behind, from its front. */
  #finishWriteUnderWay(): void {
    const write = this.underWay;
    this.underWay = null;
    if (write === null || write.end <= write.start) return;
    const tally = write.inode.tally;
    const length = write.end - write.start;
    const head = pageBytes - (write.position % pageBytes);
    const pages = length <= head ? 1 : 1 + Math.ceil((length - head) / pageBytes);
    const kept = this.world.draw("disk.killed-in-write", tally.entity, tally.writes) % (pages + 1);
    if (kept === 0) return;
    const end = write.start + Math.min(length, head + (kept - 1) * pageBytes);
    const before = write.inode.cached.size;
    write.inode.write(write.position, write.source, write.start, end);
    this.usedBytes += write.inode.cached.size - before;
  }

  /** Files that have a name, each once, by their first path: where wrong bytes come from. */
  donors(): Inode[] {
    const donors = new Set<Inode>();
    for (const { node } of this.namespace.walk()) {
      if (node.kind === "file") donors.add(node);
    }
    return [...donors];
  }

  #freeIfUnreachable(inode: Inode): void {
    if (inode.names === 0 && inode.handles === 0) this.usedBytes -= inode.cached.size;
  }
}

/** What an operation is and for whom, so that its refusal reaches the trace as well as the caller. */
export function refused(
  fence: DiskFence,
  operation: DiskOperation,
  path: string,
  code: DiskErrorCode,
): DiskError {
  const error = new DiskError(code, operation, path);
  fence.result(operation, code, 0);
  return error;
}
