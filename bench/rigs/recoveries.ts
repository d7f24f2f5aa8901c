/** How long it takes after each kill until somebody's write is acknowledged that began after it. */
export class Recoveries {
  readonly #tookMs: number[] = [];
  /** Of the last kill that no write has followed; null: each has one. */
  #killedMs: number | null = null;

  killed(nowMs: number): void {
    this.#killedMs ??= nowMs;
  }

  wrote(calledMs: number, nowMs: number): void {
    if (this.#killedMs === null || calledMs < this.#killedMs) return;
    this.#tookMs.push(nowMs - this.#killedMs);
    this.#killedMs = null;
  }

  get maxMs(): number {
    return Math.round(Math.max(0, ...this.#tookMs));
  }

  get medianMs(): number {
    const sorted = this.#tookMs.toSorted((a, b) => a - b);
    return Math.round(sorted[sorted.length >> 1] ?? 0);
  }
}
