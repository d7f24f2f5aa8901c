/** Why a client waits before it tries again. */
export type WaitClass = "region-miss" | "rpc" | "lock" | "busy" | "timestamp";

/** An integer in [0, n), drawn by whoever the client belongs to. */
export type Draw = (n: number) => number;

/** For whom it reads. */
const awaited: Readonly<Record<WaitClass, string>> = {
  "region-miss": "routes to regions",
  rpc: "answers of stores",
  lock: "locks of other transactions",
  busy: "busy stores",
  timestamp: "timestamps of the Coordinator",
};

interface Growth {
  readonly firstMs: number;
  readonly maxMs: number;
}

const growths: Readonly<Record<WaitClass, Growth>> = {
  "region-miss": { firstMs: 1, maxMs: 100 },
  rpc: { firstMs: 5, maxMs: 500 },
  lock: { firstMs: 2, maxMs: 500 },
  busy: { firstMs: 20, maxMs: 1_000 },
  timestamp: { firstMs: 5, maxMs: 500 },
};

/**
 * How long to wait before which attempt, under one deadline for everything that an operation does. Each class doubles
 * on its own; half of each delay is drawn, so that clients that failed together do not come back together.
 */
export class Backoff {
  readonly #deadlineMs: number;
  readonly #draw: Draw;
  readonly #attempts = new Map<WaitClass, number>();
  #stopped = false;

  /** `deadlineMs` on the clock whose present is given to `next`. */
  constructor(deadlineMs: number, draw: Draw) {
    this.#deadlineMs = deadlineMs;
    this.#draw = draw;
  }

  isOver(nowMs: number): boolean {
    return this.#stopped || nowMs >= this.#deadlineMs;
  }

  /** The deadline is now. */
  stop(): void {
    this.#stopped = true;
  }

  /** Milliseconds to wait; null: the deadline would pass. */
  next(reason: WaitClass, nowMs: number): number | null {
    const { firstMs, maxMs } = growths[reason];
    const attempts = this.#attempts.get(reason) ?? 0;
    this.#attempts.set(reason, attempts + 1);
    const fullMs = Math.min(maxMs, firstMs * 2 ** Math.min(attempts, 16));
    const half = Math.floor(fullMs / 2);
    const delayMs = Math.max(1, fullMs - half + this.#draw(half + 1));
    return this.#stopped || nowMs + delayMs >= this.#deadlineMs ? null : delayMs;
  }

  /** For errors: how often each class was waited for. */
  history(): string {
    const classes = [...this.#attempts].sort(([a], [b]) => (a < b ? -1 : 1));
    return classes.map(([name, count]) => `${awaited[name]} ${count === 1 ? "once" : `${count} times`}`).join(", ");
  }
}
