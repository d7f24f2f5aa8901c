/** Latencies in nanoseconds, kept in buckets 1/32 of a power of two wide: about 3 % error, fixed memory. */
export class Histogram {
  readonly #counts = new Float64Array(64 * 32);
  #total = 0;
  #max = 0;

  add(ns: number): void {
    const value = ns < 1 ? 1 : ns;
    const exponent = Math.floor(Math.log2(value));
    const fraction = Math.floor((value / 2 ** exponent - 1) * 32);
    const index = exponent * 32 + fraction;
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#total++;
    if (value > this.#max) this.#max = value;
  }

  /** The latency that a share `quantile` in [0, 1] of all operations did not exceed. */
  quantile(quantile: number): number {
    let remaining = Math.ceil(this.#total * quantile);
    for (let index = 0; index < this.#counts.length; index++) {
      remaining -= this.#counts[index] ?? 0;
      if (remaining <= 0) return 2 ** Math.floor(index / 32) * (1 + ((index % 32) + 0.5) / 32);
    }
    return this.#max;
  }

  get max(): number {
    return this.#max;
  }
}
