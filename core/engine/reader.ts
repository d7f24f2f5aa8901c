// HOT: every point read passes here.
import type { ByteSlab } from "../bytes/byte-slab.ts";
import { hashKey } from "../bytes/hash.ts";
import {
  readExpiresAtMs,
  readKeyLength,
  readKind,
  readValueLength,
  readVersion,
  recordBytesAt,
  recordHeaderBytes,
  recordKind,
  versionMax,
} from "../bytes/record.ts";
import { ScratchImage } from "../lsm/image-buffer.ts";
import { absent } from "../lsm/memtable.ts";
import type { HybridClock } from "./hybrid-clock.ts";
import type { RecordCache } from "./record-cache.ts";
import type { Snapshot } from "./snapshot.ts";
import type { TableSet } from "./table-set.ts";
import type { VersionedRecord } from "./versioned-store.ts";
import type { WritePath } from "./write-path.ts";

/** The newest record of a key. */
export interface Latest {
  /** Null: absent, deleted or expired. Owned by the caller. */
  readonly value: Uint8Array | null;
  /** 0: never, or no value. */
  readonly expiresAtMs: number;
  /** 0: never written, as far as anybody remembers. */
  readonly version: number;
}

const emptyBytes = new Uint8Array(0);

/** Below this many bytes a loop beats the call behind `set` and `subarray`. */
const copyLoopBytesMax = 64;

function copyRange(source: Uint8Array, start: number, length: number, target: Uint8Array): void {
  if (length > copyLoopBytesMax) {
    target.set(source.subarray(start, start + length));
    return;
  }
  for (let i = 0; i < length; i++) target[i] = source[start + i] as number;
}

/** Point reads, from the newest source to the oldest. Nothing is allocated but the value that is returned. */
export class Reader {
  readonly #write: WritePath;
  readonly #tables: TableSet;
  readonly #records: RecordCache;
  readonly #clock: HybridClock;
  /** For records that are not to be cached. */
  readonly #scratch = new ScratchImage();
  readonly #slab: ByteSlab;
  /** Where the last `#find` found a record. */
  #bytes: Uint8Array = emptyBytes;
  #view: DataView = new DataView(emptyBytes.buffer);
  #offset = 0;
  getCount = 0;

  // oxlint-disable-next-line max-params
  constructor(
    write: WritePath,
    tables: TableSet,
    records: RecordCache,
    clock: HybridClock,
    slab: ByteSlab,
  ) {
    this.#write = write;
    this.#tables = tables;
    this.#records = records;
    this.#clock = clock;
    this.#slab = slab;
  }

  /** `at`: a snapshot that was checked; null: the present. */
  get(key: Uint8Array, at: Snapshot | null, family: number): Uint8Array | null {
    return this.has(key, at, family) ? this.#copyValue() : null;
  }

