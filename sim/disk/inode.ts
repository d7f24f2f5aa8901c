// HOT: every simulated write and sync of thousands of seeds passes here.
import { assert } from "../../core/assert.ts";
import { Change } from "./change.ts";
import { Image } from "./image.ts";
import type { PathTally } from "./path-tally.ts";
import { sectorBytes } from "./sector.ts";

/** Above this many unsynced changes the kernel writes the older half back by itself. */
const changesMax = 1_024;

/** Sectors whose former durable content is remembered, for stale sectors. */
const formerSectorsMax = 64;

/** A file: what the page cache holds, what the device holds, and the changes between the two. */
export class Inode {
  readonly kind = "file";
  /** Of the path the file was created under; follows the file through renames. */
  readonly tally: PathTally;
  cached = new Image();
  durable = new Image();
  /** Oldest first. Applied to `durable` in order they give `cached`, but for `mislaid` sectors. */
  changes: Change[] = [];
  /** Sectors that the cache calls clean although the device holds something else: a failed sync's lie. */
  readonly mislaid = new Set<number>();
  /** Former durable contents by sector. */
  readonly former = new Map<number, Uint8Array>();
  /** Directory entries of the cache that name it. */
  names = 1;
  handles = 0;
  /** `heal` count of the disk when reading (writing) this file began to fail for good; -1: it has not. */
  badReadSince = -1;
  badWriteSince = -1;
  #sequence = 0;
  /** Upper bound of the bytes that a change without bytes of its own finds in the cache. */
  #borrowedEnd = 0;

  constructor(tally: PathTally) {
    this.tally = tally;
  }

  /** What a sync called now covers. */
  get mark(): number {
    return this.#sequence;
  }

  write(position: number, source: Uint8Array, start: number, end: number): void {
    assert(end > start, "a write has bytes");
    let from = position;
    let to = position + end - start;
    if (from < this.#borrowedEnd) this.#keepBytes(from, to);
    this.cached.write(position, source, start, end);
    if (this.mislaid.size > 0) {
      const first = Math.trunc(from / sectorBytes);
      const last = Math.trunc((to - 1) / sectorBytes);
      const frontMislaid = this.mislaid.has(first);
      const backMislaid = this.mislaid.has(last);
      if (frontMislaid) from = first * sectorBytes;
      if (backMislaid) to = Math.min((last + 1) * sectorBytes, this.cached.size);
      for (let sector = first; sector <= last; sector++) this.mislaid.delete(sector);
      // The widened range borrows bytes that older changes may own already: both read the same.
    }
    if (to > this.#borrowedEnd) this.#borrowedEnd = to;
    this.#push(new Change(++this.#sequence, { from, to }, false, this.cached.size));
  }

  truncate(size: number): void {
    const old = this.cached.size;
    if (size === old) return;
    if (size < this.#borrowedEnd) {
      this.#keepBytes(size, old);
      this.#borrowedEnd = size;
    }
    this.cached.resize(size);
    this.#push(new Change(++this.#sequence, { from: Math.min(size, old), to: old }, true, size));
    if (size < old && this.mislaid.size > 0) this.#cutMislaid(size);
  }

  /** A sync whose mark this was has completed: everything up to it is durable, whatever came since is not. */
  synced(mark: number): void {
    let count = 0;
    while (count < this.changes.length) {
      const change = this.changes[count];
      if (change === undefined || change.sequence > mark) break;
      count = this.#makeDurable(change, count, mark);
    }
    this.forget(count);
  }

  /** Drops the oldest `count` changes: they are decided, one way or the other. */
  forget(count: number): void {
    if (count === this.changes.length) {
      this.changes.length = 0;
      this.#borrowedEnd = 0;
    } else if (count > 0) {
      this.changes.splice(0, count);
    }
  }

  /** Gives every change its own bytes, before the cache changes under them. */
  keepAllBytes(): void {
    this.#keepBytes(0, Number.MAX_SAFE_INTEGER);
    this.#borrowedEnd = 0;
  }

  /** Whether the cache and the device hold the same. */
  get clean(): boolean {
    const same = this.changes.length === 0 && this.mislaid.size === 0;
    return same && this.cached.size === this.durable.size;
  }

  /** The machine restarts from what the device holds. */
  forgetCache(): void {
    this.forget(this.changes.length);
    this.mislaid.clear();
    this.cached = this.durable.fork();
  }

  /** An independent file with this state, counting on `tally`; nobody has it open. */
  fork(tally: PathTally): Inode {
    const twin = new Inode(tally);
    twin.cached = this.cached.fork();
    twin.durable = this.durable.fork();
    // Shared change objects are harmless: the only field that changes gets the same bytes on either side.
    twin.changes = this.changes.slice();
    for (const sector of this.mislaid) twin.mislaid.add(sector);
    for (const [sector, bytes] of this.former) twin.former.set(sector, bytes);
    twin.names = this.names;
    twin.badReadSince = this.badReadSince;
    twin.badWriteSince = this.badWriteSince;
    twin.#sequence = this.#sequence;
    twin.#borrowedEnd = this.#borrowedEnd;
    return twin;
  }

  #push(change: Change): void {
    this.changes.push(change);
    if (this.changes.length > changesMax) {
      const oldest = this.changes[Math.trunc(changesMax / 2)];
      assert(oldest !== undefined, "a long list has a middle");
      this.synced(oldest.sequence);
    }
  }

  /** Mislaid sectors that a truncation drops are gone; cutting through one makes the whole of it dirty. */
  #cutMislaid(size: number): void {
    const boundary = Math.trunc(size / sectorBytes);
    const cut = this.mislaid.has(boundary) && size % sectorBytes > 0;
    for (const sector of this.mislaid) {
      if (sector >= boundary) this.mislaid.delete(sector);
    }
    if (!cut) return;
    this.#borrowedEnd = Math.max(this.#borrowedEnd, size);
    const range = { from: boundary * sectorBytes, to: size };
    this.#push(new Change(++this.#sequence, range, false, size));
  }

