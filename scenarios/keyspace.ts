import type { ScanBounds } from "../sim/checkers/expected-state.ts";
import { compareText } from "../sim/checkers/text.ts";
import type { Dice } from "../sim/dice.ts";

/**
 * Few keys, so that operations collide, of shapes that go wrong: prefixes of each other, zero and 0xff bytes,
 * lengths around a block. Binary strings, in order.
 */
const shapes: readonly string[] = [
  "\x00",
  "\x00\x00",
  "\x01",
  "a",
  "a\x00",
  "a\x00b",
  "a\xff",
  "aa",
  "ab",
  "b",
  "k0001",
  "k0002",
  "k0003",
  "k0010",
  "k00100",
  `long-${"x".repeat(120)}`,
  `long-${"x".repeat(121)}`,
  "m",
  "m\x00\x00\x00\x00",
  "user:1",
  "user:10",
  "user:2",
  "\xfe",
  "\xff",
  "\xff\xff",
  "\xff\xff\x00",
];

export const keysMax = shapes.length;

/** The keys and values of one run, drawn from `dice`. Every value is unique and says where it came from. */
export class Keyspace {
  readonly keys: readonly string[];
  /** Two column families: data, and one that nobody else uses, the last one there is included. */
  readonly families: readonly number[];
  readonly #dice: Dice;
  readonly #valueBytesMax: number;
  #tags = 0;

  constructor(dice: Dice, keyCount: number, valueBytesMax: number) {
    this.#dice = dice;
    this.#valueBytesMax = valueBytesMax;
    const left = [...shapes];
    const keys: string[] = [];
    while (keys.length < keyCount && left.length > 0) {
      keys.push(...left.splice(dice.below(left.length), 1));
    }
    this.keys = keys.sort(compareText);
    this.families = [0, dice.pick([1, 3, 254])];
  }

  /** Mostly the one that users see. */
  family(): number {
    return this.#dice.chance(3, 4) ? 0 : this.families.at(-1) ?? 0;
  }

  /** A range that is not empty; null: it has no end. Mostly a few keys, sometimes all. */
  range(): { readonly from: string; readonly until: string | null } {
    const dice = this.#dice;
    if (dice.chance(1, 8)) return { from: dice.chance(1, 2) ? "" : this.#end(), until: null };
    const at = dice.below(this.keys.length);
    const last = this.keys[Math.min(this.keys.length - 1, at + dice.below(4))] as string;
    const from = this.keys[at] as string;
    if (dice.chance(1, 3) && last > from) return { from: `${from}\x00`, until: `${last}\x00` };
    return last > from && dice.chance(1, 2) ? { from, until: last } : { from, until: `${last}\x00` };
  }

  /** The keys of a range. */
  within({ from, until }: { readonly from: string; readonly until: string | null }): readonly string[] {
    return this.keys.filter((key) => compareText(key, from) >= 0 && (until === null || compareText(key, until) < 0));
  }

  key(): string {
    return this.#dice.pick(this.keys);
  }

  /** A value nobody wrote before, whose every byte depends on its tag. */
  value(length = this.#dice.skewed(1, this.#valueBytesMax)): string {
    const tag = `v${++this.#tags}.`;
    return length <= tag.length ? tag : tag.repeat(Math.ceil(length / tag.length)).slice(0, length);
  }

  /** Bounds of any kind, also empty and inverted ones; ends are keys or lie between keys. */
  bounds(): ScanBounds {
    const dice = this.#dice;
    const low = dice.below(4);
    const high = dice.below(4);
    return {
      ...(low === 1 && { gt: this.#end() }),
      ...(low === 2 && { gte: this.#end() }),
      ...(high === 1 && { lt: this.#end() }),
      ...(high === 2 && { lte: this.#end() }),
      ...(dice.chance(1, 2) && { reverse: true }),
      ...(dice.chance(1, 4) && { limit: dice.between(1, 6) }),
      family: this.family(),
    };
  }

  #end(): string {
    const key = this.key();
    if (this.#dice.chance(2, 3)) return key;
    return this.#dice.chance(1, 2) ? `${key}\x00` : key.slice(0, -1);
  }
}
