// HOT: every linearizable read passes here.
import type { LogIndex } from "../entry.ts";

type ReadDone = (ok: boolean) => void;

interface Waiting {
  readonly index: LogIndex;
  readonly done: ReadDone;
}

/** Reads whose leader was confirmed, until what they must see is applied. */
export class Reads {
  /** Nearly ascending by index: a round's index is not below that of the one before, in one term. */
  #waiting: Waiting[] = [];

  get count(): number {
    return this.#waiting.length;
  }

  wait(index: LogIndex, done: ReadDone): void {
    this.#waiting.push({ index, done });
  }

  /** Everything up to `applied` is in the engine. */
  applied(applied: LogIndex): void {
    if (this.#waiting.length === 0) return;
    const ready = this.#waiting.filter(({ index }) => index <= applied);
    if (ready.length === 0) return;
    this.#waiting = this.#waiting.filter(({ index }) => index > applied);
    for (let i = 0; i < ready.length; i++) (ready[i] as Waiting).done(true);
  }

  refuse(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (let i = 0; i < waiting.length; i++) (waiting[i] as Waiting).done(false);
  }
}