  /** Copies the bytes of changes that overlap `[from, to)` out of the cache, which is to change there. */
  #keepBytes(from: number, to: number): void {
    for (const change of this.changes) {
      if (change.bytes !== null || change.zeros) continue;
      if (change.from < to && change.to > from) {
        change.bytes = this.cached.slice(change.from, change.to);
      }
    }
  }

  /** `change` is at `index`. Appends in a row go together: returns the index after the last one taken. */
  #makeDurable(change: Change, index: number, mark: number): number {
    const borrowed = change.bytes === null && !change.zeros;
    let after = index + 1;
    let { to, sizeAfter } = change;
    while (borrowed && after < this.changes.length) {
      const next = this.changes[after];
      if (next === undefined || next.sequence > mark || next.from !== to) break;
      if (next.bytes !== null || next.zeros) break;
      ({ to, sizeAfter } = next);
      after++;
    }
    const sectorStart = change.from - (change.from % sectorBytes);
    if (sectorStart < this.durable.size) this.#remember(sectorStart, to);
    if (borrowed) this.durable.write(change.from, this.cached.bytes, change.from, to);
    else if (change.bytes !== null) this.durable.write(change.from, change.bytes, 0, change.bytes.length);
    this.durable.resize(sizeAfter);
    return after;
  }

  #remember(from: number, to: number): void {
    const first = Math.trunc(from / sectorBytes);
    const last = Math.trunc((Math.min(to, this.durable.size) - 1) / sectorBytes);
    for (let sector = first; sector <= last && sector < first + formerSectorsMax; sector++) {
      if (this.former.size >= formerSectorsMax && !this.former.has(sector)) {
        const oldest = this.former.keys().next();
        if (oldest.done !== true) this.former.delete(oldest.value);
      }
      const at = sector * sectorBytes;
      this.former.set(sector, this.durable.slice(at, at + sectorBytes));
    }
  }
}
