import { contentText, type ContentSum, sameContent } from "../core/bytes/content-hash.ts";
import type { Env } from "../core/env/env.ts";
import { openEngine } from "../core/engine/engine.ts";
import { raftDirectoryName } from "../core/engine/file-names.ts";
import { openReadOnlyEngine } from "../core/engine/read-only.ts";
import { NokvError } from "../core/errors.ts";
import { versionMs } from "../core/lsm/drop-rules.ts";
import { type DirectoryLook, lookAt } from "../node/migrate/look.ts";
import type { DirectoryState } from "../node/mode/openers.ts";
import { readMigrationRecord } from "../node/migrate/migration-record.ts";
import { verifySeed } from "../node/migrate/verify.ts";
import { readRegionStates } from "../raft/store/local-records.ts";
import type { World } from "../sim/world.ts";
import { contentAt, type Written } from "./migrate-init-writer.ts";

/** Enough for what a scenario writes; memory that is asked for and not used takes time as well. */
export const memoryBytes = 1024 * 1024;

/** O11: what MODE, gate, catalog and Raft log say together is what some crash of a migration leaves. */
export async function judgeTuple(world: World, env: Env, directory: string, where: string): Promise<DirectoryLook> {
  const look = lookAt(env, directory);
  const { engine } = await openReadOnlyEngine(env, directory, { memtableBytes: memoryBytes });
  const regions = readRegionStates(engine).size;
  const record = readMigrationRecord(engine);
  await engine.close();
  const raft = `${directory}/${raftDirectoryName}`;
  const logs = env.disk.kind(raft) === null ? 0 : env.disk.list(raft).length;
  const { mode, gate, state } = look;
  const fail = (what: string): never => {
    const pair = `MODE ${mode === null ? "none" : `${mode.mode} ${mode.step}`}, gate ${gate.mode}`;
    return world.fail("legal-mode", `${where}: ${what}: ${pair}, ${regions} regions, ${logs} segments`);
  };
  if (state === "illegal") fail("no crash leaves this pair");
  if (mode === null && (gate.mode !== "standalone" || regions > 0 || logs > 0)) fail("MODE is missing");
  if ((record === null) !== (regions === 0)) fail("a catalog without its record, or the other way round");
  if (gate.mode === "standalone" && regions > 0) fail("regions behind a gate that says standalone");
  if (logs > 0 && regions === 0 && state !== "undoing") fail("a Raft log without regions");
  if (state === "seeded" && (regions !== mode?.regions.length || logs === 0)) fail("a seed that is not whole");
  if (gate.migrationId !== "" && gate.migrationId !== mode?.migrationId) fail("the gate is another migration's");
  return look;
}

/** Nobody but a migration writes to what a migration has begun on, and everybody to what it has not. */
// oxlint-disable-next-line max-params
export async function judgeOpening(
  world: World,
  env: Env,
  directory: string,
  look: DirectoryLook,
  where: string,
): Promise<void> {
  let refusal: string | null = null;
  try {
    const engine = await openEngine(env, directory, { memtableBytes: memoryBytes });
    await engine.close();
  } catch (error) {
    if (!(error instanceof NokvError) || error.code !== "NOKV_FOREIGN_DIRECTORY") throw error;
    refusal = error.message;
  }
  const isRight = look.state === "standalone" ? refusal === null : hints[look.state].test(refusal ?? "");
  if (isRight) return;
  const outcome = refusal === null ? "let in" : `refused: ${refusal}`;
  world.fail("mode-gate", `${where}: it is ${look.state}, and the embedded opening is ${outcome}`);
}

/** What whoever is refused is told to do. Without MODE, it may be restored. */
export const hints: Readonly<Record<Exclude<DirectoryState, "standalone">, RegExp>> = {
  preparing: /nokv migrate (?:init|rollback)/, undoing: /nokv migrate rollback/,
  illegal: /MODE.*nokv migrate rollback/,
  seeded: /nokv serve/, cluster: /nokv serve/,
};

/** A seed shows what the application wrote, by the application's own word and by two ways of reading. */
// oxlint-disable-next-line max-params
export async function judgeSeed(
  world: World,
  env: Env,
  directory: string,
  written: readonly Written[],
  where: string,
): Promise<void> {
  const verdict = await verifySeed(env, directory, () => {});
  const expected = contentAt(written, versionMs(verdict.baseTs));
  const { recorded, iterated, scanned } = verdict;
  for (const [name, sum] of [["recorded", recorded], ["iterated", iterated], ["scanned", scanned]] as const) {
    if (sum !== null && sameContent(sum, expected)) continue;
    world.fail("content", `${where}: ${name} ${sum === null ? "nothing" : textOf(sum)}, written ${textOf(expected)}`);
  }
}

function textOf(sum: ContentSum): string {
  return `${sum.count} keys, ${sum.bytes} bytes, ${contentText(sum)}`;
}
