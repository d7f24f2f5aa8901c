import { assert } from "../core/assert.ts";
import { compareKeys } from "../core/bytes/record.ts";
import type { KeyRange } from "./percolator/command.ts";
import { KeyMap } from "./percolator/key-map.ts";
import type { Lock } from "./percolator/lock.ts";
import { contains } from "./percolator/read.ts";
import type { KeyedLock, View, Write } from "./percolator/view.ts";

/** What an operation between its timestamp and its application keeps others from. */
export interface Claim {
  /** Everything that it reads or writes. */
  readonly keys: readonly Uint8Array[];
  /** Ranges that must not be written below the operation's commit timestamp. */
  readonly reads: readonly KeyRange[];
}

/**
 * What a region's leader knows in memory: all locks (a mirror, kept at apply) and the *claims* of operations that
 * fetch their commit timestamp themselves. An operation claims its keys, then fetches a timestamp, then is proposed.
 * So a read whose timestamp is above the operation's was begun after the claim, and finds it here.
 *
 * Claims of keys do not exclude each other, but those that share a key are proposed in the order of their timestamps:
 * an operation that decides to write nothing leaves nothing by which a later one could see that it came too late.
 * Claims on ranges and writes into them exclude each other.
 */
export class LockTable {
  readonly #locks = new KeyMap<Lock>();
  readonly #claims = new Map<number, Held>();

  /** The locks of a region that starts here or was just installed. */
  load(locks: readonly KeyedLock[]): void {
    for (const { key, lock } of locks) this.#locks.set(key, lock);
  }

  /** What was applied to the region. */
  apply(writes: readonly Write[]): void {
    for (const write of writes) if (write.kind === "lock") this.#locks.set(write.key, write.lock);
  }

  /** `view` with its locks from memory. */
  over(view: View): View {
    return {
      gcFloor: view.gcFloor,
      gcSafePoint: view.gcSafePoint,
      data: (key, versionMax) => view.data(key, versionMax),
      dataIn: (range, versionMax, limit) => view.dataIn(range, versionMax, limit),
      lock: (key) => this.#locks.get(key),
      locksIn: (range, limit) => this.#locks.slice(range, limit).map(([key, lock]) => ({ key, lock })),
      prewritten: (key) => view.prewritten(key),
      record: (key, startTs) => view.record(key, startTs),
      recordBefore: (key, startTs) => view.recordBefore(key, startTs),
      recordsIn: (range, limit) => view.recordsIn(range, limit),
    };
  }

  /** False: something in the way was there first; ask again when a claim was released. */
  claim(token: number, claim: Claim): boolean {
    for (const other of this.#claims.values()) {
      if (writesInto(claim, other) || writesInto(other, claim)) return false;
    }
    this.#claims.set(token, { ...claim, aboveTs: 0, isStamped: false });
    return true;
  }

  /** False: something that shares a key was proposed with a later timestamp; take a new one. */
  stamp(token: number, ts: number): boolean {
    const held = this.#claims.get(token);
    assert(held !== undefined, "a timestamp is for something that was claimed");
    if (ts <= held.aboveTs) return false;
    held.isStamped = true;
    for (const other of this.#claims.values()) {
      if (!other.isStamped && shareKey(held, other)) other.aboveTs = Math.max(other.aboveTs, ts);
    }
    return true;
  }

  /** What was stamped will be stamped again. */
  unstamp(token: number): void {
    const held = this.#claims.get(token);
    if (held !== undefined) held.isStamped = false;
  }

  release(token: number): void {
    this.#claims.delete(token);
  }

  /** The leader is none any more: whatever was claimed is void. */
  clearClaims(): void {
    this.#claims.clear();
  }

  /**
   * Claims that may become versions in `range` at or below a timestamp that exists already. Later claims get later
   * timestamps: a reader waits for these and no others, so it is not starved.
   */
  claimsOn(range: KeyRange): readonly number[] {
    const tokens: number[] = [];
    for (const [token, { keys }] of this.#claims) {
      if (keys.some((key) => contains(range, key))) tokens.push(token);
    }
    return tokens;
  }

  /** Order of keys in the mirror; for comparison with the store. */
  locks(): readonly KeyedLock[] {
    return this.#locks.slice({ start: new Uint8Array(0), end: null }, Infinity).map(([key, lock]) => ({ key, lock }));
  }
}

interface Held extends Claim {
  /** Its timestamp must be above. */
  aboveTs: number;
  isStamped: boolean;
}

function shareKey(a: Claim, b: Claim): boolean {
  return a.keys.some((key) => b.keys.some((other) => compareKeys(key, other) === 0));
}

function writesInto(writer: Claim, reader: Claim): boolean {
  return reader.reads.some(({ start, end }) =>
    writer.keys.some((key) => compareKeys(start, key) <= 0 && (end === null || compareKeys(key, end) < 0)),
  );
}
