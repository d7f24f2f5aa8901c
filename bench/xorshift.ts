/** A small fast generator (xorshift128, Marsaglia 2003) for benchmark inputs; the same seed, the same run. */
export class Xorshift {
  #x: number;
  #y = 362436069;
  #z = 521288629;
  #w = 88675123;

  constructor(seed: number) {
    this.#x = (seed ^ 123456789) >>> 0 || 1;
    for (let i = 0; i < 16; i++) this.u32();
  }

  u32(): number {
    const t = this.#x ^ (this.#x << 11);
    this.#x = this.#y;
    this.#y = this.#z;
    this.#z = this.#w;
    this.#w = (this.#w ^ (this.#w >>> 19) ^ t ^ (t >>> 8)) | 0;
    return this.#w >>> 0;
  }

  /** In [0, 1). */
  float(): number {
    return this.u32() / 0x1_0000_0000;
  }

  below(n: number): number {
    return Math.floor(this.float() * n);
  }

  /** `target.length` must be a multiple of 4. */
  fill(target: Uint32Array): void {
    for (let i = 0; i < target.length; i++) target[i] = this.u32();
  }
}
