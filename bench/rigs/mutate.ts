import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Db } from "../../core/engine/db.ts";
import { openDb } from "../../core/engine/db.ts";
import { NokvError } from "../../core/errors.ts";
import { type Damage, planDamage } from "./damage.ts";
import { describeDifference, keyAt, keyCount, matchingPrefix, sameState, type State } from "./history.ts";
import { type Image, ImageDisk, sameEntry } from "./image-disk.ts";
import { imageEnv } from "./image-env.ts";
import { silenceOf, verifyImage } from "./verified.ts";
import { directory, makeSpecimens, smallOptions, type Specimen } from "./specimens.ts";

export interface MutateOptions {
  readonly seed: number;
  /** Of each mutation of each file, where it has a place or a length. */
  readonly variants: number;
  /** Only mutations whose name begins so, "G4" for example; "" for all. */
  readonly only: string;
  /** 1: all of them; 5: every fifth. */
  readonly every: number;
  readonly report: (done: number, total: number) => void;
}

export const mutateDefaults: MutateOptions = { seed: 1, variants: 100, only: "", every: 1, report: () => {} };

/** How one mutation of one kind of file ended, how often. */
export interface MutateCount {
  readonly mutation: string;
  readonly kind: string;
  tried: number;
  /** `open` refused with a typed error that names a file; nothing was changed. */
  refused: number;
  /** Opened; reads of what is damaged failed with a typed error, and mending the file brought everything back. */
  detected: number;
  /** Opened with what an earlier crash could have left: a prefix of what was written. */
  prefix: number;
  /** Every answer was right. */
  harmless: number;
  wrong: number;
  /** Verification told of it, as damage or as what the next opening tidies up; it is never silent about the rest. */
  verified: number;
}

export interface MutateReport {
  readonly counts: readonly MutateCount[];
  /** Each wrong outcome, with how to repeat it. */
  readonly violations: readonly string[];
}

/**
 * Damages every file of a directory in memory in every way of the catalogue, opens each variant and reads
 * everything.
 */
export async function mutateRounds(options: MutateOptions): Promise<MutateReport> {
  const specimens = await makeSpecimens(options.seed);
  const plans = specimens.map((specimen) => ({ specimen, plan: planEvery(specimen, options) }));
  const total = plans.reduce((sum, { plan }) => sum + plan.length, 0);
  const counts = new Map<string, MutateCount>();
  const violations: string[] = [];
  let done = 0;
  for (const { specimen, plan } of plans) {
    for (const damage of plan) {
      const count = countFor(counts, damage, specimen);
      count.tried++;
      const verdict = await judge(specimen, damage);
      if (verdict.outcome === "wrong") {
        const kept = keepEvidence(damagedImage(specimen, damage), violations.length);
        violations.push(`${specimen.name}: ${damage.file}: ${damage.name}: ${verdict.why} (${kept})`);
      }
      count[verdict.outcome]++;
      if (verdict.verified) count.verified++;
      options.report(++done, total);
    }
  }
  return { counts: [...counts.values()].toSorted((a, b) => (a.mutation < b.mutation ? -1 : 1)), violations };
}

/** Of each mutation of each kind of file the first in any case. */
function planEvery({ sources }: Specimen, options: MutateOptions): readonly Damage[] {
  const seen = new Set<string>();
  return planDamage(sources, options).filter((damage, index) => {
    const what = `${mutationOf(damage)} ${damage.kind}`;
    const isFirst = !seen.has(what);
    seen.add(what);
    return isFirst || index % options.every === 0;
  });
}

function mutationOf(damage: Damage): string {
  return damage.name.split(" ")[0] ?? "";
}

function countFor(counts: Map<string, MutateCount>, damage: Damage, specimen: Specimen): MutateCount {
  const mutation = mutationOf(damage);
  const kind = `${damage.kind} (${specimen.name})`;
  const key = `${mutation} ${kind}`;
  const found = counts.get(key);
  if (found !== undefined) return found;
  const count = { mutation, kind, tried: 0, refused: 0, detected: 0, prefix: 0, harmless: 0, wrong: 0, verified: 0 };
  counts.set(key, count);
  return count;
}

interface Verdict {
  readonly outcome: "refused" | "detected" | "prefix" | "harmless" | "wrong";
  readonly why: string;
}

/** Verification first: it may not be silent about anything that the opening, or a read, then meets. */
async function judge(specimen: Specimen, damage: Damage): Promise<Verdict & { readonly verified: boolean }> {
  const damaged = damagedImage(specimen, damage);
  const told = await verifyImage(damaged);
  const verdict = await judgeOpening(specimen, damage, damaged);
  const silence = verdict.outcome === "wrong" ? null : silenceOf(verdict.outcome, told, specimen, damage);
  return { ...(silence === null ? verdict : wrong(silence)), verified: told.kind !== "sound" };
}

async function judgeOpening(specimen: Specimen, damage: Damage, damaged: Image): Promise<Verdict> {
  const disk = new ImageDisk(directory, damaged);
  const opened = await tryOpen(disk);
  if (opened instanceof Error) return judgeRefusal(opened, damaged, disk);
  const found = readEverything(opened);
  const closing = await closeError(opened);
  if (typeof found === "string") return wrong(found);
  if (closing !== null) return wrong(closing);
  const stranger = lostStranger(damage, disk);
  if (stranger !== null) return wrong(stranger);
  if (found.corrupt) return await judgeDetected(specimen, damage, disk, found.state);
  if (sameState(specimen.state, found.state)) return { outcome: "harmless", why: "" };
  const { history } = specimen;
  const taken = matchingPrefix(history, { state: new Map(), taken: 0 }, [0, specimen.taken], found.state);
  if (taken === null) return wrong(`a wrong answer: ${describeDifference(specimen.state, found.state)}`);
  return { outcome: "prefix", why: "" };
}

