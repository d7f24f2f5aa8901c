// HOT: every record that is flushed or merged is judged here.
import { assert } from "../assert.ts";
import { readExpiresAtMs, readKind, readVersion, recordKind } from "../bytes/record.ts";
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
}

export type Verdict = "keep" | "drop" | "bury";

/**
 * Judges records one by one, in record order: per key the newest first.
 *
 * A record is read from its own version up to that of the key's next newer one. It is kept while somebody
 * may read there. A tombstone, or a value that everybody who reads it finds expired, is *dead*: it only
 * hides what is older, so a dead value becomes a tombstone ("bury"), and where nothing older is left both
 * are dropped.
 */
export class DropJudge {
  readonly #rules: DropRules;
  #lastBytes: Uint8Array = new Uint8Array(0);
  #lastView: DataView = new DataView(new ArrayBuffer(0));
  #lastOffset = -1;
  /** Version of the key's next newer record; infinity for the newest. */
  #newer = Infinity;

  constructor(rules: DropRules) {
    for (let i = 1; i < rules.pins.length; i++) {
      assert((rules.pins[i - 1] as number) <= (rules.pins[i] as number), "pins are sorted");
    }
    this.#rules = rules;
  }

  /** The image must stay readable until the next call. */
  judge(bytes: Uint8Array, view: DataView, offset: number): Verdict {
    const version = readVersion(view, offset);
    const sameKey =
      this.#lastOffset >= 0 &&
      compareRecordKeys(this.#lastBytes, this.#lastView, this.#lastOffset, bytes, view, offset) === 0;
    const newer = sameKey ? this.#newer : Infinity;
    assert(version < newer, "the records of a key come newest first");
    this.#lastBytes = bytes;
    this.#lastView = view;
    this.#lastOffset = offset;
    this.#newer = version;
    if (!this.#isRead(version, newer)) return "drop";
    if (!this.#isDead(view, offset, newer)) return "keep";
    if (this.#hidesNothing(version)) return "drop";
    return readKind(view, offset) === recordKind.tombstone ? "keep" : "bury";
  }

  /** Whether anybody may read between a record's version and that of the next newer one. */
  #isRead(version: number, newer: number): boolean {
    if (newer > this.#rules.horizonVersion) return true;
    const pin = this.#firstPinFrom(version);
    return pin < newer;
  }

  #isDead(view: DataView, offset: number, newer: number): boolean {
    if (readKind(view, offset) === recordKind.tombstone) return true;
    const expiresAtMs = readExpiresAtMs(view, offset);
    if (expiresAtMs === 0) return false;
    if (newer > this.#rules.horizonVersion && expiresAtMs > this.#rules.nowMs) return false;
    // Pins ascend, and so do their instants: the first that reads the record judges earliest.
    const pin = this.#firstPinFrom(readVersion(view, offset));
    return pin >= newer || expiresAtMs <= versionMs(pin);
  }

  /** Nobody reads below this version any more, and nothing is left there but in this job. */
  #hidesNothing(version: number): boolean {
    const { bottom, horizonVersion } = this.#rules;
    const firstPin = this.#rules.pins[0] ?? Infinity;
    return bottom && version <= firstPin && version <= horizonVersion;
  }

  /** The lowest pin at or above `version`; infinity if there is none. */
  #firstPinFrom(version: number): number {
    const { pins } = this.#rules;
    let low = 0;
    let high = pins.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((pins[middle] as number) < version) low = middle + 1;
      else high = middle;
    }
    return pins[low] ?? Infinity;
  }
}
