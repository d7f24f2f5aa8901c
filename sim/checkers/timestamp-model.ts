import { compareKeys } from "../../core/bytes/record.ts";
import { type Conditions, evaluate, keysRead } from "../../core/kv/evaluate.ts";
import type { KvEntry, Mutation, Outcome } from "../../core/kv/kv.ts";
import { versionMs } from "../../core/lsm/drop-rules.ts";

/** A version that some replica wrote. */
export interface ObservedWrite {
  readonly key: string;
  readonly version: number;
  readonly value: string | null;
  readonly expiresAtMs: number;
}

export interface ObservedRead {
  readonly key: string;
  readonly value: string | null;
}

export interface ObservedScan {
  readonly start: string;
  /** Null: to the last key. */
  readonly end: string | null;
  readonly limit: number;
  readonly entries: readonly (readonly [string, string])[];
}

/** What a client knows of one of its transactions. Reads are those of the store, own writes not among them. */
export interface TxnLog {
  readonly name: string;
  readonly serializable: boolean;
  readonly calledUs: number;
  returnedUs: number;
  startTs: number;
  readonly reads: ObservedRead[];
  readonly scans: ObservedScan[];
  /** Each transaction that writes puts at least one value that nobody else puts. */
  readonly writes: Map<string, string | null>;
  readonly locked: Set<string>;
  outcome: "committed" | "aborted" | "unknown";
  commitTs: number;
  /** Why it was aborted, if a region said so. */
  refusal: string | null;
}

/** Of a transaction that begins now. */
export function beganTxn(name: string, serializable: boolean, calledUs: number): TxnLog {
  return {
    name, serializable, calledUs, returnedUs: Infinity, startTs: 0, reads: [], scans: [], writes: new Map(),
    locked: new Set(), outcome: "aborted", commitTs: 0, refusal: null,
  };
}

export interface AtomicLog {
  readonly name: string;
  readonly calledUs: number;
  returnedUs: number;
  opId: number;
  readonly mutation: Mutation;
  readonly valueBytesMax: number;
  outcome: "decided" | "none" | "unknown";
  commitTs: number;
  result: Outcome | null;
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/**
 * Transactions against their timestamps, exactly: each reads the state at its start, all its writes are at its commit
 * timestamp or none is anywhere, nobody else writes what it writes in between, and of a serializable one nothing that
 * it read changes in between. Atomic operations happen at their timestamp. What was answered before something else was
 * called is before it in timestamps too.
 */
export class TimestampModel {
  readonly #versions = new Map<string, ObservedWrite[]>();
  readonly #written: ObservedWrite[] = [];
  readonly #atomicCommits = new Map<number, number>();

  observe(write: ObservedWrite): void {
    this.#written.push(write);
    const versions = this.#versions.get(write.key) ?? [];
    versions.push(write);
    this.#versions.set(write.key, versions);
  }

  /** An atomic operation was applied at `commitTs`. */
  observeAtomic(opId: number, commitTs: number): void {
    if (!this.#atomicCommits.has(opId)) this.#atomicCommits.set(opId, commitTs);
  }

  get writeCount(): number {
    return this.#written.length;
  }

  /** Null: nothing wrong; else what is. */
  judge(txns: readonly TxnLog[], atomics: readonly AtomicLog[]): string | null {
    for (const versions of this.#versions.values()) versions.sort((a, b) => a.version - b.version);
    const committed = new Map<TxnLog, number>();
    for (const txn of txns) {
      const found = this.#commitOf(txn);
      if (typeof found === "string") return found;
      if (found > 0) committed.set(txn, found);
    }
    const operations = new Map<AtomicLog, number>();
    for (const atomic of atomics) {
      const commitTs = this.#operationOf(atomic);
      if (typeof commitTs === "string") return commitTs;
      if (commitTs > 0) operations.set(atomic, commitTs);
    }
    return (
      this.#strangers(committed, operations) ??
      this.#firstWrong(txns, (txn) => this.#reads(txn)) ??
      this.#firstWrong([...committed], ([txn, commitTs]) => this.#interval(txn, commitTs)) ??
      this.#firstWrong([...operations], ([atomic, commitTs]) => this.#operation(atomic, commitTs)) ??
      realTime(spansOf(committed, operations, txns))
    );
  }

  #firstWrong<T>(items: readonly T[], check: (item: T) => string | null): string | null {
    for (const item of items) {
      const wrong = check(item);
      if (wrong !== null) return wrong;
    }
    return null;
  }

  /** The commit timestamp of what was committed, 0 of what was not, text for what is neither. */
  #commitOf(txn: TxnLog): number | string {
    const { name, writes, outcome } = txn;
    if (writes.size === 0) return 0;
    const commitTs = outcome === "committed" ? txn.commitTs : this.#findCommit(writes);
    if (commitTs === 0) return 0;
    if (outcome === "aborted") return `${name} was aborted, and what it wrote is there at ${commitTs}`;
    for (const [key, value] of writes) {
      const found = this.#at(key, commitTs);
      if (found === null || found.version !== commitTs || found.value !== value) {
        const expected = value ?? "deleted";
        return `${name} committed at ${commitTs} (${outcome}), but ${key} there is ${say(found)}, not ${expected}`;
      }
    }
    return commitTs;
  }

