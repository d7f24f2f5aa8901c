import { assert } from "../../core/assert.ts";
import { familyOf, modelKey } from "./expected-state.ts";
import type { ModelEntry, ModelState } from "./expected-state.ts";

export interface ModelPut {
  readonly key: string;
  /** Null: a delete. */
  readonly value: string | null;
  readonly expiresAtMs: number;
  /** Absent: 0. */
  readonly family?: number;
}

/** Every key from `from` on and below `until` goes; null: all that follow in the family. */
export interface ModelRangeDelete {
  readonly from: string;
  readonly until: string | null;
  /** Absent: 0. */
  readonly family?: number;
}

export type ModelWrite = ModelPut | ModelRangeDelete;

/** Applied all at once or not at all, and in order: of several writes of one key the last wins. */
export type ModelBatch = readonly ModelWrite[];

/** Judges a state against what was seen. Null: it agrees; else what does not. */
export type StateJudge = (state: ModelState) => string | null;

/**
 * What an embedded database may hold: every batch in commit order, and how many of them a crash must leave.
 * After a crash the database holds the state after the first k batches, for one k between what had to
 * survive and what was ever handed over: never a later batch without an earlier one, never half of one.
 *
 * Different k can look alike (a delete of a key that is not there, values that have expired), so the model
 * keeps every state that agrees with all that was seen, and lets later reads narrow them down.
 */
export class PrefixModel {
  /** States before the first of `#batches`. Never empty. */
  #bases: readonly ModelState[] = [new Map()];
  #batches: ModelBatch[] = [];
  #acknowledged = 0;
  #durable = 0;
  /** How many batches the crashes since the last recovery must have left; null: no crash since. */
  #floor: number | null = null;
  /** Memo of `at`: the states after the first `#visibleCount` batches. */
  #visible: readonly ModelState[] = this.#bases;
  #visibleCount = 0;

  /** An independent model that knows what this one does: for judging several images of one crash. */
  clone(): PrefixModel {
    const copy = new PrefixModel();
    copy.#bases = this.#bases;
    copy.#batches = [...this.#batches];
    copy.#acknowledged = this.#acknowledged;
    copy.#durable = this.#durable;
    copy.#floor = this.#floor;
    copy.#visible = this.#bases;
    return copy;
  }

  /** Batches handed over since the last recovery. */
  get issuedCount(): number {
    return this.#batches.length;
  }

  get acknowledgedCount(): number {
    return this.#acknowledged;
  }

