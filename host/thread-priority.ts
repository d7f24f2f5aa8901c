import { readlinkSync } from "node:fs";
import { setPriority } from "node:os";

/**
 * Lowers the priority of the calling thread alone to `nice`, where the system knows priorities of threads. The link
 * names the thread that reads it, and Linux takes its number for that of a process.
 */
export function lowerThreadPriority(nice: number): void {
  if (nice === 0) return;
  try {
    const thread = Number(/(\d+)$/.exec(readlinkSync("/proc/thread-self"))?.[1] ?? 0);
    if (thread > 0) setPriority(thread, nice);
  } catch {
    // Another system, or one that does not allow it: then all threads are equal.
  }
}
