/** The unit a device writes whole or not at all. */
export const sectorBytes = 512;

/** The unit in which a killed process's last write may stop short. */
export const pageBytes = 4_096;

/** Bound of one simulated file: the images are held in memory. */
export const fileBytesMax = 1 << 30;

/** A well-mixed 32-bit value of `value`, `a` and `b`: many decisions out of one draw. */
export function spread(value: number, a: number, b: number): number {
  let hash = (value ^ Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca77)) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  hash ^= hash >>> 16;
  hash = Math.imul(hash + 0x9e3779b9, 0x7feb352d);
  return (hash ^ (hash >>> 15)) >>> 0;
}

/** Whether `value`, evenly spread over 32 bits, falls under a rate per 1,000,000. */
export function within(value: number, ratePerMillion: number): boolean {
  return value % 1_000_000 < ratePerMillion;
}
