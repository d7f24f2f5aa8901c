import type { RegionCalls } from "./region-calls.ts";

/** A transaction that is not done by then is not kept alive any longer. */
const ageMsMax = 600_000;

/** Keeps the primary's lock of a transaction at work from expiring. */
export class HeartBeat {
  readonly #calls: RegionCalls;
  readonly #txn: { readonly startTs: number; readonly primary: Uint8Array };
  #stopped = false;

  constructor(calls: RegionCalls, txn: { readonly startTs: number; readonly primary: Uint8Array }) {
    this.#calls = calls;
    this.#txn = txn;
  }

  /** The lock was given `ttlMs` from now on, `ageMs` after the transaction began. */
  start(ttlMs: number, ageMs: number): void {
    this.#beat({ ttlMs, ageMs, count: 1 });
  }

  stop(): void {
    this.#stopped = true;
  }

  #beat({ ttlMs, ageMs, count }: { readonly ttlMs: number; readonly ageMs: number; readonly count: number }): void {
    const periodMs = Math.max(1, Math.floor(ttlMs / 2));
    if (periodMs * count > ageMsMax) return;
    this.#calls.after(periodMs, () => {
      if (this.#stopped) return;
      const { startTs, primary } = this.#txn;
      // Counted from startTs, as all lifetimes of locks.
      const longerMs = ageMs + ttlMs + periodMs * count;
      this.#calls.run(
        [{ key: primary }],
        {
          command: () => ({ kind: "txn-heart-beat", primary, startTs, ttlMs: longerMs }),
          reply: (_, turn) => turn.done(),
        },
        () => this.#beat({ ttlMs, ageMs, count: count + 1 }),
      );
    });
  }
}
