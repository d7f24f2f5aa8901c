import type { Env } from "../../core/env/env.ts";

/** Lets everything that waits in this process run once. */
export function pause(env: Env): Promise<void> {
  return new Promise((resolve) => env.clock.soon(resolve));
}
