// HOT: whatever a command reads comes from here.
import { columnFamily, compareKeys, versionMax } from "../../core/bytes/record.ts";
import type { VersionedEntry, VersionedScan, VersionedStore } from "../../core/engine/versioned-store.ts";
import type { KeyRange } from "../percolator/command.ts";
import { sameKey } from "../percolator/execution.ts";
import { type Lock, decodeLock } from "../percolator/lock.ts";
import {
  type TxnRecord,
  decodeTxnRecord,
  decodeTxnRecordKey,
  txnRecordBound,
  txnRecordKey,
} from "../percolator/txn-record.ts";
import {
  type DataRecord,
  type KeyedData,
  type KeyedLock,
  type KeyedTxnRecord,
  type View,
  successor,
} from "../percolator/view.ts";
import type { GcState } from "./region-state.ts";

/** At most so many records are taken from the engine by one scan. */
const scanMax = 1_024;

/** One region's applied state as it lies in the engine (`docs/adr/0003`). Decoding throws `NOKV_CORRUPTION`. */
export class EngineView implements View {
  gc: GcState;
  readonly #store: VersionedStore;

  constructor(store: VersionedStore, gc: GcState) {
    this.#store = store;
    this.gc = gc;
  }

  get gcFloor(): number {
    return this.gc.floor;
  }

  get gcSafePoint(): number {
    return this.gc.safePoint;
  }

  data(key: Uint8Array, upTo: number): DataRecord | null {
    return this.#store.newest(columnFamily.data, key, upTo);
  }

  dataIn({ start, end }: KeyRange, upTo: number, limit: number): readonly KeyedData[] {
    return this.#scan({ family: columnFamily.data, start, end, versionMax: upTo, limit, live: false });
  }

  lock(key: Uint8Array): Lock | null {
    const found = this.#store.newest(columnFamily.lock, key, versionMax);
    return found === null || found.value === null ? null : decodeLock(found.value);
  }

  locksIn(range: KeyRange, limit: number): readonly KeyedLock[] {
    const locks: KeyedLock[] = [];
    let { start } = range;
    while (locks.length < limit) {
      const wish = this.#live(columnFamily.lock, start, range.end, Math.min(limit - locks.length, scanMax));
      const page = this.#scan(wish);
      for (const { key, value } of page) if (value !== null) locks.push({ key, lock: decodeLock(value) });
      const last = page.at(-1);
      if (last === undefined || page.length < wish.limit) break;
      start = successor(last.key);
    }
    return locks;
  }

  prewritten(key: Uint8Array): Uint8Array | null {
    return this.#store.newest(columnFamily.prewrite, key, versionMax)?.value ?? null;
  }

  record(key: Uint8Array, startTs: number): TxnRecord | null {
    const found = this.#store.newest(columnFamily.txn, txnRecordKey(key, startTs), versionMax);
    return found === null || found.value === null ? null : decodeTxnRecord(found.value);
  }

  recordBefore(key: Uint8Array, startTs: number): KeyedTxnRecord | null {
    if (startTs === 0) return null;
    const start = txnRecordKey(key, startTs - 1);
    const [found] = this.#recordsFrom(start, txnRecordBound(successor(key)), 1);
    return found ?? null;
  }

  recordsIn(range: KeyRange, limit: number): readonly KeyedTxnRecord[] {
    const end = range.end === null ? null : txnRecordBound(range.end);
    const records: KeyedTxnRecord[] = [];
    let start = txnRecordBound(range.start);
    const pageMax = Math.min(limit + 1, scanMax);
    for (;;) {
      const page = this.#recordsFrom(start, end, pageMax);
      for (const record of page) {
        const last = records.at(-1);
        if (last !== undefined && records.length >= limit && !sameKey(last.key, record.key)) return records;
        records.push(record);
      }
      const last = page.at(-1);
      if (last === undefined || page.length < pageMax) return records;
      start = successor(txnRecordKey(last.key, last.startTs));
    }
  }

  #recordsFrom(start: Uint8Array, end: Uint8Array | null, limit: number): KeyedTxnRecord[] {
    const records: KeyedTxnRecord[] = [];
    for (const { key, value } of this.#scan(this.#live(columnFamily.txn, start, end, limit))) {
      if (value !== null) records.push({ ...decodeTxnRecordKey(key), record: decodeTxnRecord(value) });
    }
    return records;
  }

  /** A walk may ask for what is right after the last key of its range. */
  #scan(wish: VersionedScan): VersionedEntry[] {
    if (wish.end !== null && compareKeys(wish.start, wish.end) >= 0) return [];
    return this.#store.scan(wish);
  }

  // oxlint-disable-next-line max-params
  #live(family: number, start: Uint8Array, end: Uint8Array | null, limit: number): VersionedScan {
    return { family, start, end, versionMax, limit, live: true };
  }
}
