// HOT: every record that is flushed or merged is judged here.
import { assert } from "../assert.ts";
import {
  columnFamily,
  compareKeys,
  readExpiresAtMs,
  readFamily,
  readKind,
  readVersion,
  recordKind,
  versionMax,
} from "../bytes/record.ts";
import type { RangeFragment, RangeTombstones } from "./range-tombstones.ts";
import { compareRecordKeys } from "./record-order.ts";

/** 2024-01-01 UTC, where versions begin to count milliseconds. */
export const versionEpochMs = 1_704_067_200_000;
const versionsPerMs = 4096;

/** The instant that a version names, in Unix milliseconds. */
export function versionMs(version: number): number {
  return versionEpochMs + Math.floor(version / versionsPerMs);
}

/** Who may still read, when a flush or a compaction decides what it may forget. Plain data. */
export interface DropRules {
  /**
   * Versions of live snapshots, ascending. Each reads its newest records, judging expiry at `versionMs` of
   * itself.
   */
  readonly pins: readonly number[];
  /** Besides the pins, somebody may read at this version or any later one. */
  readonly horizonVersion: number;
  /** And judges expiry at this instant or a later one. */
  readonly nowMs: number;
  /** Nothing older of any key of the job lies outside its inputs. */
  readonly bottom: boolean;
  /** Pins, horizon and instant are for family `data`; of the others everybody reads the newest record of a key only. */
  readonly newestOnly?: boolean;
}

/** Only the newest record of a key is read, whenever its time is over. */
function newestRules(bottom: boolean): DropRules {
  return { pins: [], horizonVersion: versionMax, nowMs: 0, bottom };
}

export type Verdict = "keep" | "drop" | "bury";

/**
 * Judges records one by one, in record order: per key the newest first.
 *
 * A record is read from its own version up to that of the key's next newer one, or of the next range
 * tombstone over its key. It is kept while somebody may read there. A tombstone, or a value that everybody who
 * reads it finds expired, is *dead*: it only hides what is older, so a dead value becomes a tombstone ("bury"),
 * and where nothing older is left both are dropped.
 */
export class DropJudge {
  readonly #dataRules: DropRules;
  readonly #otherRules: DropRules;
  readonly #ranges: RangeTombstones;
  /** Those of the record under judgement. */
  #rules: DropRules;
  #interval = -1;
  #lastBytes: Uint8Array = new Uint8Array(0);
  #lastView: DataView = new DataView(new ArrayBuffer(0));
  #lastOffset = -1;
  /** Version of the key's next newer record; infinity for the newest. */
  #newer = Infinity;

  /** `ranges`: the range tombstones of the job. */
  constructor(rules: DropRules, ranges: RangeTombstones) {
    for (let i = 1; i < rules.pins.length; i++) {
      assert((rules.pins[i - 1] as number) <= (rules.pins[i] as number), "pins are sorted");
    }
    this.#rules = rules;
    this.#dataRules = rules;
    this.#otherRules = rules.newestOnly === true ? newestRules(rules.bottom) : rules;
    this.#ranges = ranges;
  }

