/** What clocks of healthy machines differ by, and then some. */
const apartMsMax = 60_000;

/** Tells a person, by default as a warning of the process. */
type Warn = (message: string) => void;

function warnProcess(message: string): void {
  process.emitWarning(message, { type: "NokvClockWarning", code: "NOKV_CLOCK" });
}

/**
 * Says so when the database in `directory` can not follow the machine's clock: `presentMs` is what it judges lifetimes
 * by, `wallMs` what the machine believes. Its present never goes back, so one write under a clock that is years ahead
 * leaves lifetimes standing still for years, and nobody else would tell.
 */
export function warnOfClock(directory: string, presentMs: number, wallMs: number, warn: Warn = warnProcess): void {
  if (Math.abs(presentMs - wallMs) <= apartMsMax) return;
  const [present, wall] = [toText(presentMs), toText(wallMs)];
  warn(
    `${directory}: the newest write is of ${present} and this machine's clock shows ${wall}. Reads and writes are ` +
      "right, but lifetimes by ttlMs stand still until the clock is there, and an expiresAtMs before it is over at " +
      "once. Set the clock if it is wrong; if it was wrong then, copy what entries() shows into a new directory",
  );
}

function toText(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? `${ms} ms` : date.toISOString();
}
