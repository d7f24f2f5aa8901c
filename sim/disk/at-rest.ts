import type { AtRestDamage, AtRestKind, MayCorrupt } from "./disk-faults.ts";
import type { DiskState } from "./disk-state.ts";
import type { Inode } from "./inode.ts";
import { foreignSector } from "./loss.ts";
import { pageBytes, sectorBytes, spread } from "./sector.ts";

/** Places tried before giving up: an atlas may allow few. */
const triesMax = 64;

export interface AtRestOrder {
  readonly kind: AtRestKind;
  readonly mayCorrupt: MayCorrupt;
  /** Which corruption of this disk it is. */
  readonly ordinal: number;
}

interface Place {
  readonly path: string;
  readonly inode: Inode;
  readonly offset: number;
  readonly length: number;
}

/** Damages one place of the device that is durable, clean and allowed, so that reading it differs. */
export function corruptAtRest(state: DiskState, order: AtRestOrder): AtRestDamage | null {
  const files: { path: string; inode: Inode; sectors: number }[] = [];
  const donors = state.donors();
  let total = 0;
  for (const { path, node } of state.namespace.walk()) {
    if (node.kind !== "file") continue;
    const sectors = Math.ceil(node.durable.size / sectorBytes);
    total += sectors;
    files.push({ path, inode: node, sectors });
  }
  if (total === 0) return null;
  const draw = state.world.draw(`disk.${order.kind}`, 0, order.ordinal);
  for (let attempt = 0; attempt < triesMax; attempt++) {
    const chosen = spread(draw, attempt, 0);
    let sector = chosen % total;
    let at = 0;
    while (sector >= (files[at]?.sectors ?? total)) sector -= files[at++]?.sectors ?? 0;
    const file = files[at];
    if (file === undefined) continue;
    const damage = damageAt({ ...order, donors }, file, sector, spread(chosen, 1, attempt));
    if (damage === null) continue;
    state.count(`disk.${order.kind}`);
    return damage;
  }
  return null;
}

function damageAt(
  order: AtRestOrder & { readonly donors: readonly Inode[] },
  file: { readonly path: string; readonly inode: Inode },
  sector: number,
  draw: number,
): AtRestDamage | null {
  const place = { ...file, ...extent(order.kind, sector, draw) };
  const size = Math.min(place.inode.durable.size, place.inode.cached.size);
  const length = Math.min(place.length, size - place.offset);
  if (length <= 0 || !isClean(place.inode, place.offset, length)) return null;
  const bytes = wrongBytes(order, { ...place, length }, draw);
  if (bytes === null || !order.mayCorrupt(place.path, place.offset, length)) return null;
  place.inode.durable.write(place.offset, bytes, 0, length);
  place.inode.cached.write(place.offset, bytes, 0, length);
  return { kind: order.kind, path: place.path, offset: place.offset, length };
}

/** A bit, some bytes, a sector or a page rot; devices misplace whole sectors. */
function extent(kind: AtRestKind, sector: number, draw: number): { offset: number; length: number } {
  const offset = sector * sectorBytes;
  if (kind !== "bit-rot") return { offset, length: sectorBytes };
  const within = spread(draw, 2, 0) % sectorBytes;
  switch (spread(draw, 3, 0) % 8) {
    case 0:
      return { offset, length: sectorBytes };
    case 1:
      return { offset: offset - (offset % pageBytes), length: pageBytes };
    case 2:
      return { offset: offset + within, length: 2 + (spread(draw, 4, 0) % 62) };
    default:
      return { offset: offset + within, length: 1 };
  }
}

/** What the place will read as; null when that would be what it reads now. */
function wrongBytes(
  { kind, donors }: { readonly kind: AtRestKind; readonly donors: readonly Inode[] },
  place: Place,
  draw: number,
): Uint8Array | null {
  const { inode, offset, length } = place;
  const now = inode.durable.slice(offset, offset + length);
  let wrong = new Uint8Array(length);
  if (kind === "stale-sector") {
    const former = inode.former.get(offset / sectorBytes);
    if (former !== undefined) wrong.set(former.subarray(0, length));
  } else if (kind === "misdirected-write") {
    wrong.set(foreignSector(donors, spread(draw, 5, 0)).subarray(0, length));
  } else if (length === 1) {
    wrong[0] = (now[0] ?? 0) ^ (1 << (spread(draw, 6, 0) & 7));
  } else if ((spread(draw, 7, 0) & 1) === 0) {
    wrong = wrong.map((_, at) => spread(draw, 8, at) & 255);
  }
  return wrong.every((byte, at) => byte === now[at]) ? null : wrong;
}

function isClean(inode: Inode, offset: number, length: number): boolean {
  const from = offset - (offset % sectorBytes);
  const to = offset + length + sectorBytes;
  for (const change of inode.changes) {
    if (change.from < to && change.to > from) return false;
  }
  return inode.durable.agrees(inode.cached, offset, offset + length);
}
