/**
 * Numbers given out in ranges by one service over all its lives: none twice, and later is higher, in real time. For
 * timestamps both hold; ids are only unique, but those of one service go up as well.
 */
export class SequenceLedger {
  readonly #name: string;
  readonly #grants: SequenceGrant[] = [];
  /** In the order of returns: the highest number up to then. */
  readonly #highest: { readonly returnedUs: number; readonly last: number }[] = [];

  constructor(name: string) {
    this.#name = name;
  }

  get count(): number {
    return this.#grants.reduce((sum, { count }) => sum + count, 0);
  }

  /** The highest number given out so far. */
  get last(): number {
    return this.#highest.at(-1)?.last ?? 0;
  }

  /** To be told in the order of returns. Null: nothing wrong; else what is. */
  give(grant: SequenceGrant): string | null {
    const { first, count, calledUs, returnedUs } = grant;
    const last = first + count - 1;
    if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last) || first < 1) {
      return `${this.#name} ${first} is no exact positive integer`;
    }
    const before = this.#highestBefore(calledUs);
    this.#grants.push(grant);
    this.#highest.push({ returnedUs, last: Math.max(last, this.last) });
    if (first > before) return null;
    return `${this.#name} ${first} answers a call of ${calledUs}us, and ${before} had been given out before it`;
  }

  /** Null: no number was given out twice. */
  judge(): string | null {
    const sorted = [...this.#grants].sort((a, b) => a.first - b.first);
    let last = 0;
    for (const { first, count } of sorted) {
      if (first <= last) return `${this.#name} ${first} was given out twice`;
      last = first + count - 1;
    }
    return null;
  }

  /** What the service had given out for certain when a call of that time began. */
  #highestBefore(us: number): number {
    for (let i = this.#highest.length - 1; i >= 0; i--) {
      const known = this.#highest[i];
      if (known !== undefined && known.returnedUs < us) return known.last;
    }
    return 0;
  }
}

export interface SequenceGrant {
  readonly first: number;
  readonly count: number;
  readonly calledUs: number;
  readonly returnedUs: number;
}
