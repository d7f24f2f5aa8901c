// HOT: every operation of one region passes here, and every read looks here first.
import { assert } from "../core/assert.ts";
import type { KeyRange } from "./percolator/command.ts";
import { KeyMap } from "./percolator/key-map.ts";
import type { Lock } from "./percolator/lock.ts";
import { contains } from "./percolator/read.ts";
import type { TxnRecord } from "./percolator/txn-record.ts";
import type { DataRecord, KeyedData, KeyedLock, KeyedTxnRecord, View, Write } from "./percolator/view.ts";

/** What an operation between its timestamp and its application keeps others from. */
export interface Claim {
  /** Everything that it reads or writes. */
  readonly keys: readonly Uint8Array[];
  /** Ranges that must not be written below the operation's commit timestamp. */
  readonly reads: readonly KeyRange[];
}

interface Held extends Claim {
  /** Claims are counted: a later one has a larger number. */
  readonly order: number;
}

/** The claims of one key that are not released. */
interface KeyClaims {
  /** Their orders, ascending. */
  readonly orders: Set<number>;
  /** What was stamped while this key was claimed without a break; what is stamped later must be above. */
  stampedTs: number;
}

/**
 * What a region's leader knows in memory: all locks (a mirror, kept at apply) and the *claims* of operations that
 * fetch their commit timestamp themselves. An operation claims its keys, then fetches a timestamp, then is proposed.
 * So a read whose timestamp is above the operation's was begun after the claim, and finds it here.
 *
 * Claims of keys do not exclude each other, but those that share a key are proposed in the order of their timestamps:
 * an operation that decides to write nothing leaves nothing by which a later one could see that it came too late. Any
 * number of them may share an entry of the log. Claims on ranges and writes into them exclude each other.
 */
export class LockTable {
  readonly #locks = new KeyMap<Lock>();
  readonly #claims = new Map<number, Held>();
  readonly #keys = new KeyMap<KeyClaims>();
  /** Of the claims, those that have read ranges. */
  readonly #readers = new Map<number, Held>();
  #lastOrder = 0;

  /** The locks of a region that starts here, was just installed, or has another range than before. */
  load(locks: readonly KeyedLock[]): void {
    this.#locks.clear();
    for (const { key, lock } of locks) this.#locks.set(key, lock);
  }

  /** What was applied to the region. */
  apply(writes: readonly Write[]): void {
    for (const write of writes) if (write.kind === "lock") this.#locks.set(write.key, owned(write.lock));
  }

  /** `view` with its locks from memory. */
  over(view: View): View {
    return new MirroredView(view, this.#locks);
  }

  /** False: something in the way was there first; ask again when a claim was released. */
  claim(token: number, { keys, reads }: Claim): boolean {
    for (const reader of this.#readers.values()) if (isWrittenBy(reader, keys)) return false;
    for (const range of reads) if (this.#keys.slice(range, 1).length > 0) return false;
    const held: Held = { keys, reads, order: ++this.#lastOrder };
    this.#claims.set(token, held);
    if (reads.length > 0) this.#readers.set(token, held);
    for (const key of keys) {
      const claims = this.#keys.get(key);
      if (claims === null) this.#keys.set(key, { orders: new Set([held.order]), stampedTs: 0 });
      else claims.orders.add(held.order);
    }
    return true;
  }

  /** False: something that shares a key was proposed with a later timestamp; take a new one. */
  stamp(token: number, ts: number): boolean {
    const held = this.#claims.get(token);
    assert(held !== undefined, "a timestamp is for something that was claimed");
    for (const key of held.keys) if (ts <= this.#claimsOf(key).stampedTs) return false;
    for (const key of held.keys) this.#claimsOf(key).stampedTs = ts;
    return true;
  }

  release(token: number): void {
    const held = this.#claims.get(token);
    if (held === undefined) return;
    this.#claims.delete(token);
    this.#readers.delete(token);
    for (const key of held.keys) {
      const claims = this.#keys.get(key);
      // A key that is named twice is gone with its first mention.
      if (claims === null) continue;
      claims.orders.delete(held.order);
      if (claims.orders.size === 0) this.#keys.set(key, null);
    }
  }

  /** The leader is none any more: whatever was claimed is void. */
  clearClaims(): void {
    this.#claims.clear();
    this.#readers.clear();
    this.#keys.clear();
  }

  /** The order of the last claim. */
  get lastOrder(): number {
    return this.#lastOrder;
  }

  /**
   * Whether a claim up to `order` may yet become a version in `range`. Later claims get later timestamps than any that
   * exists by now: a reader waits for those that it found when it came and no others, so it is not starved.
   */
  isClaimed(range: KeyRange, order: number): boolean {
    return this.#keys.slice(range, Infinity).some(([, { orders }]) => oldest(orders) <= order);
  }

  /** Claims that are not released. */
  get claimCount(): number {
    return this.#claims.size;
  }

  /** Order of keys in the mirror; for comparison with the store. */
  locks(): readonly KeyedLock[] {
    return this.#locks.slice({ start: new Uint8Array(0), end: null }, Infinity).map(([key, lock]) => ({ key, lock }));
  }

  #claimsOf(key: Uint8Array): KeyClaims {
    const claims = this.#keys.get(key);
    assert(claims !== null, "a key that is held has claims");
    return claims;
  }
}

/** What was decoded borrows the entry that it came in, which would then live as long as the lock. */
function owned(lock: Lock | null): Lock | null {
  if (lock === null) return null;
  return { ...lock, primary: lock.primary.slice(), value: lock.value === null ? null : lock.value.slice() };
}

function oldest(orders: ReadonlySet<number>): number {
  for (const order of orders) return order;
  return Infinity;
}

function isWrittenBy(reader: Claim, keys: readonly Uint8Array[]): boolean {
  return reader.reads.some((range) => keys.some((key) => contains(range, key)));
}

class MirroredView implements View {
  readonly #view: View;
  readonly #locks: KeyMap<Lock>;

  constructor(view: View, locks: KeyMap<Lock>) {
    this.#view = view;
    this.#locks = locks;
  }

  get gcFloor(): number {
    return this.#view.gcFloor;
  }

  get gcSafePoint(): number {
    return this.#view.gcSafePoint;
  }

  data(key: Uint8Array, versionMax: number): DataRecord | null {
    return this.#view.data(key, versionMax);
  }

  dataIn(range: KeyRange, versionMax: number, limit: number): readonly KeyedData[] {
    return this.#view.dataIn(range, versionMax, limit);
  }

  lock(key: Uint8Array): Lock | null {
    return this.#locks.get(key);
  }

  locksIn(range: KeyRange, limit: number): readonly KeyedLock[] {
    return this.#locks.slice(range, limit).map(([key, lock]) => ({ key, lock }));
  }

  prewritten(key: Uint8Array): Uint8Array | null {
    return this.#view.prewritten(key);
  }

  record(key: Uint8Array, startTs: number): TxnRecord | null {
    return this.#view.record(key, startTs);
  }

  recordBefore(key: Uint8Array, startTs: number): KeyedTxnRecord | null {
    return this.#view.recordBefore(key, startTs);
  }

  recordsIn(range: KeyRange, limit: number): readonly KeyedTxnRecord[] {
    return this.#view.recordsIn(range, limit);
  }
}
