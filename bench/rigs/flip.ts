import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Db } from "../../core/engine/db.ts";
import type { EngineOptions } from "../../core/engine/options.ts";
import { NokvError } from "../../core/errors.ts";
import { open } from "../../host/open.ts";
import { Xorshift } from "../xorshift.ts";

export interface FlipOptions {
  /** Damaged copies of each kind of file, at most; a file smaller than that has every byte flipped once. */
  readonly flipsPerKind: number;
  readonly seed: number;
  readonly parent: string;
  readonly report: (done: number, total: number) => void;
}

export const flipDefaults: FlipOptions = {
  flipsPerKind: 1_000,
  seed: 1,
  parent: tmpdir(),
  report: () => {},
};

/** How many flips of one kind of file ended in which way. A wrong answer ends the rig with an error instead. */
export interface FlipCount {
  readonly kind: string;
  flips: number;
  /** `open` refused with a typed error that names the file. */
  refused: number;
  /** Opened, and reads that touched the damage failed with NOKV_CORRUPTION. */
  detected: number;
  /** Opened, and every answer was right: the byte was redundant, repaired or never read. */
  harmless: number;
}

/** Small limits: many tables, blocks and segments in a few dozen kilobytes. */
const smallOptions: Partial<EngineOptions> = {
  durability: "sync",
  memtableBytes: 16 * 1024,
  blockBytes: 512,
  tableBytes: 8 * 1024,
  level0TablesMax: 2,
};

/**
 * Flips one byte of one file of a copy of a real directory, opens the copy and reads everything: each answer must
 * be right or a typed error. Half of the copies are of a directory that was closed, half of one that was not.
 */
export async function flipRounds(options: FlipOptions): Promise<readonly FlipCount[]> {
  const parent = mkdtempSync(join(options.parent, "nokv-flip-"));
  const expected = new Map<string, string>();
  const db = await open(join(parent, "live"), smallOptions);
  await fill(db, expected, new Xorshift(options.seed));
  cpSync(join(parent, "live"), join(parent, "crashed"), { recursive: true });
  await db.close();
  cpSync(join(parent, "live"), join(parent, "closed"), { recursive: true });
  const plan = planFlips(parent, options);
  const counts = new Map<string, FlipCount>();
  for (const [index, flip] of plan.entries()) {
    const count = counts.get(flip.kind) ?? { kind: flip.kind, flips: 0, refused: 0, detected: 0, harmless: 0 };
    counts.set(flip.kind, count);
    count.flips++;
    count[await tryFlip(parent, flip, expected)]++;
    options.report(index + 1, plan.length);
  }
  rmSync(parent, { recursive: true, force: true });
  return [...counts.values()];
}

async function fill(db: Db, expected: Map<string, string>, random: Xorshift): Promise<void> {
  for (let i = 0; i < 1_500; i++) {
    const key = `key-${random.below(400)}`;
    if (random.below(5) === 0) {
      await db.delete(key);
      expected.delete(key);
    } else {
      const value = `${i}:${"v".repeat(random.below(60))}`;
      await db.set(key, value);
      expected.set(key, value);
    }
  }
}

interface Flip {
  readonly base: string;
  readonly file: string;
  readonly kind: string;
  readonly offset: number;
  readonly mask: number;
}

function planFlips(parent: string, options: FlipOptions): readonly Flip[] {
  const random = new Xorshift(options.seed + 1);
  const byKind = new Map<string, Flip[]>();
  for (const base of ["closed", "crashed"]) {
    for (const file of readdirSync(join(parent, base))) {
      const kind = `${kindOf(file)} (${base})`;
      const flips = byKind.get(kind) ?? [];
      byKind.set(kind, flips);
      const length = readFileSync(join(parent, base, file)).length;
      for (let offset = 0; offset < length; offset++) {
        flips.push({ base, file, kind, offset, mask: 1 << random.below(8) });
      }
    }
  }
  return [...byKind.values()].flatMap((flips) => sample(flips, options.flipsPerKind, random));
}

function kindOf(file: string): string {
  return file.replace(/-?\d+/, "").replace(/^\./, "");
}

function sample(flips: readonly Flip[], count: number, random: Xorshift): readonly Flip[] {
  if (flips.length <= count) return flips;
  const chosen = [...flips];
  for (let i = 0; i < count; i++) {
    const j = i + random.below(chosen.length - i);
    const [a, b] = [chosen[i], chosen[j]];
    if (a === undefined || b === undefined) throw new RangeError("indices are in range");
    [chosen[i], chosen[j]] = [b, a];
  }
  return chosen.slice(0, count);
}

async function tryFlip(
  parent: string,
  flip: Flip,
  expected: ReadonlyMap<string, string>,
): Promise<"refused" | "detected" | "harmless"> {
  const directory = join(parent, "damaged");
  rmSync(directory, { recursive: true, force: true });
  cpSync(join(parent, flip.base), directory, { recursive: true });
  const path = join(directory, flip.file);
  const bytes = readFileSync(path);
  bytes[flip.offset] = (bytes[flip.offset] ?? 0) ^ flip.mask;
  writeFileSync(path, bytes);
  const place = `${flip.kind}: ${flip.file} byte ${flip.offset} xor ${flip.mask}`;
  let db: Db;
  try {
    db = await open(directory, smallOptions);
  } catch (error) {
    if (!(error instanceof NokvError)) throw new Error(`${place}: an untyped error`, { cause: error });
    if (!error.message.includes(flip.file)) {
      throw new Error(`${place}: the refusal does not name the file: ${error.message}`, { cause: error });
    }
    return "refused";
  }
  const detected = readAll(db, expected, place);
  await closeDamaged(db);
  return detected ? "detected" : "harmless";
}

/** True when a read reported the damage. Throws when an answer is wrong. */
function readAll(db: Db, expected: ReadonlyMap<string, string>, place: string): boolean {
  let detected = false;
  const decoder = new TextDecoder();
  for (let n = 0; n < 400; n++) {
    const key = `key-${n}`;
    const value = attempt(() => db.get(key), place);
    if (value === corrupt) detected = true;
    else compare(place, key, expected.get(key), decode(value));
  }
  const sorted = [...expected.keys()].toSorted();
  const iterator = db.iterator({});
  for (const key of sorted) {
    const more = attempt(() => iterator.next(), place);
    if (more === corrupt) {
      detected = true;
      break;
    }
    compare(place, "order of keys", key, more ? decoder.decode(iterator.key) : undefined);
    compare(place, key, expected.get(key), decoder.decode(iterator.value));
  }
  iterator.close();
  return detected;
}

const corrupt = Symbol("corrupt");

function decode(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : new TextDecoder().decode(value);
}

function attempt<T>(read: () => T, place: string): T | typeof corrupt {
  try {
    return read();
  } catch (error) {
    if (error instanceof NokvError && error.code === "NOKV_CORRUPTION") return corrupt;
    throw new Error(`${place}: a read failed with something else`, { cause: error });
  }
}

function compare(place: string, what: string, expected: string | undefined, actual: string | undefined): void {
  if (actual === expected) return;
  throw new Error(`${place}: ${what}: read ${JSON.stringify(actual)}, expected ${JSON.stringify(expected)}`);
}

/** Closing flushes and may merge, which may meet the damage: that must be reported, not hidden or fatal. */
async function closeDamaged(db: Db): Promise<void> {
  try {
    await db.close();
  } catch (error) {
    if (!(error instanceof NokvError)) throw error;
  }
}
