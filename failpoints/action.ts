/**
 * What may happen at a failpoint, and how it is written down:
 *
 *     action := [percent "%"] [count "*"] kind      e.g. "crash", "20%error", "3*delay", "20%3*crash"
 *
 * `percent` is the chance of each visit (default 100), `count` how often it fires at most (default: no bound).
 */
export interface Action {
  readonly kind: ActionKind;
  /** Chance per visit, in percent, 1 to 100. */
  readonly percent: number;
  /** Fires at most so often; 0 means without bound. */
  readonly count: number;
}

export type ActionKind = "crash" | "error" | "delay";

const grammar = /^(?:(\d{1,3})%)?(?:(\d{1,9})\*)?(crash|error|delay)$/;

/** Throws RangeError naming the text when it does not follow the grammar. */
export function parseAction(text: string): Action {
  const match = grammar.exec(text);
  if (match === null) {
    throw new RangeError(`failpoint action "${text}": expected [N%][N*]crash|error|delay`);
  }
  const percent = match[1] === undefined ? 100 : Number(match[1]);
  const count = match[2] === undefined ? 0 : Number(match[2]);
  if (percent < 1 || percent > 100) {
    throw new RangeError(`failpoint action "${text}": percent must be between 1 and 100`);
  }
  if (match[2] !== undefined && count < 1) {
    throw new RangeError(`failpoint action "${text}": count must be at least 1`);
  }
  return { kind: match[3] as ActionKind, percent, count };
}
