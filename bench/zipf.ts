/**
 * Zipf-distributed integers in [0, max], P(k) proportional to (v + k)^-s, by rejection-inversion
 * (W. Hörmann, G. Derflinger: "Rejection-inversion to generate variates from monotone discrete distributions",
 * 1996): constant time, no table. `uniform` yields floats in [0, 1).
 */
export class Zipf {
  readonly #uniform: () => number;
  readonly #v: number;
  readonly #s: number;
  readonly #max: number;
  readonly #oneMinusS: number;
  readonly #inverseOneMinusS: number;
  readonly #hAtMax: number;
  readonly #hSpan: number;
  readonly #squeeze: number;

  constructor(uniform: () => number, s: number, v: number, max: number) {
    if (!(s > 1) || !(v >= 1) || !(max >= 0)) throw new RangeError("zipf needs s > 1, v >= 1, max >= 0");
    this.#uniform = uniform;
    this.#s = s;
    this.#v = v;
    this.#max = max;
    this.#oneMinusS = 1 - s;
    this.#inverseOneMinusS = 1 / this.#oneMinusS;
    this.#hAtMax = this.#h(max + 0.5);
    this.#hSpan = this.#h(0.5) - Math.exp(Math.log(v) * -s) - this.#hAtMax;
    this.#squeeze = 1 - this.#hInverse(this.#h(1.5) - Math.exp(-s * Math.log(v + 1)));
  }

  next(): number {
    for (;;) {
      const ur = this.#hAtMax + this.#uniform() * this.#hSpan;
      const x = this.#hInverse(ur);
      const k = Math.floor(x + 0.5);
      if (k - x <= this.#squeeze) return k;
      if (ur >= this.#h(k + 0.5) - Math.exp(-Math.log(k + this.#v) * this.#s)) return k;
    }
  }

  /** The next value below `count`: values at or above it are drawn again. */
  nextBelow(count: number): number {
    for (;;) {
      const k = this.next();
      if (k < count && k <= this.#max) return k;
    }
  }

  #h(x: number): number {
    return Math.exp(this.#oneMinusS * Math.log(this.#v + x)) * this.#inverseOneMinusS;
  }

  #hInverse(x: number): number {
    return Math.exp(this.#inverseOneMinusS * Math.log(this.#oneMinusS * x)) - this.#v;
  }
}
