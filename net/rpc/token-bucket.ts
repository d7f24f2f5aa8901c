import type { Clock } from "../../core/env/clock.ts";

const perSecond = 1_000_000;
/** What may leave at once after a rest: so much of a second's worth. */
const burstShare = 20;

/** So many bytes per second over any length of time, a little more for a moment. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #bytesPerSecond: number;
  readonly #burstBytes: number;
  #tokens: number;
  #filledUs: number;

  constructor(clock: Clock, bytesPerSecond: number, leastBurstBytes: number) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
    this.#burstBytes = Math.max(leastBurstBytes, Math.floor(bytesPerSecond / burstShare));
    this.#tokens = this.#burstBytes;
    this.#filledUs = clock.monotonicUs();
  }

  /** 0: `bytes` may leave, and are taken. Otherwise the microseconds until they may; nothing was taken. */
  take(bytes: number): number {
    this.#fill();
    const wanted = Math.min(bytes, this.#burstBytes);
    if (this.#tokens >= wanted) {
      this.#tokens -= bytes;
      return 0;
    }
    return Math.ceil(((wanted - this.#tokens) * perSecond) / this.#bytesPerSecond);
  }

  #fill(): void {
    const nowUs = this.#clock.monotonicUs();
    const missing = this.#burstBytes - this.#tokens;
    const fullUs = Math.ceil((missing * perSecond) / this.#bytesPerSecond);
    if (nowUs - this.#filledUs >= fullUs) {
      this.#tokens = this.#burstBytes;
      this.#filledUs = nowUs;
      return;
    }
    const gained = Math.floor(((nowUs - this.#filledUs) * this.#bytesPerSecond) / perSecond);
    if (gained === 0) return;
    this.#tokens += gained;
    // Only the time that the whole bytes stand for is used up.
    this.#filledUs += Math.floor((gained * perSecond) / this.#bytesPerSecond);
  }
}
