import { Change } from "./change.ts";
import type { DiskState } from "./disk-state.ts";
import type { Inode } from "./inode.ts";
import { settle } from "./loss.ts";
import { sectorBytes } from "./sector.ts";

/**
 * What a failed sync of everything up to `mark` leaves behind (Rebello et al., "Can applications recover from
 * fsync failures?", ATC 2020). Either way no later sync covers these changes: they are nobody's business.
 */
export function failSync(inode: Inode, mark: number, state: DiskState, draw: number): void {
  let count = 0;
  for (const change of inode.changes) {
    if (change.sequence > mark) break;
    count++;
  }
  if (count === 0) return;
  if (state.faults.personality === "btrfs") revertCache(inode, count);
  else markClean(inode, count, state, draw);
}

/** ext4, xfs: the device took any mixture; the cache keeps the new bytes and believes they are safe. */
function markClean(inode: Inode, count: number, state: DiskState, draw: number): void {
  const covered = inode.changes.slice(0, count);
  settle(inode, { count, donors: state.donors() }, state.faults, draw);
  for (const change of covered) {
    const end = Math.min(change.to, inode.cached.size);
    for (let at = change.from - (change.from % sectorBytes); at < end; at += sectorBytes) {
      const to = Math.min(at + sectorBytes, inode.cached.size);
      if (!inode.durable.agrees(inode.cached, at, to)) inode.mislaid.add(at / sectorBytes);
    }
  }
}

/** btrfs: the transaction never happened, and the cache says so too; only what was written since stays. */
function revertCache(inode: Inode, count: number): void {
  inode.keepAllBytes();
  inode.forget(count);
  inode.mislaid.clear();
  inode.cached = inode.durable.fork();
  inode.changes = inode.changes.map((change) => {
    if (change.bytes === null) inode.cached.resize(change.sizeAfter);
    else inode.cached.write(change.from, change.bytes, 0, change.bytes.length);
    const again = new Change(change.sequence, change, change.zeros, inode.cached.size);
    again.bytes = change.bytes;
    return again;
  });
}
