import { unreachable } from "../../core/assert.ts";
import type { NokvError } from "../../core/errors.ts";

/** Texts that clients compare with; word for word Redis's. */
export const errorText = {
  syntax: "ERR syntax error",
  notAnInteger: "ERR value is not an integer or out of range",
  overflow: "ERR increment or decrement would overflow",
  tooLong: "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
  noAuth: "NOAUTH Authentication required.",
  wrongPass: "WRONGPASS invalid username-password pair or user is disabled.",
  invalidCursor: "ERR invalid cursor",
  dbOutOfRange: "ERR DB index is out of range",
  noProto: "NOPROTO unsupported protocol version",
  maxClients: "ERR max number of clients reached",
  nestedMulti: "ERR MULTI calls can not be nested",
  watchInMulti: "ERR WATCH inside MULTI is not allowed",
  execWithoutMulti: "ERR EXEC without MULTI",
  discardWithoutMulti: "ERR DISCARD without MULTI",
  notInTransaction: "ERR Command not allowed inside a transaction",
  execAbort: "EXECABORT Transaction discarded because of previous errors.",
  clientName: "ERR Client names cannot contain spaces, newlines or special characters.",
} as const;

export const deniedText =
  "DENIED Redis is running in protected mode because protected mode is enabled and no password is set. " +
  "In this mode connections are only accepted from the loopback interface. To accept others, set a " +
  "password or turn protected mode off, and make sure that the server cannot be reached from the internet.";

/** What a client is told of a failure of the store. The first word is for programs. */
export function storeErrorText(error: NokvError): string {
  switch (error.code) {
    case "NOKV_UNDETERMINED":
      return `UNDETERMINED the write may or may not survive: ${error.message}`;
    case "NOKV_BUSY":
      return `TRYAGAIN ${error.message}`;
    case "NOKV_NO_SPACE":
      return `OOM command not allowed: no space left on device: ${error.message}`;
    case "NOKV_POISONED":
      return `MISCONF writes are refused until the server is restarted: ${error.message}`;
    case "NOKV_CORRUPTION":
      return `ERR corruption: ${error.message}`;
    case "NOKV_IO":
      return `ERR the machine failed: ${error.message}`;
    case "NOKV_INVALID_ARGUMENT":
    case "NOKV_CLOSED":
    case "NOKV_LOCKED":
    case "NOKV_NOT_FOUND":
    case "NOKV_FOREIGN_DIRECTORY":
    case "NOKV_FORMAT":
    case "NOKV_ABORTED":
      return `ERR ${error.message}`;
    default:
      return unreachable(error.code);
  }
}
