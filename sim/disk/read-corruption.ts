import type { DiskState } from "./disk-state.ts";
import { foreignSector } from "./loss.ts";
import type { Inode } from "./inode.ts";
import { sectorBytes, spread, within } from "./sector.ts";

/** Reads of a file are taken in groups of this many; at most one of the first half is damaged. */
const groupReads = 8;
const damageableReads = 4;

/**
 * Damages bytes on their way from the disk to the caller: the disk itself stays right. Of eight successive
 * reads of a file at most one is hit, and never within four reads of another: reading again heals.
 */
export function corruptRead(
  state: DiskState,
  inode: Inode,
  place: { readonly ordinal: number; readonly position: number },
  bytes: Uint8Array,
): void {
  const { flipOnRead, misdirectedRead } = state.faults;
  const turn = place.ordinal % groupReads;
  if (turn >= damageableReads) return;
  const group = Math.trunc(place.ordinal / groupReads);
  const draw = state.world.draw("disk.read-corrupt", inode.tally.entity, group);
  if (spread(draw, 1, 0) % damageableReads !== turn) return;
  const value = spread(draw, 2, 0);
  if (within(value, flipOnRead * groupReads)) {
    const at = spread(draw, 3, 0) % bytes.length;
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (spread(draw, 4, 0) & 7));
    state.count("disk.flip-on-read");
  } else if (within(value, (flipOnRead + misdirectedRead) * groupReads)) {
    const wrong = foreignSector(state.donors(), spread(draw, 5, 0));
    if (misdirect(place.position, bytes, wrong, spread(draw, 6, 0))) state.count("disk.misdirected-read");
  }
}

/** Puts other sectors in the place of some; says whether that made a difference. */
function misdirect(position: number, bytes: Uint8Array, wrong: Uint8Array, draw: number): boolean {
  const first = Math.trunc(position / sectorBytes);
  const last = Math.trunc((position + bytes.length - 1) / sectorBytes);
  const sector = first + (spread(draw, 1, 0) % (last - first + 1));
  const from = Math.max(position, sector * sectorBytes);
  const to = Math.min(position + bytes.length, (sector + 1) * sectorBytes);
  let differs = false;
  for (let at = from; at < to; at++) {
    const byte = wrong[at % sectorBytes] ?? 0;
    differs ||= bytes[at - position] !== byte;
    bytes[at - position] = byte;
  }
  return differs;
}
