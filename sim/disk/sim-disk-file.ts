// HOT: every simulated read and write of thousands of seeds passes here.
import { assert } from "../../core/assert.ts";
import type { DiskFile, SyncDone } from "../../core/env/disk.ts";
import { refused } from "./disk-state.ts";
import type { DiskState, Holding } from "./disk-state.ts";
import type { DiskFence } from "./disk-world.ts";
import { failSync } from "./failed-sync.ts";
import type { Inode } from "./inode.ts";
import { corruptRead } from "./read-corruption.ts";
import { fileBytesMax } from "./sector.ts";
import { startSync, syncNow, type SyncOrder } from "./sync.ts";

/** One incarnation's open file. */
export class SimDiskFile implements DiskFile {
  readonly path: string;
  readonly #state: DiskState;
  readonly #fence: DiskFence;
  readonly #holding: Holding;
  readonly #inode: Inode;
  readonly #writable: boolean;
  #open = true;

  constructor(state: DiskState, fence: DiskFence, opened: { path: string; writable: boolean } & Holding) {
    this.path = opened.path;
    this.#state = state;
    this.#fence = fence;
    this.#holding = opened;
    this.#inode = opened.inode;
    this.#writable = opened.writable;
    state.hold(opened);
  }

  sizeBytes(): number {
    this.#fence.call("size", this.path, 0, 0);
    assert(this.#open, "a file is open while it is used");
    const size = this.#inode.cached.size;
    this.#fence.result("size", "ok", size);
    return size;
  }

  read(position: number, target: Uint8Array, start: number, end: number): number {
    this.#fence.call("read", this.path, position, end - start);
    assert(this.#open, "a file is open while it is used");
    assertRange(position, target, start, end);
    const state = this.#state;
    const tally = this.#inode.tally;
    state.charge(tally);
    const ordinal = tally.reads++;
    if (this.#readFails(ordinal)) throw refused(this.#fence, "read", this.path, "EIO");
    let length = Math.max(0, Math.min(end - start, this.#inode.cached.size - position));
    if (length > 1 && state.dice.hits(state.faults.shortRead, "disk.short-read", tally.entity, ordinal)) {
      length = 1 + (state.world.draw("disk.short-read-length", tally.entity, ordinal) % (length - 1));
      state.count("disk.short-read");
    }
    const count = this.#inode.cached.read(position, target, start, start + length);
    if (state.faults.flipOnRead + state.faults.misdirectedRead > 0 && count > 0) {
      corruptRead(state, this.#inode, { ordinal, position }, target.subarray(start, start + count));
    }
    this.#fence.payload(target, start, start + count);
    this.#fence.result("read", "ok", count);
    return count;
  }

  write(position: number, source: Uint8Array, start: number, end: number): number {
    const state = this.#state;
    const inode = this.#inode;
    if (this.#open && this.#fence.alive()) state.underWay = { inode, position, source, start, end };
    try {
      this.#fence.call("write", this.path, position, end - start);
    } finally {
      state.underWay = null;
    }
    assert(this.#open && this.#writable, "a file is open for writing while it is written");
    assertRange(position, source, start, end);
    this.#fence.payload(source, start, end);
    const tally = inode.tally;
    state.charge(tally);
    const ordinal = tally.writes++;
    if (state.faults.readOnly) throw refused(this.#fence, "write", this.path, "EROFS");
    if (this.#writeFails(ordinal)) throw refused(this.#fence, "write", this.path, "EIO");
    let length = end - start;
    if (length > 1 && state.dice.hits(state.faults.shortWrite, "disk.short-write", tally.entity, ordinal)) {
      length = 1 + (state.world.draw("disk.short-write-length", tally.entity, ordinal) % (length - 1));
      state.count("disk.short-write");
    }
    length = this.#fitting(position, length, ordinal);
    if (length > 0) {
      const before = inode.cached.size;
      inode.write(position, source, start, start + length);
      state.usedBytes += inode.cached.size - before;
    }
    this.#fence.result("write", "ok", length);
    return length;
  }

  truncate(sizeBytes: number): void {
    this.#fence.call("truncate", this.path, sizeBytes, 0);
    assert(this.#open && this.#writable, "a file is open for writing while it is truncated");
    assert(Number.isSafeInteger(sizeBytes) && sizeBytes >= 0, "a size is a whole number of bytes");
    const state = this.#state;
    const inode = this.#inode;
    state.charge(inode.tally);
    if (state.metadataFails(inode.tally)) throw refused(this.#fence, "truncate", this.path, "EIO");
    if (state.faults.readOnly) throw refused(this.#fence, "truncate", this.path, "EROFS");
    const before = inode.cached.size;
    inode.truncate(sizeBytes);
    state.usedBytes += inode.cached.size - before;
    this.#fence.result("truncate", "ok", 0);
  }

  sync(done: SyncDone): void {
    this.#fence.call("sync", this.path, 0, 0);
    assert(this.#open, "a file is open while it is synced");
    this.#state.charge(this.#inode.tally);
    startSync(this.#state, { ...this.#syncOrder(), done });
    this.#fence.result("sync", "ok", 0);
  }

  syncNow(): void {
    this.#fence.call("sync", this.path, 0, 0);
    assert(this.#open, "a file is open while it is synced");
    this.#state.charge(this.#inode.tally);
    syncNow(this.#state, this.#syncOrder());
  }

  close(): void {
    this.#fence.call("close", this.path, 0, 0);
    assert(this.#open, "a file is closed once");
    this.#open = false;
    this.#state.letGo(this.#holding);
    this.#fence.result("close", "ok", 0);
  }

  /** Covers what was written up to now. */
  #syncOrder(): SyncOrder {
    const state = this.#state;
    const inode = this.#inode;
    const mark = inode.mark;
    return {
      operation: "sync",
      path: this.path,
      tally: inode.tally,
      fence: this.#fence,
      succeed: () => inode.synced(mark),
      fail: (draw) => {
        const before = inode.cached.size;
        failSync(inode, mark, state, draw);
        if (inode.names > 0 || inode.handles > 0) state.usedBytes += inode.cached.size - before;
      },
    };
  }

  #readFails(ordinal: number): boolean {
    const { dice, faults, healCount } = this.#state;
    const inode = this.#inode;
    const entity = inode.tally.entity;
    if (inode.badReadSince !== healCount) {
      if (!dice.hits(faults.eioRead, "disk.eio-read", entity, ordinal)) return false;
      if (dice.hits(faults.eioSticky, "disk.eio-read-sticky", entity, ordinal)) {
        inode.badReadSince = healCount;
      }
    }
    this.#state.count("disk.eio-read");
    return true;
  }

  #writeFails(ordinal: number): boolean {
    const { dice, faults, healCount } = this.#state;
    const inode = this.#inode;
    const entity = inode.tally.entity;
    if (inode.badWriteSince !== healCount) {
      if (!dice.hits(faults.eioWrite, "disk.eio-write", entity, ordinal)) return false;
      if (dice.hits(faults.eioSticky, "disk.eio-write-sticky", entity, ordinal)) {
        inode.badWriteSince = healCount;
      }
    }
    this.#state.count("disk.eio-write");
    return true;
  }

  /** How many of `length` bytes there is room for; throws ENOSPC when not even one. */
  #fitting(position: number, length: number, ordinal: number): number {
    const state = this.#state;
    const size = this.#inode.cached.size;
    const growth = position + length - size;
    if (growth <= 0 || length === 0) return length;
    const { entity } = this.#inode.tally;
    const room = state.roomBytes();
    const short = growth > room;
    if (short || state.dice.hits(state.faults.enospc, "disk.enospc", entity, ordinal)) {
      const fits = short ? size + room - position : 0;
      if (fits > 0) return fits;
      state.full = true;
      state.count("disk.enospc");
      throw refused(this.#fence, "write", this.path, "ENOSPC");
    }
    if (state.full) {
      state.full = false;
      state.count("disk.enospc-freed");
    }
    return length;
  }
}

function assertRange(position: number, bytes: Uint8Array, start: number, end: number): void {
  assert(position >= 0 && position <= fileBytesMax, "a position is within a file's bound");
  assert(start >= 0 && start <= end && end <= bytes.length, "a range lies within its buffer");
}
