import { versionMax } from "../../core/bytes/record.ts";

/**
 * A timestamp is a version: (ms since 2024-01-01 UTC) * 4096 + a count within the millisecond, below 2^53. It is
 * a plain number; bit operators would cut it to 32 bits, so nothing but comparison, floor and multiplication is
 * ever done to one.
 */
export const timestampsPerMs = 4096;
export const timestampMax = versionMax;

/** Milliseconds since 2024: the only clock by which lifetimes of locks are judged. */
export function physicalMs(ts: number): number {
  return Math.floor(ts / timestampsPerMs);
}

/** Judged by timestamps of one oracle alone, so every replica and every client agrees. */
export function isExpired(lock: { readonly startTs: number; readonly ttlMs: number }, currentTs: number): boolean {
  return physicalMs(lock.startTs) + lock.ttlMs < physicalMs(currentTs);
}
