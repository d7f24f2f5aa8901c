// HOT: every linearizable read passes here.
import type { LogIndex } from "./entry.ts";

interface Round {
  readonly seq: number;
  /** The commit index when the round began: at least that of every write acknowledged before its reads. */
  readonly index: LogIndex;
  readonly tokens: readonly number[];
}

export interface ReadState {
  readonly token: number;
  readonly index: LogIndex;
}

/**
 * Reads that wait until it is certain that their leader still is one: for an acknowledgement, by a majority, of
 * a heartbeat that was sent after they came (dissertation, section 6.4). All that arrive before a round
 * begins share it.
 */
export class ReadQueue {
  /** The last round that began. */
  seq = 0;
  #waiting: number[] = [];
  readonly #rounds: Round[] = [];

  get waiting(): boolean {
    return this.#waiting.length > 0;
  }

  get pending(): boolean {
    return this.#waiting.length > 0 || this.#rounds.length > 0;
  }

  add(token: number): void {
    this.#waiting.push(token);
  }

  /** All that wait become one round, which reads at `index`. */
  begin(index: LogIndex): void {
    this.seq++;
    this.#rounds.push({ seq: this.seq, index, tokens: this.#waiting });
    this.#waiting = [];
  }

  /** Rounds up to `seq` are confirmed: their reads go to `out`. */
  confirm(seq: number, out: ReadState[]): void {
    let count = 0;
    for (; count < this.#rounds.length; count++) {
      const round = this.#rounds[count] as Round;
      if (round.seq > seq) break;
      for (let i = 0; i < round.tokens.length; i++) {
        out.push({ token: round.tokens[i] as number, index: round.index });
      }
    }
    if (count > 0) this.#rounds.splice(0, count);
  }

  /** Everything that was not confirmed, in the order in which it came. */
  drop(): number[] {
    const tokens: number[] = [];
    for (const round of this.#rounds) tokens.push(...round.tokens);
    tokens.push(...this.#waiting);
    this.#rounds.length = 0;
    this.#waiting = [];
    return tokens;
  }
}
