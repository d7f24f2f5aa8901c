import { compareKeys } from "../../core/bytes/record.ts";

interface Keyed {
  readonly key: Uint8Array;
}

/** Two lists in key order as one, at most `limit` entries; of a key that is in both, the entry of `above`. */
export function mergeByKey<T extends Keyed>(below: readonly T[], above: readonly T[], limit: number): T[] {
  const merged: T[] = [];
  let b = 0;
  let a = 0;
  while (merged.length < limit && (b < below.length || a < above.length)) {
    const lower = below[b];
    const upper = above[a];
    const order = lower === undefined ? 1 : upper === undefined ? -1 : compareKeys(lower.key, upper.key);
    merged.push((order < 0 ? lower : upper) as T);
    if (order <= 0) b++;
    if (order >= 0) a++;
  }
  return merged;
}
