import { assert, unreachable } from "../../core/assert.ts";
import type { KeyRange } from "./command.ts";
import { sameKey } from "./execution.ts";
import { keptVersions } from "./gc.ts";
import { KeyMap } from "./key-map.ts";
import { type Lock, decodeLock, encodeLock } from "./lock.ts";
import {
  type TxnRecord,
  decodeTxnRecord,
  decodeTxnRecordKey,
  encodeTxnRecord,
  txnRecordBound,
  txnRecordKey,
} from "./txn-record.ts";
import type { DataRecord, KeyedData, KeyedLock, KeyedTxnRecord, View, Write } from "./view.ts";

const everything: KeyRange = { start: new Uint8Array(0), end: null };

/** The four families in memory, with the bytes they have on disk: for tests and models. */
export class MemoryStore implements View {
  gcFloor = 0;
  gcSafePoint = 0;
  /** Per key the newest version first. */
  readonly #data = new KeyMap<readonly DataRecord[]>();
  readonly #locks = new KeyMap<Uint8Array>();
  readonly #records = new KeyMap<Uint8Array>();
  readonly #prewritten = new KeyMap<Uint8Array>();

  data(key: Uint8Array, versionMax: number): DataRecord | null {
    return newestUpTo(this.#data.get(key) ?? [], versionMax);
  }

  dataIn(range: KeyRange, versionMax: number, limit: number): readonly KeyedData[] {
    const found: KeyedData[] = [];
    for (const [key, versions] of this.#data.slice(range, Infinity)) {
      const data = newestUpTo(versions, versionMax);
      if (data !== null) found.push({ key, ...data });
      if (found.length === limit) break;
    }
    return found;
  }

  lock(key: Uint8Array): Lock | null {
    const bytes = this.#locks.get(key);
    return bytes === null ? null : decodeLock(bytes);
  }

  locksIn(range: KeyRange, limit: number): readonly KeyedLock[] {
    return this.#locks.slice(range, limit).map(([key, bytes]) => ({ key, lock: decodeLock(bytes) }));
  }

  prewritten(key: Uint8Array): Uint8Array | null {
    return this.#prewritten.get(key);
  }

  record(key: Uint8Array, startTs: number): TxnRecord | null {
    const bytes = this.#records.get(txnRecordKey(key, startTs));
    return bytes === null ? null : decodeTxnRecord(bytes);
  }

  recordBefore(key: Uint8Array, startTs: number): KeyedTxnRecord | null {
    if (startTs === 0) return null;
    const range = { start: txnRecordKey(key, startTs - 1), end: null };
    const [found] = this.#records.slice(range, 1).map(([name, bytes]) => keyed(name, bytes));
    return found !== undefined && sameKey(found.key, key) ? found : null;
  }

  recordsIn(range: KeyRange, limit: number): readonly KeyedTxnRecord[] {
    const end = range.end === null ? null : txnRecordBound(range.end);
    const found: KeyedTxnRecord[] = [];
    for (const [name, bytes] of this.#records.slice({ start: txnRecordBound(range.start), end }, Infinity)) {
      const record = keyed(name, bytes);
      const last = found.at(-1);
      if (found.length >= limit && last !== undefined && !sameKey(last.key, record.key)) break;
      found.push(record);
    }
    return found;
  }

  apply(writes: readonly Write[]): void {
    for (const write of writes) this.#applyOne(write);
  }

  #applyOne(write: Write): void {
    switch (write.kind) {
      case "data": {
        const { key, version, value, expiresAtMs } = write;
        const versions = this.#data.get(key) ?? [];
        assert(version > (versions[0]?.version ?? 0), "versions of a key only grow");
        this.#data.set(key, [{ version, value, expiresAtMs }, ...versions]);
        return;
      }
      case "lock":
        return this.#locks.set(write.key, write.lock === null ? null : encodeLock(write.lock));
      case "prewritten":
        return this.#prewritten.set(write.key, write.value === null ? null : write.value.slice());
      case "record": {
        const { key, startTs, record } = write;
        return this.#records.set(txnRecordKey(key, startTs), record === null ? null : encodeTxnRecord(record));
      }
      case "gc-floor":
        this.gcFloor = write.ts;
        return;
      case "gc-safe-point":
        this.gcSafePoint = write.ts;
        return;
      default:
        return unreachable(write);
    }
  }

  /** What merges do to family `data` when nobody reads `range` below the safe point any more. */
  compact(range: KeyRange, safePoint: number): void {
    for (const [key, versions] of this.#data.slice(range, Infinity)) {
      const kept = keptVersions(versions, safePoint);
      this.#data.set(key, kept.length === 0 ? null : kept);
    }
  }

  /** All versions of all keys, the newest of a key first. */
  versions(): readonly KeyedData[] {
    return this.#data.slice(everything, Infinity).flatMap(([key, list]) => list.map((data) => ({ key, ...data })));
  }

  get lockCount(): number {
    return this.#locks.size;
  }

  get prewrittenCount(): number {
    return this.#prewritten.size;
  }

  get recordCount(): number {
    return this.#records.size;
  }
}

function newestUpTo(versions: readonly DataRecord[], versionMax: number): DataRecord | null {
  return versions.find(({ version }) => version <= versionMax) ?? null;
}

function keyed(name: Uint8Array, bytes: Uint8Array): KeyedTxnRecord {
  return { ...decodeTxnRecordKey(name), record: decodeTxnRecord(bytes) };
}
