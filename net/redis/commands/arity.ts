import type { Call } from "../call.ts";

/** For counts that a number cannot say, such as pairs. */
export function wrongArity(call: Call, name: string): void {
  call.error(`ERR wrong number of arguments for '${name}' command`);
}
