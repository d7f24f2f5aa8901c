/**
 * Turns a clock into logical ticks. A turn that comes late gets one tick, not all it missed: a peer that was
 * stopped for a second has not heard of its leader for a second, and that says nothing about the leader. The
 * runtime steps all messages that wait before it asks.
 */
export class Ticker {
  readonly #intervalUs: number;
  #nextUs: number;

  constructor(intervalUs: number, nowUs: number) {
    this.#intervalUs = intervalUs;
    this.#nextUs = nowUs + intervalUs;
  }

  /** True: step one tick, and ask again. */
  due(nowUs: number): boolean {
    if (nowUs < this.#nextUs) return false;
    this.#nextUs = nowUs + this.#intervalUs;
    return true;
  }
}