function damagedImage(specimen: Specimen, damage: Damage): Image {
  const damaged = new Map(specimen.sources.image);
  for (const [name, entry] of damage.replace) {
    if (entry === null) damaged.delete(name);
    else damaged.set(name, entry);
  }
  return damaged;
}

const evidenceMax = 10;

/** The damaged directory, on the real disk: a run is never the same again, for versions are times. */
function keepEvidence(image: Image, index: number): string {
  if (index >= evidenceMax) return "not kept";
  const path = mkdtempSync(join(tmpdir(), "nokv-mutate-"));
  for (const [name, entry] of image) {
    if ("bytes" in entry) writeFileSync(join(path, name), entry.bytes);
  }
  return path;
}

function wrong(why: string): Verdict {
  return { outcome: "wrong", why };
}

async function tryOpen(disk: ImageDisk): Promise<Db | Error> {
  try {
    return await openDb(imageEnv(disk), directory, smallOptions);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** A refusal is typed, names a file, and leaves every byte as it was. */
function judgeRefusal(error: Error, damaged: Image, disk: ImageDisk): Verdict {
  if (!(error instanceof NokvError)) return wrong(`an untyped refusal: ${error.message}`);
  if (!/(?:CURRENT|MANIFEST|LOCK|MODE|wal-|table-|value-)/.test(error.message)) {
    return wrong(`the refusal names no file: ${error.message}`);
  }
  const lost = destroyed(damaged, disk);
  return lost === null ? { outcome: "refused", why: "" } : wrong(`refused, but ${lost}`);
}

function destroyed(before: Image, disk: ImageDisk): string | null {
  const after = disk.image();
  for (const [name, entry] of before) {
    if (name === "LOCK" || name.endsWith(".tmp")) continue;
    const now = after.get(name);
    if (now === undefined) return `${name} is gone`;
    if (!sameEntry(entry, now)) return `${name} was changed`;
  }
  return null;
}

/** Files that are not ours stay what they are. */
function lostStranger(damage: Damage, disk: ImageDisk): string | null {
  if (!damage.name.startsWith("G16")) return null;
  const after = disk.image();
  for (const [name, entry] of damage.replace) {
    const now = after.get(name);
    if (entry !== null && (now === undefined || !sameEntry(entry, now))) return `the unknown file ${name} was touched`;
  }
  return null;
}

/** What was damaged and reported is still there: with the file mended, everything comes back. */
async function judgeDetected(specimen: Specimen, damage: Damage, disk: ImageDisk, partly: State): Promise<Verdict> {
  for (const [key, value] of partly) {
    if (specimen.state.get(key) !== value) return wrong(`beside the damage, a wrong answer for ${key}`);
  }
  const mended = disk.image();
  for (const name of damage.replace.keys()) {
    const original = specimen.sources.image.get(name);
    if (original !== undefined) mended.set(name, original);
  }
  const db = await tryOpen(new ImageDisk(directory, mended));
  if (db instanceof Error) return wrong(`with ${damage.file} mended it does not open: ${db.message}`);
  const found = readEverything(db);
  await closeError(db);
  if (typeof found === "string" || found.corrupt) return wrong(`with ${damage.file} mended it is still damaged`);
  if (sameState(specimen.state, found.state)) return { outcome: "detected", why: "" };
  return wrong(`with ${damage.file} mended, data is lost: ${describeDifference(specimen.state, found.state)}`);
}

interface Found {
  /** What could be read. */
  readonly state: State;
  /** Some read reported the damage. */
  readonly corrupt: boolean;
}

/** Every key by itself, and all in order, forwards and back. A text says what no read may do. */
function readEverything(db: Db): Found | string {
  const state: State = new Map();
  let corrupt = false;
  const decoder = new TextDecoder();
  for (let n = 0; n < keyCount; n++) {
    const read = attempt(() => db.get(keyAt(n)));
    if (typeof read === "string") return read;
    if (read === null) corrupt = true;
    else if (read.value !== undefined) state.set(keyAt(n), decoder.decode(read.value));
  }
  for (const reverse of [false, true]) {
    const read = attempt(() => scan(db, reverse));
    if (typeof read === "string") return read;
    if (read === null) corrupt = true;
    else if (!corrupt && !sameState(read.value, state)) {
      return `a scan differs from the reads: ${describeDifference(state, read.value)}`;
    }
  }
  return { state, corrupt };
}

function scan(db: Db, reverse: boolean): State {
  const decoder = new TextDecoder();
  const state: State = new Map();
  const iterator = db.iterator({ reverse });
  let last: string | null = null;
  try {
    while (iterator.next()) {
      const key = decoder.decode(iterator.key);
      if (last !== null && (reverse ? key >= last : key <= last)) throw new RangeError(`${key} after ${last}`);
      last = key;
      state.set(key, decoder.decode(iterator.value));
    }
  } finally {
    iterator.close();
  }
  return state;
}

/** Null when the read reported the damage; a text when it failed in another way. */
function attempt<T>(read: () => T): { readonly value: T } | null | string {
  try {
    return { value: read() };
  } catch (error) {
    if (error instanceof NokvError && ["NOKV_CORRUPTION", "NOKV_IO", "NOKV_FORMAT"].includes(error.code)) return null;
    return `a read failed with something else: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Closing may report the damage, typed. */
async function closeError(db: Db): Promise<string | null> {
  try {
    await db.close();
    return null;
  } catch (error) {
    if (error instanceof NokvError) return null;
    return `closing failed with something else: ${error instanceof Error ? error.message : String(error)}`;
  }
}
