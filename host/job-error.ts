import { DiskError } from "../core/env/disk.ts";
import { NokvError } from "../core/errors.ts";

/** An error as structured cloning can carry it: a clone alone would lose its class and its fields. */
export type PlainError =
  | {
      readonly type: "disk";
      readonly code: DiskError["code"];
      readonly path: string;
      readonly operation: string;
    }
  | {
      readonly type: "nokv";
      readonly code: NokvError["code"];
      readonly fact: string;
      readonly path: string | null;
      readonly offset: number | null;
      readonly remedy: string | null;
      readonly cause: PlainError | null;
    }
  | { readonly type: "other"; readonly name: string; readonly message: string; readonly stack: string };

export function toPlainError(error: unknown): PlainError {
  if (error instanceof DiskError) {
    const { code, path, message } = error;
    // The message is "CODE: operation path".
    const operation = message.slice(code.length + 2, message.length - path.length - 1);
    return { type: "disk", code, path, operation };
  }
  if (error instanceof NokvError) {
    const { code, fact, path, offset, remedy } = error;
    const cause = error.cause === undefined ? null : toPlainError(error.cause);
    return { type: "nokv", code, fact, path, offset, remedy, cause };
  }
  if (error instanceof Error) {
    return { type: "other", name: error.name, message: error.message, stack: error.stack ?? "" };
  }
  return { type: "other", name: "Error", message: String(error), stack: "" };
}

export function fromPlainError(plain: PlainError): Error {
  switch (plain.type) {
    case "disk":
      return new DiskError(plain.code, plain.operation, plain.path);
    case "nokv":
      return new NokvError(plain.code, plain.fact, {
        ...(plain.path === null ? {} : { path: plain.path }),
        ...(plain.offset === null ? {} : { offset: plain.offset }),
        ...(plain.remedy === null ? {} : { remedy: plain.remedy }),
        ...(plain.cause === null ? {} : { cause: fromPlainError(plain.cause) }),
      });
    case "other": {
      const error = new Error(plain.message);
      error.name = plain.name;
      error.stack = plain.stack;
      return error;
    }
  }
}
