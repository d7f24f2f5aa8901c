import { show } from "./text.ts";

/**
 * The durability ledger of keys that are only put, deleted and read, every value unique: what was
 * acknowledged is there, what was deleted stays away, what was never written or definitely refused is never
 * seen. It proves less than linearizability, in linear time, and says more about what went wrong.
 */
export class Ledger {
  readonly #keys = new Map<string, KeyLedger>();

  /** `value` null: a delete. Returns the entry to settle when the outcome is known. */
  begin(key: string, value: string | null, calledUs: number): LedgerWrite {
    const write = new LedgerWrite(value, calledUs);
    this.#of(key).writes.push(write);
    return write;
  }

  /** Judges one read. Null: nothing wrong; else what is. */
  observe(key: string, value: string | null, calledUs: number, returnedUs: number): string | null {
    const { writes } = this.#of(key);
    const problem =
      value === null
        ? judgeAbsence(writes, calledUs, returnedUs)
        : judgeValue(writes, value, { calledUs, returnedUs });
    return problem === null ? null : `key ${show(key)}: ${problem}`;
  }

  #of(key: string): KeyLedger {
    let ledger = this.#keys.get(key);
    if (ledger === undefined) {
      ledger = { writes: [] };
      this.#keys.set(key, ledger);
    }
    return ledger;
  }
}

interface KeyLedger {
  readonly writes: LedgerWrite[];
}

interface Interval {
  readonly calledUs: number;
  readonly returnedUs: number;
}

/** "pending" is unknown without a bound. */
export type LedgerOutcome = "pending" | "acknowledged" | "unknown" | "refused";

export class LedgerWrite {
  readonly value: string | null;
  readonly calledUs: number;
  #outcome: LedgerOutcome = "pending";
  #returnedUs = Infinity;

  constructor(value: string | null, calledUs: number) {
    this.value = value;
    this.calledUs = calledUs;
  }

  get outcome(): LedgerOutcome {
    return this.#outcome;
  }

  /** Effect happens, if it does, no later than this. */
  get returnedUs(): number {
    return this.#returnedUs;
  }

  acknowledge(atUs: number): void {
    this.#settle("acknowledged", atUs);
  }

  /** May have happened, and if so before `untilUs`. */
  giveUp(untilUs: number): void {
    this.#settle("unknown", untilUs);
  }

  /** A definite error, or a condition that did not hold: it must never be seen. */
  refuse(atUs: number): void {
    this.#settle("refused", atUs);
  }

  #settle(outcome: LedgerOutcome, atUs: number): void {
    if (this.#outcome !== "pending") return;
    this.#outcome = outcome;
    this.#returnedUs = atUs;
  }
}

function judgeValue(
  writes: readonly LedgerWrite[],
  value: string,
  read: Interval,
): string | null {
  const source = writes.find((write) => write.value === value);
  if (source === undefined) return `read ${show(value)}, which nobody ever wrote`;
  if (source.outcome === "refused") {
    return `read ${show(value)}, whose write was definitely refused`;
  }
  if (source.calledUs > read.returnedUs) return `read ${show(value)} before it was written`;
  for (const write of writes) {
    if (write.outcome !== "acknowledged" || write.returnedUs >= read.calledUs) continue;
    if (write.calledUs <= source.returnedUs) continue;
    return write.value === null
      ? `read ${show(value)}, which an acknowledged delete had removed: resurrected`
      : `read ${show(value)}, which acknowledged ${show(write.value)} had replaced: lost write`;
  }
  return null;
}

function judgeAbsence(
  writes: readonly LedgerWrite[],
  calledUs: number,
  returnedUs: number,
): string | null {
  for (const put of writes) {
    if (put.value === null || put.outcome !== "acknowledged" || put.returnedUs >= calledUs) continue;
    if (writes.some((write) => mayRemove(write, put, returnedUs))) continue;
    return `read nothing, although ${show(put.value)} was acknowledged and never deleted: lost write`;
  }
  return null;
}

function mayRemove(write: LedgerWrite, put: LedgerWrite, readReturnedUs: number): boolean {
  return (
    write.value === null &&
    write.outcome !== "refused" &&
    write.returnedUs >= put.calledUs &&
    write.calledUs <= readReturnedUs
  );
}
