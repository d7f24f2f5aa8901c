import type { DiskError } from "../env/disk.ts";
import type { WalSegment } from "./segment.ts";

interface SyncWaiter {
  readonly segment: WalSegment;
  readonly bytes: number;
  readonly done: (error: DiskError | null) => void;
}

/** Who waits for segments to be durable up to some byte. Of those that can be told, who came first is told first. */
export class SyncWaiters {
  readonly #waiters: SyncWaiter[] = [];

  add(waiter: SyncWaiter): void {
    this.#waiters.push(waiter);
  }

  /** Tells those whose segment is as far, or is needed no more. */
  tell(): void {
    for (;;) {
      // Not the first alone: it may wait for groups that are held back until a flush, which waits as well, gets on.
      const at = this.#waiters.findIndex((one) => isTold(one));
      const [waiter] = at < 0 ? [] : this.#waiters.splice(at, 1);
      if (waiter === undefined) return;
      waiter.done(null);
    }
  }

  fail(error: DiskError): void {
    for (const { done } of this.#waiters.splice(0)) done(error);
  }
}

function isTold({ segment, bytes }: SyncWaiter): boolean {
  if (segment.forgotten) return true;
  return segment.durableBytes >= bytes;
}
