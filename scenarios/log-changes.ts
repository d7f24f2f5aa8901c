import type { LogChange, LogEntry } from "../raft/store/log-change.ts";
import type { LogModel } from "../sim/checkers/log-model.ts";
import type { Dice } from "../sim/dice.ts";

/** Draws changes that a store could make of its groups' logs, as they are. */
export class LogChanges {
  readonly #dice: Dice;
  readonly #groups: number;
  readonly #dataBytesMax: number;
  #ordinal = 0;

  constructor(dice: Dice, groups: number, dataBytesMax: number) {
    this.#dice = dice;
    this.#groups = groups;
    this.#dataBytesMax = dataBytesMax;
  }

  draw(model: LogModel): LogChange[] {
    const state = model.clone();
    const changes: LogChange[] = [];
    for (let left = this.#dice.between(1, 3); left > 0; left--) {
      const change = this.#change(state);
      state.apply(change);
      changes.push(change);
    }
    return changes;
  }

  #change(model: LogModel): LogChange {
    const dice = this.#dice;
    const group = 1 + dice.below(this.#groups);
    const { index: last, term } = model.last(group);
    const start = model.groups.get(group)?.start.index ?? 0;
    const choice = dice.below(20);
    if (choice < 10) return { op: "entries", group, entries: this.#entries(start, last, term) };
    if (choice < 13) return { op: "hard", group, hard: { term, vote: dice.below(4), commit: dice.below(1 + last) } };
    if (choice < 16 && last > start) return this.#compact(model, group, start, last);
    if (choice === 16) return { op: "note", group, key: dice.below(3), value: this.#note() };
    if (choice === 17) {
      const meta = this.#bytes();
      return { op: "snapshot", group, start: { index: last + dice.below(5), term: term + 1 }, meta };
    }
    if (choice === 18) return { op: "destroy", group };
    return { op: "hard", group, hard: { term: term + 1, vote: 0, commit: dice.below(1 + last) } };
  }

  /** Mostly behind the last one, at times in place of some. */
  #entries(start: number, last: number, term: number): LogEntry[] {
    const dice = this.#dice;
    const first = dice.chance(1, 4) && last > start ? dice.between(start + 1, last) : last + 1;
    const newTerm = first <= last || dice.chance(1, 5) ? term + 1 : Math.max(1, term);
    const count = dice.skewed(1, 6);
    return Array.from({ length: count }, (_, i) => {
      return { index: first + i, term: newTerm, kind: dice.below(3), data: this.#bytes() };
    });
  }

  #compact(model: LogModel, group: number, start: number, last: number): LogChange {
    const index = this.#dice.between(start + 1, last);
    const entry = model.groups.get(group)?.entries.find((candidate) => candidate.index === index);
    return { op: "compact", group, start: { index, term: entry?.term ?? 0 } };
  }

  #note(): Uint8Array | null {
    return this.#dice.chance(1, 3) ? null : this.#bytes();
  }

  /** Never the same twice, so that nothing stale goes unseen. */
  #bytes(): Uint8Array {
    const bytes = this.#dice.bytes(this.#dice.between(0, this.#dataBytesMax));
    const tag = new TextEncoder().encode(`${this.#ordinal++}.`);
    const whole = new Uint8Array(tag.length + bytes.length);
    whole.set(tag);
    whole.set(bytes, tag.length);
    return whole;
  }
}