  /** The image must stay readable until the next call. */
  judge(bytes: Uint8Array, view: DataView, offset: number): Verdict {
    const version = readVersion(view, offset);
    const sameKey =
      this.#lastOffset >= 0 &&
      compareRecordKeys(this.#lastBytes, this.#lastView, this.#lastOffset, bytes, view, offset) === 0;
    const newerRecord = sameKey ? this.#newer : Infinity;
    assert(version < newerRecord, "the records of a key come newest first");
    this.#lastBytes = bytes;
    this.#lastView = view;
    this.#lastOffset = offset;
    this.#newer = version;
    this.#rules = readFamily(view, offset) === columnFamily.data ? this.#dataRules : this.#otherRules;
    const newer = Math.min(newerRecord, this.#hiddenFrom(bytes, view, offset, version));
    if (!isRead(this.#rules, version, newer)) return "drop";
    if (!this.#isDead(view, offset, newer)) return "keep";
    if (hidesNothing(this.#rules, version)) return "drop";
    return readKind(view, offset) === recordKind.tombstone ? "keep" : "bury";
  }

  /** The least version of a range tombstone that hides the record; infinity if none does. */
  // oxlint-disable-next-line max-params
  #hiddenFrom(bytes: Uint8Array, view: DataView, offset: number, version: number): number {
    if (this.#ranges.count === 0) return Infinity;
    this.#interval = this.#ranges.intervalOf(bytes, view, offset, this.#interval);
    return this.#ranges.leastAbove(this.#interval, version);
  }

  #isDead(view: DataView, offset: number, newer: number): boolean {
    if (readKind(view, offset) === recordKind.tombstone) return true;
    const expiresAtMs = readExpiresAtMs(view, offset);
    if (expiresAtMs === 0) return false;
    if (newer > this.#rules.horizonVersion && expiresAtMs > this.#rules.nowMs) return false;
    // Pins ascend, and so do their instants: the first that reads the record judges earliest.
    const pin = firstPinFrom(this.#rules.pins, readVersion(view, offset));
    return pin >= newer || expiresAtMs <= versionMs(pin);
  }
}

/**
 * What must be kept of range tombstones, each from its version up to that of the next newer one over the same
 * keys: as with records, and they are always dead. Neighbours that hide alike become one.
 */
export function keptRanges(ranges: RangeTombstones, rules: DropRules): RangeFragment[] {
  const kept: RangeFragment[] = [];
  for (let interval = 0; interval < ranges.intervalCount; interval++) {
    const versions = keptVersions(ranges, interval, rules);
    if (versions.length === 0) continue;
    const start = ranges.edges[interval] as Uint8Array;
    const end = ranges.edges[interval + 1] as Uint8Array;
    const before = kept.at(-1);
    if (before !== undefined && compareKeys(before.end, start) === 0 && equalLists(before.versions, versions)) {
      kept[kept.length - 1] = { ...before, end };
    } else {
      kept.push({ start, end, versions });
    }
  }
  return kept;
}

/** Descending. Asks for those that somebody reads only, however many there are. */
function keptVersions(ranges: RangeTombstones, interval: number, rules: DropRules): number[] {
  const versions: number[] = [];
  let version = ranges.coverOfInterval(interval, Number.MAX_SAFE_INTEGER);
  while (version > 0 && !hidesNothing(rules, version)) {
    versions.push(version);
    // The next one down decides for who reads below this one: at a pin, or anywhere above the horizon.
    const below = version > rules.horizonVersion ? version - 1 : lastPinBelow(rules.pins, version);
    version = below < 0 ? 0 : ranges.coverOfInterval(interval, below);
  }
  return versions;
}

/** Whether anybody may read between a version and the next newer one. */
function isRead(rules: DropRules, version: number, newer: number): boolean {
  return newer > rules.horizonVersion || firstPinFrom(rules.pins, version) < newer;
}

/** Nobody reads below this version any more, and nothing is left there but in this job. */
function hidesNothing(rules: DropRules, version: number): boolean {
  const { bottom, horizonVersion } = rules;
  const firstPin = rules.pins[0] ?? Infinity;
  return bottom && version <= firstPin && version <= horizonVersion;
}

/** The lowest pin at or above `version`; infinity if there is none. */
function firstPinFrom(pins: readonly number[], version: number): number {
  return pins[pinsBelow(pins, version)] ?? Infinity;
}

/** The highest pin below `version`; -1 if there is none. */
function lastPinBelow(pins: readonly number[], version: number): number {
  return pins[pinsBelow(pins, version) - 1] ?? -1;
}

/** How many pins are below `version`. */
function pinsBelow(pins: readonly number[], version: number): number {
  let low = 0;
  let high = pins.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((pins[middle] as number) < version) low = middle + 1;
    else high = middle;
  }
  return low;
}

function equalLists(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
