// HOT: once per key written, read or added to a filter.
/**
 * The one hash of a (family, key): memtable slots and bloom filters share it, so a lookup computes it once.
 * It is part of the table format: filters on disk were built with it.
 *
 * Four bytes per round (xor, multiply, fold the high half down: a bijection of the state for given bytes),
 * then Murmur3's finalizer. A signed 32-bit integer: those never cost an allocation.
 */
export function hashKey(family: number, bytes: Uint8Array, start: number, length: number): number {
  let h = Math.imul(length ^ (family << 24), 0x9e3779b1);
  let at = start;
  const end = start + length;
  for (const last = end - 4; at <= last; at += 4) {
    const word =
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    h = Math.imul(h ^ word, 0x85ebca77);
    h ^= h >>> 15;
  }
  for (; at < end; at++) {
    h = Math.imul(h ^ (bytes[at] as number), 0xc2b2ae3d);
    h ^= h >>> 15;
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
