import { openEngine } from "../core/engine/engine.ts";
import type { Env } from "../core/env/env.ts";
import { NokvError } from "../core/errors.ts";
import { judgeDirectory } from "../sim/checkers/engine-invariants.ts";
import { judgeValues } from "../sim/checkers/value-accounting.ts";
import type { EngineDriver } from "./engine-driver.ts";
import { look } from "./engine-look.ts";
import { damageIn } from "./engine-verify.ts";
import { pause } from "./recording-clock.ts";

/** Background work may keep the directory in between for so many looks, 100 ms apart. */
const directoryChecksMax = 600;

/**
 * Fails when files that belong to nothing stay although nobody works on them any more, and when what tables say of
 * value files is not so. `collected`: everything was just compacted, so no value file may be full of garbage.
 */
export async function checkDirectory(driver: EngineDriver, env: Env, collected = false): Promise<void> {
  const { world, context } = driver;
  const { directory, options } = driver.plan;
  const garbageMax = collected ? (options.valueGarbagePercent ?? null) : null;
  const mayBeDamaged = driver.plan.damaged === true || world.options.atRestCorruption;
  for (let patience = directoryChecksMax; ; patience--) {
    const problem = judgeDirectory(env.disk.list(directory), driver.engine.stats());
    if (problem === null) {
      const wrong = mayBeDamaged ? null : judgeValues(env.disk, directory, garbageMax);
      if (wrong !== null) world.fail("values", `${context}: ${wrong}`);
      return;
    }
    if (patience === 0) world.fail("directory", `${context}: ${problem}`);
    await pause(env, 100_000);
  }
}

/** A directory has one owner: opening it again must be refused, and change nothing. */
export async function openTwice({ world, plan }: EngineDriver, env: Env): Promise<void> {
  const looked = await look(env, world, plan);
  const refused = looked instanceof NokvError && (looked.code === "NOKV_LOCKED" || looked.code === "NOKV_IO");
  if (!refused) world.fail("lock", "somebody looked at a directory that is open for writing");
  try {
    await openEngine(env, plan.directory, plan.options);
  } catch (error) {
    if (!(error instanceof NokvError)) throw error;
    if (error.code === "NOKV_LOCKED" || error.code === "NOKV_IO") return;
    world.fail("lock", `opened twice: ${error.code} ${error.message}`);
  }
  world.fail("lock", "the directory was opened twice");
}

/** Verifies the open engine while it works; what is wrong with it, or null. */
export async function verifyOpen(driver: EngineDriver): Promise<string | null> {
  try {
    const damage = damageIn(await driver.engine.verify());
    // A sync that failed may cost the log's pages their content: then the store is poisoned, too.
    return damage !== null && damage.includes("/wal-") && driver.poisoned ? null : damage;
  } catch (error) {
    if (!(error instanceof NokvError)) throw error;
    if (error.code === "NOKV_CLOSED" || error.code === "NOKV_IO") return null;
    return `${error.code} ${error.message}`;
  }
}
