import { type VerifyReport, verifyDirectory } from "../core/engine/verify.ts";
import type { Env } from "../core/env/env.ts";
import { NokvError } from "../core/errors.ts";
import type { World } from "../sim/world.ts";
import { watchedEnv } from "./watched-disk.ts";

/** Verifies a directory that nobody has open. Null: the machine refused, or there is no database yet. */
export async function verifyAtRest(env: Env, world: World, directory: string): Promise<VerifyReport | null> {
  const watched = watchedEnv(env, (what) => world.fail("verify", `verifying changed the directory: ${what}`));
  try {
    return await verifyDirectory(watched, directory);
  } catch (error) {
    if (!(error instanceof NokvError)) throw error;
    if (error.code === "NOKV_IO" || error.code === "NOKV_NOT_FOUND") return null;
    world.fail("verify", `verifying failed: ${error.code} ${error.message}`);
  }
}

/** What is damage and not the machine's refusal to read; null: the directory is sound. */
export function damageIn(report: VerifyReport): string | null {
  const found = report.findings.filter(({ severity, what }) => severity === "damage" && !/\bE[A-Z]{2,}: /.test(what));
  if (found.length === 0) return null;
  return found.map(({ path, offset, what }) => `${path}: offset ${offset ?? 0}: ${what}`).join("; ");
}