  /** As `get`, without the value. */
  has(key: Uint8Array, at: Snapshot | null, family: number): boolean {
    // Not the newest: what is not durable yet could be taken back by a crash after it was read.
    const version = at === null ? this.#write.visibleVersion : at.version;
    if (!this.#find(family, key, version) || !this.#isLive(at)) return false;
    return !this.#mayBeHidden() || !this.#isHidden(family, key, version);
  }

  /** As `get`, into `target` if the value fits. Its length; -1: none. */
  // oxlint-disable-next-line max-params
  getInto(key: Uint8Array, target: Uint8Array, at: Snapshot | null, family: number): number {
    if (!this.has(key, at, family)) return -1;
    if (readKind(this.#view, this.#offset) === recordKind.pointer) {
      const value = this.#copyValue();
      if (value.length <= target.length) target.set(value);
      return value.length;
    }
    const length = readValueLength(this.#view, this.#offset);
    if (length > target.length) return length;
    const start = this.#offset + recordHeaderBytes + readKeyLength(this.#view, this.#offset);
    if (length > 0) copyRange(this.#bytes, start, length, target);
    return length;
  }

  latest(key: Uint8Array, family: number): Latest {
    const found = this.#find(family, key, versionMax);
    const version = found ? readVersion(this.#view, this.#offset) : 0;
    if (this.#mayBeHidden()) {
      // A range delete is the newest word on its keys, as a delete of each would be.
      const cover = this.#cover(family, key, versionMax);
      if (cover > version) return { value: null, expiresAtMs: 0, version: cover };
    }
    if (!found || !this.#isLive(null)) return { value: null, expiresAtMs: 0, version };
    return { value: this.#copyValue(), expiresAtMs: readExpiresAtMs(this.#view, this.#offset), version };
  }

  /** The newest record up to `version`, whether or not its time is over; null: there is none. */
  record(family: number, key: Uint8Array, version: number): VersionedRecord | null {
    const found = this.#find(family, key, version);
    const foundVersion = found ? readVersion(this.#view, this.#offset) : 0;
    if (this.#mayBeHidden()) {
      const cover = this.#cover(family, key, version);
      if (cover > foundVersion) return { version: cover, value: null, expiresAtMs: 0 };
    }
    if (!found) return null;
    const dead = readKind(this.#view, this.#offset) === recordKind.tombstone;
    if (dead) return { version: foundVersion, value: null, expiresAtMs: 0 };
    const expiresAtMs = readExpiresAtMs(this.#view, this.#offset);
    return { version: foundVersion, value: this.#copyValue(), expiresAtMs };
  }

  /** Of all there is; 0: nothing. */
  newestVersion(family: number, key: Uint8Array): number {
    const found = this.#find(family, key, versionMax) ? readVersion(this.#view, this.#offset) : 0;
    return this.#mayBeHidden() ? Math.max(found, this.#cover(family, key, versionMax)) : found;
  }

  /** Of what is in memory. */
  newestInMemory(family: number, key: Uint8Array): number {
    const { memtables } = this.#write;
    const offset = memtables.find(family, key, versionMax, hashKey(family, key, 0, key.length));
    return offset < 0 ? 0 : readVersion(memtables.foundIn.view, offset);
  }

  /** Finds the newest record up to `version`. Every record in memory is newer than every one in tables. */
  #find(family: number, key: Uint8Array, version: number): boolean {
    this.getCount++;
    const hash = hashKey(family, key, 0, key.length);
    const records = this.#records;
    const isCached = records.find(family, key, hash);
    // What is cached is the newest record there is: nothing else needs a look, unless an older one is wanted.
    if (isCached && readVersion(records.view, records.offset) <= version) {
      return this.#stand(records.bytes, records.view, records.offset);
    }
    const { memtables } = this.#write;
    const offset = memtables.find(family, key, version, hash);
    if (offset >= 0) return this.#stand(memtables.foundIn.arena, memtables.foundIn.view, offset);
    // A snapshot may be shown an older record, and a key in memory will have a newer one in a table.
    const mayCache = offset === absent && version >= this.#write.visibleVersion && !isCached;
    const image = mayCache ? records : this.#scratch;
    const found = this.#tables.current.find(family, key, version, hash, image);
    if (found === null) return false;
    this.#stand(found.bytes, found.view, found.offset);
    // A pointer may be replaced without a commit, when its value is moved to another file.
    if (!mayCache || readKind(found.view, found.offset) === recordKind.pointer) return true;
    if (found.inImage) records.publish(hash);
    else records.add(hash, found.bytes, found.offset, recordBytesAt(found.view, found.offset));
    return true;
  }

  #stand(bytes: Uint8Array, view: DataView, offset: number): true {
    this.#bytes = bytes;
    this.#view = view;
    this.#offset = offset;
    return true;
  }

  /** Range tombstones exist: most databases have none, and pay nothing for them. */
  #mayBeHidden(): boolean {
    return this.#write.memtables.hasRanges || this.#tables.current.hasRanges;
  }

  /** Whether a range tombstone up to `version` is newer than the record found. */
  #isHidden(family: number, key: Uint8Array, version: number): boolean {
    return this.#cover(family, key, version) > readVersion(this.#view, this.#offset);
  }

  /** The highest version up to `version` of a range tombstone over the key; 0: none. */
  #cover(family: number, key: Uint8Array, version: number): number {
    // Versions in memory are the newer ones.
    const inMemory = this.#write.memtables.cover(family, key, version);
    const tables = this.#tables.current;
    if (inMemory > 0 || !tables.hasRanges) return inMemory;
    return tables.ranges.cover(family, key, version);
  }

  #isLive(at: Snapshot | null): boolean {
    if (readKind(this.#view, this.#offset) === recordKind.tombstone) return false;
    const expiresAtMs = readExpiresAtMs(this.#view, this.#offset);
    if (expiresAtMs === 0) return true;
    return expiresAtMs > (at === null ? this.#clock.nowMs() : at.readAtMs);
  }

  #copyValue(): Uint8Array {
    if (readKind(this.#view, this.#offset) === recordKind.pointer) {
      return this.#tables.values.read(this.#bytes, this.#view, this.#offset);
    }
    const start = this.#offset + recordHeaderBytes + readKeyLength(this.#view, this.#offset);
    return this.#slab.copy(this.#bytes, start, start + readValueLength(this.#view, this.#offset));
  }
}
