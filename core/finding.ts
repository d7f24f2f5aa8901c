import { NokvError } from "./errors.ts";

/**
 * `damage`: data is unreadable or wrong, or may be. `warning`: what an operator should know, and no data is in
 * doubt. `repairable`: what a crash leaves, and the next opening tidies up.
 */
export type Severity = "damage" | "warning" | "repairable";

/** One thing that is not as it should be in a directory. Plain data; the text is for people. */
export interface Finding {
  readonly severity: Severity;
  readonly path: string;
  /** Null: the file as a whole. */
  readonly offset: number | null;
  readonly what: string;
  readonly remedy: string;
}

export const remedies = {
  restore: "restore the file from a backup",
  reopen: "none: the next opening drops it",
  foreign: "none: it is never touched; move it away if it is not wanted",
} as const;

/** As much of an error as a finding needs: a `NokvError`, or what a disk threw. */
interface Failure {
  readonly message: string;
  readonly path: string | null;
}

/** What an error of reading says, as a finding: its place and its remedy, which the message has too, stand apart. */
export function damageOf(error: Failure, path: string): Finding {
  const { fact, offset } = error instanceof NokvError ? error : { fact: error.message, offset: null };
  const place = error.path ?? path;
  const prefix = offset === null ? `${place}: ` : `${place}: offset ${offset}: `;
  const what = fact.startsWith(prefix) ? fact.slice(prefix.length) : fact;
  return { severity: "damage", path: place, offset, what, remedy: remedies.restore };
}
