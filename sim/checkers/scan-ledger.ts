import { show } from "./text.ts";

/**
 * What one complete SCAN owes: every key that was there from its start to its end, no key that was never
 * written, and, since the order of keys is what its cursor stands for, no key twice.
 */
export function judgeScanPass(
  pass: readonly string[],
  always: readonly string[],
  everWritten: ReadonlySet<string>,
): string | null {
  const seen = new Set<string>();
  for (const key of pass) {
    if (seen.has(key)) return `SCAN returned ${show(key)} twice`;
    if (!everWritten.has(key)) return `SCAN returned ${show(key)}, which nobody ever wrote`;
    seen.add(key);
  }
  for (const key of always) {
    if (!seen.has(key)) return `SCAN missed ${show(key)}, which was there all the time`;
  }
  return null;
}
