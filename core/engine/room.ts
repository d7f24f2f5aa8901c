import { NokvError } from "../errors.ts";

/** Why new writes wait or are refused: how far the background is behind, and whether it gets on. */
export interface Pressure {
  readonly level0Tables: number;
  readonly debtBytes: number;
  /** The last attempt to flush, or to compact, failed with this. */
  readonly flushFailure: NokvError | null;
  readonly compactionFailure: NokvError | null;
  /** None begins before an export, an import or a checkpoint has ended, for which the event loop must turn. */
  readonly compactionIsLent: boolean;
}

/** Of a store whose background has not begun. */
export const noPressure: Pressure = {
  level0Tables: 0, debtBytes: 0, flushFailure: null, compactionFailure: null, compactionIsLent: false,
};

/** A bound is reached for now. */
export function busy(message: string): NokvError {
  return new NokvError("NOKV_BUSY", message);
}

/** Nothing happened. After a full disk the caller learns that, otherwise that it may try again. */
export function behind(what: string, failure: NokvError | null): NokvError {
  if (failure === null) return busy(what);
  const code = failure.code === "NOKV_NO_SPACE" ? "NOKV_NO_SPACE" : "NOKV_BUSY";
  return new NokvError(code, `${what}: ${failure.message}`, { cause: failure });
}