  #findCommit(writes: ReadonlyMap<string, string | null>): number {
    for (const [key, value] of writes) {
      const found = this.#versions.get(key)?.find((write) => value !== null && write.value === value);
      if (found !== undefined) return found.version;
    }
    return 0;
  }

  #operationOf({ name, outcome, opId, commitTs }: AtomicLog): number | string {
    const applied = this.#atomicCommits.get(opId) ?? 0;
    if (outcome === "none" && applied !== 0) return `${name} was said not to have happened, and did at ${applied}`;
    if (outcome === "decided" && applied !== commitTs) {
      return `${name} was said to have happened at ${commitTs}, and did at ${applied}`;
    }
    return applied;
  }

  /** Versions that no transaction and no operation explains. */
  #strangers(txns: ReadonlyMap<TxnLog, number>, operations: ReadonlyMap<AtomicLog, number>): string | null {
    const known = new Set<string>();
    for (const [{ writes }, commitTs] of txns) for (const key of writes.keys()) known.add(`${key} ${commitTs}`);
    const atomicTs = new Set(operations.values());
    const seen = new Set<string>();
    for (const { key, version, value } of this.#written) {
      const place = `${key} ${version}`;
      if (seen.has(place)) return `${key} was written twice at ${version}`;
      seen.add(place);
      if (known.has(place) || atomicTs.has(version)) continue;
      return `${key} = ${value ?? "deleted"} at ${version} is nobody's`;
    }
    return null;
  }

  #reads({ name, startTs, reads, scans }: TxnLog): string | null {
    for (const { key, value } of reads) {
      const expected = this.#valueAt(key, startTs);
      if (expected === value) continue;
      return `${name} read ${key} = ${value ?? "none"} at ${startTs}, expected ${expected ?? "none"}`;
    }
    for (const scan of scans) {
      const expected = this.#scanAt(scan, startTs);
      const [seen, right] = [JSON.stringify(scan.entries), JSON.stringify(expected)];
      if (seen !== right) return `${name} scanned ${scan.start} at ${startTs}: ${seen}, expected ${right}`;
    }
    return null;
  }

  #interval(txn: TxnLog, commitTs: number): string | null {
    const { name, startTs, writes, locked, serializable, reads, scans } = txn;
    for (const key of [...writes.keys(), ...locked]) {
      const between = this.#between(key, startTs, commitTs);
      if (between !== null) {
        return `${name} (${startTs} to ${commitTs}) wrote or locked ${key}, which ${say(between)} changed in between`;
      }
    }
    if (!serializable) return null;
    const before = commitTs - 1;
    for (const { key } of reads) {
      const between = this.#between(key, startTs, commitTs);
      if (between !== null) return `${name} (${startTs} to ${commitTs}) read ${key}, which ${say(between)} changed`;
      if (this.#valueAt(key, startTs) !== this.#valueAt(key, before)) return `${name} read ${key}, which expired`;
    }
    for (const scan of scans) {
      const then = JSON.stringify(this.#scanAt(scan, startTs));
      const now = JSON.stringify(this.#scanAt(scan, before));
      if (then !== now) return `${name} (${startTs} to ${commitTs}) scanned ${scan.start}: ${then}, later ${now}`;
    }
    return null;
  }

  #operation(atomic: AtomicLog, commitTs: number): string | null {
    const { name, mutation, valueBytesMax, opId } = atomic;
    const conditions: Conditions = { nowMs: versionMs(commitTs), valueBytesMax };
    const present = keysRead(mutation).map((key) => this.#entryAt(decoder.decode(key), commitTs - 1, commitTs));
    const { outcome, writes } = evaluate(mutation, present, conditions);
    if (commitTs <= opId) return `${name} (${opId}) happened at ${commitTs}, before it was asked for`;
    for (const key of new Set(writes.map((write) => decoder.decode(write.key)))) {
      const last = writes.findLast((write) => decoder.decode(write.key) === key);
      const found = this.#at(key, commitTs);
      const value = last === undefined || last.value === null ? null : decoder.decode(last.value);
      if (found === null || found.version !== commitTs || found.value !== value) {
        return `${name} at ${commitTs} should have made ${key} ${value ?? "deleted"}, there is ${say(found)}`;
      }
    }
    if (atomic.outcome === "decided" && tell(atomic.result) !== tell(outcome)) {
      return `${name} at ${commitTs} answered ${tell(atomic.result)}, expected ${tell(outcome)}`;
    }
    return null;
  }

  #at(key: string, ts: number): ObservedWrite | null {
    return this.#versions.get(key)?.findLast(({ version }) => version <= ts) ?? null;
  }

  #between(key: string, after: number, before: number): ObservedWrite | null {
    return this.#versions.get(key)?.find(({ version }) => version > after && version < before) ?? null;
  }

  #entryAt(key: string, ts: number, nowTs: number): KvEntry | null {
    const found = this.#at(key, ts);
    if (found === null || found.value === null) return null;
    if (found.expiresAtMs !== 0 && found.expiresAtMs <= versionMs(nowTs)) return null;
    return { value: encoder.encode(found.value), expiresAtMs: found.expiresAtMs };
  }

  #valueAt(key: string, ts: number): string | null {
    const entry = this.#entryAt(key, ts, ts);
    return entry === null ? null : decoder.decode(entry.value);
  }

  #scanAt({ start, end, limit }: ObservedScan, ts: number): readonly (readonly [string, string])[] {
    const keys = [...this.#versions.keys()].filter((key) => key >= start && (end === null || key < end));
    const found = keys.sort((a, b) => compareKeys(encoder.encode(a), encoder.encode(b))).flatMap((key) => {
      const value = this.#valueAt(key, ts);
      return value === null ? [] : [[key, value] as const];
    });
    return found.slice(0, limit);
  }
}