  /** The store took `batch` as the next in commit order. Returns its number, from 1. */
  issue(batch: ModelBatch): number {
    assert(this.#floor === null, "a crashed database takes no batch before it has recovered");
    return this.#batches.push(batch);
  }

  /**
   * Batch `number` did definitely not happen: the store said so. It keeps its number and changes nothing, so
   * that it is told if it shows up after all.
   */
  refuse(number: number): void {
    assert(number >= 1 && number <= this.#batches.length, "only what was issued can be refused");
    this.#batches[number - 1] = [];
    this.#visible = this.#bases;
    this.#visibleCount = 0;
  }

  /** The store promised its durability level for the first `count` batches. */
  acknowledge(count: number): void {
    assert(count <= this.#batches.length, "only what was issued can be acknowledged");
    if (count > this.#acknowledged) this.#acknowledged = count;
  }

  /** The first `count` batches are known to be on stable storage. */
  secure(count: number): void {
    this.acknowledge(count);
    if (count > this.#durable) this.#durable = count;
  }

  /**
   * The incarnation ended. `survivors` says which promise this kind of crash must keep: all that was
   * acknowledged, or only what was secured. Several crashes before one recovery keep the weakest.
   */
  crash(survivors: "acknowledged" | "secured"): void {
    const floor = survivors === "acknowledged" ? this.#acknowledged : this.#durable;
    this.#floor = this.#floor === null ? floor : Math.min(this.#floor, floor);
  }

  /** Is a crash waiting to be judged by `recover`? */
  get crashed(): boolean {
    return this.#floor !== null;
  }

  /**
   * Judges what a reopened database holds. Null: it is the state after an allowed k, which becomes the new
   * beginning; else what is wrong, told against the k that must at least have survived.
   */
  recover(judge: StateJudge): string | null {
    const floor = this.#floor ?? this.#batches.length;
    const found: ModelState[] = [];
    let count = 0;
    for (const state of this.#statesFrom(floor)) {
      count++;
      if (judge(state) === null) found.push(state);
    }
    assert(count > 0, "at least one state is possible");
    if (found.length === 0) return this.#explain(floor, judge);
    this.#restart(distinct(found));
    return null;
  }

  /**
   * Judges a read of the state after the first `count` batches of a running database. States that
   * contradict it are ruled out; null unless none is left.
   */
  check(count: number, judge: StateJudge): string | null {
    const states = this.at(count);
    let problem: string | null = null;
    let agreeing = 0;
    for (const state of states) {
      const verdict = judge(state);
      if (verdict === null) agreeing++;
      else problem ??= verdict;
    }
    if (agreeing === 0) return problem;
    if (agreeing < states.length) this.#keepBases((_, index) => judge(states[index] as ModelState) === null);
    return null;
  }

  /** The possible states after the first `count` batches. Cheapest when `count` grows. */
  at(count: number): readonly ModelState[] {
    assert(count <= this.#batches.length, "a state after batches that were issued");
    if (count < this.#visibleCount) {
      this.#visible = this.#bases;
      this.#visibleCount = 0;
    }
    if (count > this.#visibleCount) {
      const more = this.#batches.slice(this.#visibleCount, count);
      this.#visible = this.#visible.map((state) => applyAll(state, more));
      this.#visibleCount = count;
    }
    return this.#visible;
  }

  *#statesFrom(floor: number): Generator<ModelState> {
    for (const base of this.#bases) {
      let state = applyAll(base, this.#batches.slice(0, floor));
      yield state;
      for (let k = floor; k < this.#batches.length; k++) {
        state = applyAll(state, [this.#batches[k] as ModelBatch]);
        yield state;
      }
    }
  }

  #restart(bases: readonly ModelState[]): void {
    this.#bases = bases;
    this.#batches = [];
    this.#acknowledged = 0;
    this.#durable = 0;
    this.#floor = null;
    this.#visible = bases;
    this.#visibleCount = 0;
  }

  #keepBases(keep: (base: ModelState, index: number) => boolean): void {
    this.#bases = this.#bases.filter(keep);
    this.#visible = this.#bases;
    this.#visibleCount = 0;
  }

  #explain(floor: number, judge: StateJudge): string {
    const least = applyAll(this.#bases[0] as ModelState, this.#batches.slice(0, floor));
    for (let k = 0; k < floor; k++) {
      const state = applyAll(this.#bases[0] as ModelState, this.#batches.slice(0, k));
      if (judge(state) === null) {
        return `only ${k} of ${this.#batches.length} batches survived, ${floor} had to`;
      }
    }
    return `no prefix of ${floor} to ${this.#batches.length} batches: after ${floor}: ${judge(least)}`;
  }
}

function applyAll(state: ModelState, batches: readonly ModelBatch[]): ModelState {
  if (batches.length === 0) return state;
  const after = new Map<string, ModelEntry>(state);
  for (const batch of batches) {
    for (const write of batch) applyOne(after, write);
  }
  return after;
}

function applyOne(state: Map<string, ModelEntry>, write: ModelWrite): void {
  const { family = 0 } = write;
  if ("from" in write) {
    const from = modelKey(family, write.from);
    const until = write.until === null ? null : modelKey(family, write.until);
    for (const key of state.keys()) {
      if (familyOf(key) === family && key >= from && (until === null || key < until)) state.delete(key);
    }
    return;
  }
  const key = modelKey(family, write.key);
  if (write.value === null) state.delete(key);
  else state.set(key, { value: write.value, expiresAtMs: write.expiresAtMs });
}

function distinct(states: readonly ModelState[]): readonly ModelState[] {
  const kept: ModelState[] = [];
  for (const state of states) {
    if (!kept.some((other) => equal(state, other))) kept.push(state);
  }
  return kept;
}

function equal(a: ModelState, b: ModelState): boolean {
  if (a.size !== b.size) return false;
  for (const [key, entry] of a) {
    const other = b.get(key);
    if (other === undefined || other.value !== entry.value) return false;
    if (other.expiresAtMs !== entry.expiresAtMs) return false;
  }
  return true;
}
