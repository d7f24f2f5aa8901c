import { hostname } from "node:os";

/** Who this process is, for the person who finds a directory locked. */
export function ownerText(): string {
  const startedMs = Date.now() - process.uptime() * 1_000;
  return `pid ${process.pid} on host ${hostname()} since ${new Date(startedMs).toISOString()}`;
}
