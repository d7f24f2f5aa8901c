import type { Change } from "./change.ts";
import type { DiskFaults } from "./disk-faults.ts";
import type { Inode } from "./inode.ts";
import { sectorBytes, spread, within } from "./sector.ts";

/** Which of the changes reach the device, decided sector by sector. */
export type Fate = (index: number, sector: number) => boolean;

/** What became of the unsynced changes of one file. */
export interface Loss {
  /** Content or size that the cache showed is gone. */
  lost: boolean;
  /** One write reached the device in part. */
  torn: boolean;
  /** The device holds more than was promised. */
  kept: boolean;
  garbage: boolean;
}

/** The oldest `count` changes are decided; garbage looks like what `donors` hold. */
export interface LossScope {
  readonly count: number;
  readonly donors: readonly Inode[];
}

/** Sub-decisions of one draw, so that their order in the code does not matter. */
const decision = {
  torn: 1,
  mode: 2,
  prefix: 3,
  size: 4,
  sizeValue: 5,
  garbage: 6,
  noise: 7,
  /** And up: one per change. */
  change: 8,
} as const;

/**
 * Decides what the device keeps of the oldest `count` changes and makes it so: `durable` afterwards is one
 * of the images that these changes can leave, and the changes are forgotten. `draw` is the one random value
 * behind it all. A sector gets one of its successive contents; the size is decided on its own.
 */
export function settle(inode: Inode, scope: LossScope, faults: DiskFaults, draw: number): Loss {
  const { count, donors } = scope;
  const changes = inode.changes.slice(0, count);
  const before = inode.durable.fork();
  const fate = drawFate(changes.length, within(spread(draw, decision.torn, 0), faults.tornWrite), draw);
  const outcome = applySectors(inode, changes, fate);
  const size = drawSize(changes, before.size, outcome.lastKept, draw);
  const garbage = fillGarbage(inode, { outcome, before: before.size, size, donors }, faults.garbageGap, draw);
  inode.durable.resize(size);
  const loss = {
    lost: !inode.durable.equals(inode.cached),
    torn: outcome.torn,
    kept: !inode.durable.equals(before),
    garbage,
  };
  inode.forget(count);
  return loss;
}

/**
 * The shapes that losses take: nothing kept; a prefix of the writes; any subset of the writes; a prefix with
 * its last write torn; any subset of sectors, even, sparse or dense.
 */
function drawFate(count: number, torn: boolean, draw: number): Fate {
  const mode = spread(draw, decision.mode, 0) & 3;
  const prefix = spread(draw, decision.prefix, 0) % Math.max(1, count);
  const bits = (index: number, sector: number): number => spread(draw, decision.change + index, sector + 1);
  if (!torn) {
    if (mode === 0) return () => false;
    if (mode === 1) return (index) => index < prefix;
    return (index) => (bits(index, -1) & 1) === 0;
  }
  if (mode === 0) {
    return (index, sector) => index < prefix || (index === prefix && (bits(index, sector) & 1) === 0);
  }
  if (mode === 1) return (index, sector) => (bits(index, sector) & 1) === 0;
  if (mode === 2) return (index, sector) => (bits(index, sector) & 7) === 0;
  return (index, sector) => (bits(index, sector) & 7) !== 0;
}

interface SectorOutcome {
  /** Number of the first sector that a change touched, and per sector from there the changes kept. */
  readonly first: number;
  readonly touched: Uint32Array;
  readonly chosen: Uint32Array;
  /** Index of the newest change of which anything was kept; -1: none. */
  lastKept: number;
  torn: boolean;
}

/** A sector's content is what it was after the newest change kept there: all older ones come with it. */
function applySectors(inode: Inode, changes: readonly Change[], fate: Fate): SectorOutcome {
  let first = Number.MAX_SAFE_INTEGER;
  let last = -1;
  for (const change of changes) {
    if (change.to === change.from) continue;
    first = Math.min(first, Math.trunc(change.from / sectorBytes));
    last = Math.max(last, Math.trunc((change.to - 1) / sectorBytes));
  }
  const span = Math.max(0, last - first + 1);
  const touched = new Uint32Array(span);
  const chosen = new Uint32Array(span);
  let lastKept = -1;
  forEachPart(changes, (index, sector) => {
    const seen = (touched[sector - first] ?? 0) + 1;
    touched[sector - first] = seen;
    if (!fate(index, sector)) return;
    chosen[sector - first] = seen;
    lastKept = index;
  });
  for (let index = lastKept + 1; index < changes.length; index++) {
    const change = changes[index];
    if (change !== undefined && change.from === change.to && fate(index, 0)) lastKept = index;
  }
  const parts = new Uint32Array(changes.length * 2);
  const seen = new Uint32Array(span);
  forEachPart(changes, (index, sector) => {
    const at = seen[sector - first] ?? 0;
    seen[sector - first] = at + 1;
    const applies = at < (chosen[sector - first] ?? 0);
    parts[index * 2 + (applies ? 1 : 0)] = 1;
    const change = changes[index];
    if (applies && change !== undefined) applyPart(inode, change, sector);
  });
  let torn = false;
  for (let at = 0; at < parts.length; at += 2) torn ||= parts[at] === 1 && parts[at + 1] === 1;
  return { first, touched, chosen, lastKept, torn };
}

