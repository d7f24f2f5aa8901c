// HOT: every point read passes here.
import type { ByteSlab } from "../bytes/byte-slab.ts";
import { hashKey } from "../bytes/hash.ts";
import {
  columnFamily,
  readExpiresAtMs,
  readKeyLength,
  readKind,
  readValueLength,
  readVersion,
  recordHeaderBytes,
  recordKind,
  versionMax,
} from "../bytes/record.ts";
import type { HybridClock } from "./hybrid-clock.ts";
import type { Snapshot } from "./snapshot.ts";
import type { TableSet } from "./table-set.ts";
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

const family = columnFamily.data;
const emptyBytes = new Uint8Array(0);

/** Point reads, from the newest source to the oldest. Nothing is allocated but the value that is returned. */
export class Reader {
  readonly #write: WritePath;
  readonly #tables: TableSet;
  readonly #clock: HybridClock;
  readonly #slab: ByteSlab;
  /** Where the last `#find` found a record. */
  #bytes: Uint8Array = emptyBytes;
  #view: DataView = new DataView(emptyBytes.buffer);
  #offset = 0;
  getCount = 0;

  constructor(write: WritePath, tables: TableSet, clock: HybridClock, slab: ByteSlab) {
    this.#write = write;
    this.#tables = tables;
    this.#clock = clock;
    this.#slab = slab;
  }

  /** `at`: a snapshot that was checked; null: the present. */
  get(key: Uint8Array, at: Snapshot | null): Uint8Array | null {
    return this.has(key, at) ? this.#copyValue() : null;
  }

  /** As `get`, without the value. */
  has(key: Uint8Array, at: Snapshot | null): boolean {
    // Not the newest: what is not durable yet could be taken back by a crash after it was read.
    const version = at === null ? this.#write.visibleVersion : at.version;
    return this.#find(key, version) && this.#isLive(at);
  }

  latest(key: Uint8Array): Latest {
    if (!this.#find(key, versionMax)) return { value: null, expiresAtMs: 0, version: 0 };
    const version = readVersion(this.#view, this.#offset);
    if (!this.#isLive(null)) return { value: null, expiresAtMs: 0, version };
    return { value: this.#copyValue(), expiresAtMs: readExpiresAtMs(this.#view, this.#offset), version };
  }

  /** Finds the newest record up to `version`. Every record in memory is newer than every one in tables. */
  #find(key: Uint8Array, version: number): boolean {
    this.getCount++;
    const hash = hashKey(family, key, 0, key.length);
    const { memtables } = this.#write;
    const offset = memtables.find(family, key, version, hash);
    if (offset >= 0) {
      this.#bytes = memtables.foundIn.arena;
      this.#view = memtables.foundIn.view;
      this.#offset = offset;
      return true;
    }
    const found = this.#tables.current.find(family, key, version, hash);
    if (found === null) return false;
    this.#bytes = found.bytes;
    this.#view = found.view;
    this.#offset = found.offset;
    return true;
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
