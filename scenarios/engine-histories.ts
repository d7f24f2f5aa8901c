import type { Env } from "../core/env/env.ts";
import type { ModelWrite } from "../sim/checkers/prefix-model.ts";
import type { Dice } from "../sim/dice.ts";
import type { CommitForm } from "./commit-form.ts";
import type { EngineReads } from "./engine-reads.ts";
import type { Keyspace } from "./keyspace.ts";

/** What a history is made of. */
export interface Moves {
  readonly reads: EngineReads;
  write(writes: ModelWrite[], form: CommitForm): void;
  /** Each waits for its end, but not for ever. */
  flushed(env: Env): Promise<void>;
  compacted(env: Env): Promise<void>;
  settled(env: Env): Promise<void>;
}

const roundsMax = 4;
/** About the memory that is kept for flushed memtables, and above it. */
const largeBatchBytes = [3_000, 9_000, 70_000];
const forms: readonly CommitForm[] = ["sync", "sync", "callback"];

/**
 * Histories that single random steps hardly ever add up to: the same keys are written, or deleted, over and over
 * around snapshots that are held, and then looked for in every one of them.
 */
export class EngineHistories {
  readonly #moves: Moves;
  readonly #keyspace: Keyspace;
  readonly #dice: Dice;

  constructor(moves: Moves, keyspace: Keyspace, dice: Dice) {
    this.#moves = moves;
    this.#keyspace = keyspace;
    this.#dice = dice;
  }

  /** One range is written and deleted around snapshots; then what is left of it is flushed and merged. */
  async underSnapshots(env: Env): Promise<void> {
    const [moves, dice] = [this.#moves, this.#dice];
    const family = this.#keyspace.family();
    const range = dice.chance(1, 3) ? { from: "", until: null } : this.#keyspace.range();
    const keys = this.#keyspace.within(range);
    const form = dice.pick(forms);
    const flushesEach = dice.chance(1, 3);
    const writesAgain = dice.chance(1, 4);
    this.#writeAll(keys, family, form);
    if (dice.chance(1, 2)) await moves.flushed(env);
    if (dice.chance(1, 4)) await moves.compacted(env);
    for (let round = dice.between(2, roundsMax); round > 0; round--) {
      if (form !== "sync") await moves.settled(env);
      if (dice.chance(4, 5)) moves.reads.hold();
      moves.write([{ ...range, family }], form);
      if (writesAgain) this.#writeAll(keys, family, form);
      if (flushesEach) await moves.flushed(env);
    }
    await moves.flushed(env);
    if (dice.chance(3, 4)) await moves.compacted(env);
    moves.reads.throughSnapshots(keys, family);
  }

  /** A few keys are written again and again, and read, now and through every snapshot: caches hold them. */
  async hotKeys(env: Env): Promise<void> {
    const [moves, dice] = [this.#moves, this.#dice];
    const family = this.#keyspace.family();
    const keys = Array.from({ length: dice.between(1, 3) }, () => this.#keyspace.key());
    const form = dice.pick(forms);
    for (let round = dice.between(1, roundsMax); round > 0; round--) {
      if (dice.chance(3, 4)) moves.reads.hold();
      this.#writeAll(keys, family, form);
      if (form !== "sync") await moves.settled(env);
      if (dice.chance(3, 4)) await moves.flushed(env);
      for (const key of keys) moves.reads.getOf(key, family);
      moves.reads.throughSnapshots(keys, family);
    }
  }

  /**
   * Keys that are in small memtables, flushed and retained, come in one batch that is larger than any of these: its
   * memtable has an arena of its own size.
   */
  async largeBatch(env: Env): Promise<void> {
    const [moves, dice] = [this.#moves, this.#dice];
    const family = this.#keyspace.family();
    const keys = [...new Set(Array.from({ length: dice.between(1, 4) }, () => this.#keyspace.key()))];
    const form = dice.pick(forms);
    for (let round = dice.between(1, 3); round > 0; round--) {
      this.#writeAll(keys, family, form);
      await moves.flushed(env);
    }
    const length = Math.ceil(dice.pick(largeBatchBytes) / keys.length);
    moves.write(keys.map((key) => ({ key, value: this.#keyspace.value(length), expiresAtMs: 0, family })), form);
    if (form !== "sync") await moves.settled(env);
    if (dice.chance(3, 4)) await moves.flushed(env);
    for (const key of keys) moves.reads.getOf(key, family);
    moves.reads.throughSnapshots(keys, family);
  }

  /** Each in a batch of its own, or all in one. */
  #writeAll(keys: readonly string[], family: number, form: CommitForm): void {
    // A range may lie between two keys.
    if (keys.length === 0) return;
    const writes = keys.map((key) => ({ key, value: this.#keyspace.value(), expiresAtMs: 0, family }));
    if (this.#dice.chance(1, 2)) this.#moves.write(writes, form);
    else for (const write of writes) this.#moves.write([write], form);
  }
}
