import { NokvError, type NokvErrorCode } from "../core/errors.ts";

/** What users of `abstract-level` know these errors by; others keep their own code. */
const levelCodes: Readonly<Partial<Record<NokvErrorCode, string>>> = {
  NOKV_ABORTED: "LEVEL_ABORTED",
  NOKV_CLOSED: "LEVEL_DATABASE_NOT_OPEN",
  NOKV_CORRUPTION: "LEVEL_CORRUPTION",
  NOKV_IO: "LEVEL_IO_ERROR",
  NOKV_LOCKED: "LEVEL_LOCKED",
  NOKV_NO_SPACE: "LEVEL_IO_ERROR",
  NOKV_POISONED: "LEVEL_IO_ERROR",
  NOKV_UNDETERMINED: "LEVEL_IO_ERROR",
};

/** An error with a `LEVEL_*` code; its `cause` is the `NokvError`. */
export class NokvLevelError extends Error {
  override readonly name: string;
  readonly code: string;

  constructor(code: string, cause: NokvError) {
    super(cause.message, { cause });
    // By this name the platform's own calls report an abort.
    this.name = code === "LEVEL_ABORTED" ? "AbortError" : "NokvLevelError";
    this.code = code;
  }
}

/** Runs `work`; what it throws speaks of the database in the words of `abstract-level`. */
export function inLevelTerms<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw toLevelError(error);
  }
}

export async function inLevelTermsLater<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toLevelError(error);
  }
}

function toLevelError(error: unknown): Error {
  if (!(error instanceof NokvError)) return error as Error;
  const code = levelCodes[error.code];
  return code === undefined ? error : new NokvLevelError(code, error);
}
