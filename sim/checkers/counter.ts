/**
 * A counter that is only ever incremented by one and read. Exactly the acknowledged increments are in its
 * final value, plus at most the ones of unknown outcome; every reply is unique; replies follow real time.
 */
export class CounterLedger {
  readonly #name: string;
  readonly #replies: CounterReply[] = [];
  #unknown = 0;

  constructor(name: string) {
    this.#name = name;
  }

  get acknowledged(): number {
    return this.#replies.length;
  }

  acknowledge(value: number, calledUs: number, returnedUs: number): void {
    this.#replies.push({ value, calledUs, returnedUs });
  }

  /** An increment that may have happened. */
  giveUp(): void {
    this.#unknown++;
  }

  /** Judges all replies and the value at the end (0 when absent). Null: nothing wrong; else what is. */
  judge(final: number): string | null {
    const least = this.#replies.length;
    const most = least + this.#unknown;
    if (final < least || final > most) {
      const bounds = least === most ? `${least}` : `${least} to ${most}`;
      return `${this.#name} ends at ${final}, expected ${bounds} (${least} acknowledged)`;
    }
    return this.#judgeReplies(most);
  }

  #judgeReplies(most: number): string | null {
    const sorted = [...this.#replies].sort((a, b) => a.value - b.value);
    // Going down the values, nobody may have returned before a smaller reply was even asked for.
    let earliestReturn: CounterReply | null = null;
    for (let i = sorted.length - 1; i >= 0; i--) {
      const reply = sorted[i] as CounterReply;
      if (reply.value < 1 || reply.value > most) {
        return `${this.#name} replied ${reply.value}, although at most ${most} increments were sent`;
      }
      if (i > 0 && sorted[i - 1]?.value === reply.value) {
        return `${this.#name} replied ${reply.value} twice`;
      }
      if (earliestReturn !== null && earliestReturn.returnedUs < reply.calledUs) {
        return (
          `${this.#name} replied ${earliestReturn.value} at ${earliestReturn.returnedUs}us, ` +
          `then ${reply.value} to a call of ${reply.calledUs}us: went back`
        );
      }
      if (earliestReturn === null || reply.returnedUs < earliestReturn.returnedUs) {
        earliestReturn = reply;
      }
    }
    return null;
  }
}

interface CounterReply {
  readonly value: number;
  readonly calledUs: number;
  readonly returnedUs: number;
}
