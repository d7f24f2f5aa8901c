import type { Write } from "../percolator/view.ts";

/** Counts what transactions leave in the replicas of a process: what may become garbage, or hold some back. */
export class WriteCount {
  #count = 0;

  /** Grows with every run of entries that left something. */
  get count(): number {
    return this.#count;
  }

  /** What a collection itself does leaves nothing to collect. */
  add(writes: readonly Write[]): void {
    if (writes.some(leavesSomething)) this.#count++;
  }
}

function leavesSomething(write: Write): boolean {
  if (write.kind === "gc-floor" || write.kind === "gc-safe-point") return false;
  return write.kind !== "record" || write.record !== null;
}
