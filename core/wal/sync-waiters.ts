import type { DiskError } from "../env/disk.ts";
import type { WalSegment } from "./segment.ts";

interface SyncWaiter {
  readonly segment: WalSegment;
  readonly bytes: number;
  readonly done: (error: DiskError | null) => void;
}

/** Who waits for segments to be durable up to some byte. They are told in the order in which they came. */
export class SyncWaiters {
  readonly #waiters: SyncWaiter[] = [];

  add(waiter: SyncWaiter): void {
    this.#waiters.push(waiter);
  }

  /** Tells those whose segment is as far, or is needed no more. */
  tell(): void {
    while (this.#waiters.length > 0) {
      const { segment, bytes, done } = this.#waiters[0] as SyncWaiter;
      if (!segment.forgotten && segment.durableBytes < bytes) return;
      this.#waiters.shift();
      done(null);
    }
  }

  fail(error: DiskError): void {
    for (const { done } of this.#waiters.splice(0)) done(error);
  }
}
