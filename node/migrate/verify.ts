import { type ContentSum, sameContent } from "../../core/bytes/content-hash.ts";
import type { Env } from "../../core/env/env.ts";
import { openReadOnlyEngine } from "../../core/engine/read-only.ts";
import { versionMs } from "../../core/lsm/drop-rules.ts";
import { invalidArgument } from "../../core/engine/failure.ts";
import { gather } from "./gather.ts";
import { lookAt } from "./look.ts";
import { pause } from "./pause.ts";
import { type Progress, readRegions } from "./read-regions.ts";

/** What a seed shows, by paths that share nothing but the tables. */
export interface SeedVerdict {
  readonly directory: string;
  readonly baseTs: number;
  /** As recorded by `init`. */
  readonly recorded: ContentSum | null;
  /** By the iterator of a standalone database. */
  readonly iterated: ContentSum;
  /** By scans of every region; null: there are none yet. */
  readonly scanned: ContentSum | null;
  readonly regions: number;
  readonly same: boolean;
}

/** Changes nothing. Rejects with `NOKV_INVALID_ARGUMENT` for a directory that no migration was begun on. */
export async function verifySeed(env: Env, directory: string, progress: Progress): Promise<SeedVerdict> {
  const { mode, gate, state } = lookAt(env, directory);
  if (mode === null || mode.baseTs === 0) {
    throw invalidArgument(`${directory} is ${state}: no migration was begun on it, there is nothing to compare with`);
  }
  if (gate.mode === "cluster") {
    throw invalidArgument(`${directory} is served: a cluster is compared while it runs, with --config`);
  }
  const { baseTs, verify: recorded } = mode;
  const { engine } = await openReadOnlyEngine(env, directory);
  const snapshot = engine.snapshotAt(baseTs, versionMs(baseTs));
  const { content: iterated } = await gather(engine, snapshot, progress, () => pause(env));
  await engine.close();
  const read = state === "seeded" ? await readRegions(env, directory, baseTs, progress) : null;
  const scanned = read?.content ?? null;
  const same = [recorded, scanned].every((other) => other === null || sameContent(other, iterated));
  return { directory, baseTs, recorded, iterated, scanned, regions: read?.regions.length ?? 0, same };
}
