// HOT: asked for a term at each append and each reply.
import { assert } from "../core/assert.ts";
import type { LogIndex, Term } from "./entry.ts";

/** Of an index that the log does not hold: compacted, or not there yet. */
export const noTerm = -1;

/**
 * The term of every entry of the log, as runs of equal ones: a handful of numbers for any length. So the
 * question never goes to the disk, even for entries that are there only.
 */
export class TermRuns {
  /** The last index that was compacted away; its term is still known. */
  base: LogIndex;
  baseTerm: Term;
  last: LogIndex;
  readonly #firsts: LogIndex[] = [];
  readonly #terms: Term[] = [];

  constructor(base: LogIndex, baseTerm: Term) {
    this.base = base;
    this.baseTerm = baseTerm;
    this.last = base;
  }

  get lastTerm(): Term {
    const terms = this.#terms;
    return terms.length === 0 ? this.baseTerm : (terms[terms.length - 1] as Term);
  }

  get runs(): number {
    return this.#terms.length;
  }

  /** `noTerm` outside [base, last]. */
  term(index: LogIndex): Term {
    if (index > this.last || index < this.base) return noTerm;
    if (index === this.base) return this.baseTerm;
    return this.#terms[this.#runOf(index)] as Term;
  }

  /** The entry after the last one. Terms never go back along a log. */
  push(term: Term): void {
    this.extend(term, 1);
  }

  /** `count` entries of one term after the last one. */
  extend(term: Term, count: number): void {
    const before = this.lastTerm;
    assert(term >= before, "terms do not decrease along a log");
    const first = this.last + 1;
    this.last += count;
    if (count === 0 || (this.#terms.length > 0 && term === before)) return;
    this.#firsts.push(first);
    this.#terms.push(term);
  }

  /** Forgets `index` and all after it. */
  cut(index: LogIndex): void {
    assert(index > this.base, "what was compacted is not cut");
    if (index > this.last) return;
    this.last = index - 1;
    while (this.#firsts.length > 0 && (this.#firsts[this.#firsts.length - 1] as LogIndex) >= index) {
      this.#firsts.pop();
      this.#terms.pop();
    }
  }

  /** Forgets everything up to `index`, but its term. */
  compact(index: LogIndex): void {
    if (index <= this.base) return;
    assert(index <= this.last, "what is compacted is in the log");
    const term = this.term(index);
    const run = index === this.last ? this.#firsts.length : this.#runOf(index + 1);
    this.#firsts.splice(0, run);
    this.#terms.splice(0, run);
    if (this.#firsts.length > 0) this.#firsts[0] = index + 1;
    this.base = index;
    this.baseTerm = term;
  }

  /** Empty, after `index`. */
  reset(index: LogIndex, term: Term): void {
    this.#firsts.length = 0;
    this.#terms.length = 0;
    this.base = index;
    this.baseTerm = term;
    this.last = index;
  }

  /**
   * The last index at or below `index` with a term of at most `term`; `base - 1` when none is known. Where two
   * logs part, neither has to walk back entry by entry: one question per term.
   */
  lastAtMost(index: LogIndex, term: Term): LogIndex {
    let at = Math.min(index, this.last);
    while (at > this.base) {
      const run = this.#runOf(at);
      if ((this.#terms[run] as Term) <= term) return at;
      at = (this.#firsts[run] as LogIndex) - 1;
    }
    return at === this.base && this.baseTerm <= term ? at : this.base - 1;
  }

  check(): void {
    for (let run = 0; run < this.#terms.length; run++) {
      const first = this.#firsts[run] as LogIndex;
      const after = run + 1 < this.#firsts.length ? (this.#firsts[run + 1] as LogIndex) : this.last + 1;
      assert(first < after, "a run of terms is not empty");
      // The first run may go on with the term of what was compacted.
      const before = run === 0 ? this.baseTerm - 1 : (this.#terms[run - 1] as Term);
      assert((this.#terms[run] as Term) > before, "terms increase from run to run");
    }
    assert(this.#firsts.length === 0 || this.#firsts[0] === this.base + 1, "runs begin after the base");
    assert(this.#firsts.length > 0 || this.last === this.base, "a log without runs is empty");
  }

  /** The run that holds `index`, which is in (base, last]. */
  #runOf(index: LogIndex): number {
    let low = 0;
    let high = this.#firsts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#firsts[middle] as LogIndex) <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
