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
const noise = /core\/assert\.[jt]s|sim\/traps\.[jt]s/;

/** Name and message of `error`, and the first line of ours in its stack. For people: never hashed. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return `thrown: ${String(error)}`;
  const text = `${error.name}: ${error.message}`;
  for (const line of (error.stack ?? "").split("\n")) {
    const place = sourceLine.exec(line)?.[1];
    if (place !== undefined && !noise.test(place)) return `${text} (at ${place})`;
  }
  return text;
}
