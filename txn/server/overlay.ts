// HOT: whatever commands of one run of entries read and write passes here.
import { unreachable } from "../../core/assert.ts";
import { columnFamily } from "../../core/bytes/record.ts";
import type { VersionedBatch } from "../../core/engine/versioned-batch.ts";
import type { VersionedStore } from "../../core/engine/versioned-store.ts";
import type { KeyRange } from "../percolator/command.ts";
import { sameKey } from "../percolator/execution.ts";
import { KeyMap } from "../percolator/key-map.ts";
import { type Lock, encodeLock } from "../percolator/lock.ts";
import {
  type TxnRecord,
  decodeTxnRecordKey,
  encodeTxnRecord,
  txnRecordBound,
  txnRecordKey,
} from "../percolator/txn-record.ts";
import {
  type DataRecord,
  type KeyedData,
  type KeyedLock,
  type KeyedTxnRecord,
  type View,
  type Write,
  successor,
} from "../percolator/view.ts";
import { mergeByKey } from "./merge-by-key.ts";

/** What a key is here; null: it is there no more. */
interface Newest<T> {
  value: T | null;
  /** Below this overlay there was one. */
  readonly wasThere: boolean;
}

const everything: KeyRange = { start: new Uint8Array(0), end: null };

/**
 * A state with writes on top that are in no store yet: commands of one run see what those before them did. Writes go
 * into a batch of the engine together, of a key that was written more than once only the last state, in `data` every
 * version. Versions of `data` are above all that were there before: so an overlay's are newer than its base's.
 */
export class Overlay implements View {
  readonly #base: View;
  /** Of each key the oldest first. */
  readonly #data = new KeyMap<DataRecord[]>();
  readonly #locks = new KeyMap<Newest<Lock>>();
  readonly #prewritten = new KeyMap<Newest<Uint8Array>>();
  /** By the keys of records. */
  readonly #records = new KeyMap<Newest<TxnRecord>>();
  #gcFloor: number;
  #gcSafePoint: number;

  constructor(base: View) {
    this.#base = base;
    this.#gcFloor = base.gcFloor;
    this.#gcSafePoint = base.gcSafePoint;
  }

  get gcFloor(): number {
    return this.#gcFloor;
  }

  get gcSafePoint(): number {
    return this.#gcSafePoint;
  }

  data(key: Uint8Array, versionMax: number): DataRecord | null {
    const versions = this.#data.get(key);
    return (versions === null ? null : newestUpTo(versions, versionMax)) ?? this.#base.data(key, versionMax);
  }

  dataIn(range: KeyRange, versionMax: number, limit: number): readonly KeyedData[] {
    const below = this.#base.dataIn(range, versionMax, limit);
    const above: KeyedData[] = [];
    for (const [key, versions] of this.#data.slice(range, Infinity)) {
      const newest = newestUpTo(versions, versionMax);
      if (newest !== null) above.push({ key, ...newest });
    }
    return above.length === 0 ? below : mergeByKey(below, above, limit);
  }

  lock(key: Uint8Array): Lock | null {
    const here = this.#locks.get(key);
    return here === null ? this.#base.lock(key) : here.value;
  }

