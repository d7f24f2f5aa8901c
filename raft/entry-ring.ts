// HOT: every entry goes in once and out once per follower.
import { assert } from "../core/assert.ts";
import { type Entry, type LogIndex, entryBytes } from "./entry.ts";

/** Free places at the front are given back when there are this many, and most of the array is free. */
const slackMax = 256;

/**
 * The end of the log, in memory: a contiguous run of entries up to the last. What is durable may leave when
 * it grows beyond its bytes; what is not stays.
 */
export class EntryRing {
  /** Index of the first entry held; one after the last when there is none. */
  first: LogIndex;
  bytes = 0;
  readonly #bytesMax: number;
  readonly #entries: Entry[] = [];
  #head = 0;

  constructor(first: LogIndex, bytesMax: number) {
    this.first = first;
    this.#bytesMax = bytesMax;
  }

  get length(): number {
    return this.#entries.length - this.#head;
  }

  holds(index: LogIndex): boolean {
    return index >= this.first && index < this.first + this.length;
  }

  at(index: LogIndex): Entry {
    assert(this.holds(index), "the entry is in memory");
    return this.#entries[this.#head + index - this.first] as Entry;
  }

  push(entry: Entry): void {
    assert(entry.index === this.first + this.length, "entries are contiguous");
    this.#entries.push(entry);
    this.bytes += entryBytes(entry);
  }

  /** Forgets `index` and all after it. */
  cut(index: LogIndex): void {
    const keep = Math.max(0, index - this.first);
    while (this.length > keep) this.bytes -= entryBytes(this.#entries.pop() as Entry);
    if (index < this.first) this.first = index;
  }

  /** Lets entries up to `stable` go, the oldest first, while there are too many bytes. */
  evict(stable: LogIndex): void {
    while (this.bytes > this.#bytesMax && this.first <= stable && this.length > 0) this.#dropFirst();
    this.#giveBack();
  }

  /** Forgets everything up to `index`. */
  compact(index: LogIndex): void {
    while (this.first <= index && this.length > 0) this.#dropFirst();
    if (this.first <= index) this.first = index + 1;
    this.#giveBack();
  }

  /** Empty, before `first`. */
  reset(first: LogIndex): void {
    this.#entries.length = 0;
    this.#head = 0;
    this.bytes = 0;
    this.first = first;
  }

  /**
   * Entries from `low` up to, not including, `high`; a fresh array. The first one always, more while they stay
   * within `bytesMax`.
   */
  slice(low: LogIndex, high: LogIndex, bytesMax: number): Entry[] {
    const entries: Entry[] = [];
    let bytes = 0;
    for (let index = low; index < high; index++) {
      const entry = this.at(index);
      bytes += entryBytes(entry);
      if (bytes > bytesMax && entries.length > 0) break;
      entries.push(entry);
    }
    return entries;
  }

  #dropFirst(): void {
    this.bytes -= entryBytes(this.#entries[this.#head] as Entry);
    // The array still holds the place: let the entry's bytes go at once.
    this.#entries[this.#head] = dropped;
    this.#head++;
    this.first++;
  }

  #giveBack(): void {
    if (this.#head < slackMax || this.#head * 2 < this.#entries.length) return;
    this.#entries.splice(0, this.#head);
    this.#head = 0;
  }
}

const dropped: Entry = Object.freeze({ index: 0, term: 0, kind: "noop", data: new Uint8Array(0) });
