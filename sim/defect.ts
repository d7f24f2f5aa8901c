import { AssertionError } from "../core/assert.ts";

/** An error that no correct program throws, whatever its machine does: a run that meets one ends. */
export function isDefect(error: unknown): boolean {
  return (
    error instanceof AssertionError ||
    error instanceof TypeError ||
    error instanceof RangeError ||
    error instanceof ReferenceError ||
    error instanceof SyntaxError
  );
}

const rooms = "failpoints|core|net|raft|coordinator|txn|node|sim|scenarios|host|cli";
const sourceLine = new RegExp(`((?:${rooms})/[\\w./-]+\\.[jt]s:\\d+:\\d+)`);
const noise = /core\/assert\.[jt]s|sim\/traps\.[jt]s|host\/real-world\.[jt]s/;

/** Where in a file a line of a stack is; packages that somebody else wrote, and Node.js itself, are no place. */
const placeOfOthers = /((?:file:\/\/)?\/[^()]*:\d+:\d+)\)?$/;
const notTheirs = /node_modules|\bnode:/;

/**
 * Name and message of `error`, and the first line in its stack that is ours or the program's under test. For people:
 * never hashed.
 */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return `thrown: ${String(error)}`;
  const text = `${error.name}: ${error.message}`;
  for (const line of (error.stack ?? "").split("\n")) {
    const ours = sourceLine.exec(line)?.[1];
    if (ours !== undefined && noise.test(ours)) continue;
    const place = ours ?? (notTheirs.test(line) ? undefined : placeOfOthers.exec(line)?.[1]);
    if (place !== undefined) return `${text} (at ${place})`;
  }
  return text;
}