function forEachPart(changes: readonly Change[], visit: (index: number, sector: number) => void): void {
  for (let index = 0; index < changes.length; index++) {
    const change = changes[index];
    if (change === undefined || change.from === change.to) continue;
    const last = Math.trunc((change.to - 1) / sectorBytes);
    for (let sector = Math.trunc(change.from / sectorBytes); sector <= last; sector++) visit(index, sector);
  }
}

function applyPart(inode: Inode, change: Change, sector: number): void {
  const from = Math.max(change.from, sector * sectorBytes);
  const to = Math.min(change.to, (sector + 1) * sectorBytes);
  if (change.zeros) {
    inode.durable.zero(from, to);
  } else if (change.bytes === null) {
    inode.durable.write(from, inode.cached.bytes, from, to);
  } else {
    inode.durable.write(from, change.bytes, from - change.from, to - change.from);
  }
}

/** Any size the file went through, or a whole sector between; most often the one that fits the data. */
function drawSize(changes: readonly Change[], before: number, lastKept: number, draw: number): number {
  const mode = spread(draw, decision.size, 0) % 6;
  const value = spread(draw, decision.sizeValue, 0);
  const sizeAfter = (index: number): number => changes[index]?.sizeAfter ?? before;
  if (mode < 3) return sizeAfter(lastKept);
  if (mode === 3) return sizeAfter((value % (changes.length + 1)) - 1);
  if (mode === 4) return sizeAfter(changes.length - 1);
  let smallest = before;
  let largest = before;
  for (const change of changes) {
    smallest = Math.min(smallest, change.sizeAfter);
    largest = Math.max(largest, change.sizeAfter);
  }
  const size = smallest + (value % (largest - smallest + 1));
  return Math.max(smallest, size - (size % sectorBytes));
}

interface Gap {
  readonly outcome: SectorOutcome;
  /** Durable size before. */
  readonly before: number;
  /** Durable size now. */
  readonly size: number;
  readonly donors: readonly Inode[];
}

/** Space that the file was given but whose data never arrived may show what was there before. */
function fillGarbage(inode: Inode, gap: Gap, rate: number, draw: number): boolean {
  let filled = false;
  const { first, touched, chosen } = gap.outcome;
  for (let at = 0; at < touched.length; at++) {
    const offset = (first + at) * sectorBytes;
    const never = offset >= gap.before && offset < gap.size && (touched[at] ?? 0) > 0 && chosen[at] === 0;
    if (!never || !within(spread(draw, decision.garbage, first + at), rate)) continue;
    const noise = garbageSector(gap.donors, spread(draw, decision.noise, first + at));
    inode.durable.write(offset, noise, 0, Math.min(sectorBytes, gap.size - offset));
    filled = true;
  }
  return filled;
}

/** Noise, or the worse kind of garbage: a foreign sector. */
function garbageSector(donors: readonly Inode[], draw: number): Uint8Array {
  return (draw & 1) === 0 ? noiseSector(draw) : foreignSector(donors, draw);
}

/** What another place of this disk holds, in the very format of its files; noise while the disk is empty. */
export function foreignSector(donors: readonly Inode[], draw: number): Uint8Array {
  const donor = donors[spread(draw, 1, 0) % Math.max(1, donors.length)];
  const sectors = donor === undefined ? 0 : Math.trunc(donor.durable.size / sectorBytes);
  if (donor === undefined || sectors === 0) return noiseSector(draw);
  const at = (spread(draw, 2, 0) % sectors) * sectorBytes;
  return donor.durable.slice(at, at + sectorBytes);
}

function noiseSector(draw: number): Uint8Array {
  const noise = new Uint8Array(sectorBytes);
  for (let at = 0; at < sectorBytes; at++) noise[at] = spread(draw, 3, at) & 255;
  return noise;
}