interface Span {
  readonly name: string;
  readonly calledUs: number;
  readonly returnedUs: number;
  readonly firstTs: number;
  readonly lastTs: number;
}

/** Of what has certainly come to its end, and of what only read. */
function spansOf(
  txns: ReadonlyMap<TxnLog, number>,
  operations: ReadonlyMap<AtomicLog, number>,
  all: readonly TxnLog[],
): Span[] {
  const spans: Span[] = [];
  for (const txn of all) {
    const { name, calledUs, returnedUs, startTs, outcome } = txn;
    if (startTs === 0) continue;
    const isOver = outcome === "committed";
    spans.push({
      name,
      calledUs,
      returnedUs: isOver ? returnedUs : Infinity,
      firstTs: startTs,
      lastTs: txns.get(txn) ?? startTs,
    });
  }
  // All of an operation happens at one instant. Its id is but a name, which may have been taken long before.
  for (const [{ name, calledUs, returnedUs, outcome }, commitTs] of operations) {
    const isOver = outcome === "decided";
    spans.push({ name, calledUs, returnedUs: isOver ? returnedUs : Infinity, firstTs: commitTs, lastTs: commitTs });
  }
  return spans;
}

function realTime(spans: readonly Span[]): string | null {
  const byCall = spans.toSorted((a, b) => a.calledUs - b.calledUs);
  const over = spans.filter(({ returnedUs }) => returnedUs < Infinity);
  const byReturn = over.toSorted((a, b) => a.returnedUs - b.returnedUs);
  let newest: Span | null = null;
  let next = 0;
  for (const span of byCall) {
    for (let last = byReturn[next]; last !== undefined && last.returnedUs < span.calledUs; last = byReturn[++next]) {
      if (newest === null || last.lastTs > newest.lastTs) newest = last;
    }
    if (newest !== null && newest.lastTs >= span.firstTs) {
      const { name, firstTs } = span;
      return `${newest.name} was over at ${newest.lastTs} before ${name} was called, which began at ${firstTs}`;
    }
  }
  return null;
}

function say(write: ObservedWrite | null): string {
  return write === null ? "nothing" : `${write.value ?? "deleted"} at ${write.version}`;
}

function tell(outcome: Outcome | null): string {
  if (outcome === null) return "nothing";
  const { applied, rejected, previous, count, integer } = outcome;
  const before = previous === null ? "none" : `${decoder.decode(previous.value)} until ${previous.expiresAtMs}`;
  return `applied ${applied}, rejected ${rejected ?? "no"}, previous ${before}, count ${count}, integer ${integer}`;
}
