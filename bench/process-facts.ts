import { readFileSync } from "node:fs";
import type { Metrics } from "./phase.ts";

/** Numbers after a name in one of this process's files under /proc/self; 0 where the system has no such file. */
function procNumber(file: string, name: string): number {
  try {
    const match = new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(readFileSync(`/proc/self/${file}`, "utf8"));
    return Number(match?.[1] ?? "0");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0;
    throw error;
  }
}

/** Bytes that all threads of this process gave to `write(2)` and its kin. */
export function bytesWritten(): number {
  return procNumber("io", "wchar");
}

/** `anonMiB` leaves out mapped files, which the system can drop at will. */
export function memoryMetrics(): Metrics {
  return {
    rssMiB: process.memoryUsage.rss() / 2 ** 20,
    rssMaxMiB: procNumber("status", "VmHWM") / 1024,
    anonMiB: (procNumber("status", "RssAnon") + procNumber("status", "RssShmem")) / 1024,
  };
}
