/** Of a table's records, in one over this many: so large a part must have expired to make it stale. */
const staleDivisor = 4;
const expiriesMin = 64;

/** When a table under construction will be worth rewriting for its expired values alone. */
export class Staleness {
  #expiries = new Float64Array(expiriesMin);
  #count = 0;

  add(expiresAtMs: number): void {
    if (this.#count === this.#expiries.length) {
      const larger = new Float64Array(this.#count * 2);
      larger.set(this.#expiries);
      this.#expiries = larger;
    }
    this.#expiries[this.#count++] = expiresAtMs;
  }

  /** The instant from which on a quarter of `recordCount` records has expired; 0: never. */
  staleAtMs(recordCount: number): number {
    const stale = Math.ceil(recordCount / staleDivisor);
    if (this.#count === 0 || this.#count < stale) return 0;
    return this.#expiries.subarray(0, this.#count).sort()[stale - 1] ?? 0;
  }
}