  locksIn(range: KeyRange, limit: number): readonly KeyedLock[] {
    const here = this.#locks.slice(range, Infinity);
    // Each may remove one: enough is left all the same.
    const below = this.#base.locksIn(range, limit + here.length);
    if (here.length === 0) return below;
    const kept = below.filter(({ key }) => this.#locks.get(key) === null);
    const above = here.flatMap(([key, { value: lock }]) => (lock === null ? [] : [{ key, lock }]));
    return mergeByKey(kept, above, limit);
  }

  prewritten(key: Uint8Array): Uint8Array | null {
    const here = this.#prewritten.get(key);
    return here === null ? this.#base.prewritten(key) : here.value;
  }

  record(key: Uint8Array, startTs: number): TxnRecord | null {
    const here = this.#records.get(txnRecordKey(key, startTs));
    return here === null ? this.#base.record(key, startTs) : here.value;
  }

  recordBefore(key: Uint8Array, startTs: number): KeyedTxnRecord | null {
    if (startTs === 0) return null;
    const range = { start: txnRecordKey(key, startTs - 1), end: txnRecordBound(successor(key)) };
    const here = this.#records.slice(range, Infinity).find(([, { value }]) => value !== null);
    let below = this.#base.recordBefore(key, startTs);
    while (below !== null && this.#records.get(txnRecordKey(key, below.startTs)) !== null) {
      below = this.#base.recordBefore(key, below.startTs);
    }
    if (here === undefined) return below;
    const above = { ...decodeTxnRecordKey(here[0]), record: here[1].value as TxnRecord };
    return below !== null && below.startTs > above.startTs ? below : above;
  }

  recordsIn(range: KeyRange, limit: number): readonly KeyedTxnRecord[] {
    const names = {
      start: txnRecordBound(range.start),
      end: range.end === null ? null : txnRecordBound(range.end),
    };
    const here = this.#records.slice(names, Infinity);
    const below = this.#base.recordsIn(range, limit + here.length);
    if (here.length === 0) return below;
    const named = below
      .map((record) => ({ name: txnRecordKey(record.key, record.startTs), record }))
      .filter(({ name }) => this.#records.get(name) === null)
      .map(({ name, record }) => ({ key: name, record }));
    const above = here.flatMap(([name, { value: record }]) =>
      record === null ? [] : [{ key: name, record: { ...decodeTxnRecordKey(name), record } }],
    );
    const merged = mergeByKey(named, above, Infinity).map(({ record }) => record);
    let count = Math.min(limit, merged.length);
    while (count < merged.length && sameKey(keyAt(merged, count), keyAt(merged, count - 1))) count++;
    return merged.slice(0, count);
  }

  apply(writes: readonly Write[]): void {
    for (let i = 0; i < writes.length; i++) this.#applyOne(writes[i] as Write);
  }

  #applyOne(write: Write): void {
    switch (write.kind) {
      case "data": {
        const { key, version, value, expiresAtMs } = write;
        const versions = this.#data.get(key);
        if (versions === null) this.#data.set(key, [{ version, value, expiresAtMs }]);
        else versions.push({ version, value, expiresAtMs });
        return;
      }
      case "lock":
        return this.#put(this.#locks, write.key, write.lock, () => this.#base.lock(write.key) !== null);
      case "prewritten":
        // A value waits under a lock and nowhere else.
        return this.#put(this.#prewritten, write.key, write.value, () => this.#base.lock(write.key) !== null);
      case "record":
        return this.#put(this.#records, txnRecordKey(write.key, write.startTs), write.record, () => true);
      case "gc-floor":
        this.#gcFloor = write.ts;
        return;
      case "gc-safe-point":
        this.#gcSafePoint = write.ts;
        return;
      default:
        return unreachable(write);
    }
  }

  // oxlint-disable-next-line max-params
  #put<T>(map: KeyMap<Newest<T>>, key: Uint8Array, value: T | null, wasThere: () => boolean): void {
    const here = map.get(key);
    if (here === null) map.set(key, { value, wasThere: wasThere() });
    else here.value = value;
  }

  /** Every write that counts, by families and keys; versions of all families but `data` are the store's own. */
  flush(batch: VersionedBatch, store: VersionedStore): void {
    for (const [key, versions] of this.#data.slice(everything, Infinity)) {
      for (const { version, value, expiresAtMs } of versions) {
        if (value === null) batch.delete(columnFamily.data, key, version);
        else batch.set(columnFamily.data, key, version, value, expiresAtMs);
      }
    }
    const put = <T>(family: number, map: KeyMap<Newest<T>>, encode: (value: T) => Uint8Array): void => {
      for (const [key, { value, wasThere }] of map.slice(everything, Infinity)) {
        if (value !== null) batch.set(family, key, store.nextVersion(), encode(value));
        else if (wasThere) batch.delete(family, key, store.nextVersion());
      }
    };
    put(columnFamily.lock, this.#locks, encodeLock);
    put(columnFamily.txn, this.#records, encodeTxnRecord);
    put(columnFamily.prewrite, this.#prewritten, (value) => value);
  }
}

function keyAt(records: readonly KeyedTxnRecord[], at: number): Uint8Array {
  return (records[at] as KeyedTxnRecord).key;
}

function newestUpTo(versions: readonly DataRecord[], versionMax: number): DataRecord | null {
  for (let i = versions.length - 1; i >= 0; i--) {
    const data = versions[i] as DataRecord;
    if (data.version <= versionMax) return data;
  }
  return null;
}
