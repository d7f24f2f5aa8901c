import { type ContentSum, contentText, sameContent } from "../../core/bytes/content-hash.ts";
import type { Env } from "../../core/env/env.ts";
import type { Engine } from "../../core/engine/engine.ts";
import { invalidArgument } from "../../core/engine/failure.ts";
import type { EngineOptions } from "../../core/engine/options.ts";
import { corruption, NokvError } from "../../core/errors.ts";
import {
  initAfterCatalog,
  initAfterCheck,
  initAfterGate,
  initAfterMode,
  initAfterRaftSeed,
  initAfterSeededGate,
  initBeforeMode,
} from "../../failpoints/catalog.ts";
import { type ModeFile, writeMode } from "../mode/mode-file.ts";
import { gather } from "./gather.ts";
import { admit, type DirectoryLook, lookAt } from "./look.ts";
import { readMigrationRecord } from "./migration-record.ts";
import { pause } from "./pause.ts";
import { type Progress, readRegions } from "./read-regions.ts";
import { putCatalog, putRaftSeed } from "./seed.ts";
import { seedRegions } from "./seed-plan.ts";
import { withEngine } from "./sessions.ts";

export interface InitOrder {
  readonly directory: string;
  /** Whose store it becomes. Null: as recorded, where it was begun before. */
  readonly clusterId: string | null;
  readonly storeId: number | null;
  /** How many regions; fewer where there are not as many keys. Null: one, or as recorded. */
  readonly regions: number | null;
  /** A directory for a copy by hard links, taken before anything is changed; null: none. */
  readonly checkpoint: string | null;
  readonly engine: Partial<EngineOptions>;
}

/** What is being done, for people who wait. */
export interface InitListener {
  step(what: string): void;
  readonly progress: Progress;
}

export const regionsMax = 1_024;

/**
 * Makes a standalone database the seed of a cluster: metadata only, no data file is written again. Whatever ends it,
 * the same call goes on where it ended, from what the directory says alone; with other wishes than recorded it refuses
 * with `NOKV_INVALID_ARGUMENT`. Resolves with what MODE says in the end.
 */
export async function initSeed(env: Env, order: InitOrder, listener: InitListener): Promise<ModeFile> {
  const { directory } = order;
  const look = lookAt(env, directory);
  const mode = look.mode ?? (await recordedMode(env, order, look));
  if (mode === null) {
    admit("init", directory, look);
    if (!look.hasDatabase) throw new NokvError("NOKV_NOT_FOUND", `there is no database in ${directory}`);
  } else {
    if (look.mode !== null) admit("init", directory, look);
    refuseOthers(order, mode);
  }
  const begun = mode ?? (await begin(env, order, listener));
  if (look.state === "seeded") return begun;
  await seed(env, order, begun, listener);
  listener.step("read it back as a store of the cluster");
  const { content } = await readRegions(env, directory, begun.baseTs, listener.progress);
  checkContent(directory, begun, content);
  env.failpoints.hit(initAfterCheck);
  return await complete(env, order, begun);
}

/** I1 to I3, under one lock: nobody writes between the reading and the mode that keeps everybody else away. */
async function begin(env: Env, order: InitOrder, listener: InitListener): Promise<ModeFile> {
  const { directory, clusterId, storeId, regions, checkpoint } = order;
  if (clusterId === null || storeId === null) {
    throw invalidArgument("say whose store this becomes: --config with --store-id, or --cluster-id and --store-id");
  }
  if (regions !== null && (regions < 1 || regions > regionsMax)) {
    throw invalidArgument(`a seed has 1 to ${regionsMax} regions, not ${regions}`);
  }
  return await withEngine(env, directory, { ...order.engine, createIfMissing: false }, async (engine) => {
    listener.step("move everything into tables");
    await engine.flush();
    if (checkpoint !== null) {
      listener.step(`checkpoint in ${checkpoint}`);
      await engine.checkpoint(checkpoint);
    }
    listener.step("read and hash everything");
    const found = await gather(engine, engine.snapshot(), listener.progress, () => pause(env));
    if (found.unfitCount > 0) {
      const more = found.unfitCount > found.unfit.length ? `, and ${found.unfitCount - found.unfit.length} more` : "";
      throw invalidArgument(`${directory} holds what no cluster takes: ${found.unfit.join("; ")}${more}`);
    }
    const wallMs = Math.max(0, Math.floor(env.clock.wallMs()));
    const mode: ModeFile = {
      mode: "preparing", step: "init", migrationId: migrationIdOf(env, wallMs), clusterId, storeId,
      regions: seedRegions(found.sampler.bounds(regions ?? 1)), baseTs: found.baseTs, verify: found.content,
    };
    listener.step("close it to everybody else");
    env.failpoints.hit(initBeforeMode);
    await writeMode(env, directory, mode);
    env.failpoints.hit(initAfterMode);
    await passGate(engine, mode, "preparing");
    env.failpoints.hit(initAfterGate);
    return mode;
  });
}

/** I4 and I5; and I3 again, where a crash came before it. */
async function seed(env: Env, order: InitOrder, mode: ModeFile, listener: InitListener): Promise<void> {
  const { directory } = order;
  listener.step(`make ${mode.regions.length === 1 ? "its region" : `${mode.regions.length} regions`}`);
  await withEngine(env, directory, given(order), async (engine) => {
    if (engine.gate.mode !== "seeded") await passGate(engine, mode, "preparing");
    await putCatalog(engine, directory, mode);
    env.failpoints.hit(initAfterCatalog);
    await putRaftSeed(env, directory, mode);
    env.failpoints.hit(initAfterRaftSeed);
  });
}

/** I7. */
async function complete(env: Env, order: InitOrder, mode: ModeFile): Promise<ModeFile> {
  const { directory } = order;
  const seeded: ModeFile = { ...mode, mode: "seeded", step: "done" };
  await withEngine(env, directory, given(order), async (engine) => {
    await passGate(engine, mode, "seeded");
    env.failpoints.hit(initAfterSeededGate);
    await writeMode(env, directory, seeded);
  });
  return seeded;
}

async function passGate(engine: Engine, { migrationId }: ModeFile, mode: "preparing" | "seeded"): Promise<void> {
  const { gate } = engine;
  if (gate.mode === mode && gate.migrationId === migrationId) return;
  await engine.passGate({ mode, migrationId });
}

function given({ engine }: InitOrder): Partial<EngineOptions> {
  return { ...engine, createIfMissing: false, durability: "none", versions: "given" };
}

/** MODE is lost, and the seed is there: what it said is in the database too. Null: nothing is. */
async function recordedMode(env: Env, order: InitOrder, { gate }: DirectoryLook): Promise<ModeFile | null> {
  if (gate.mode !== "preparing" && gate.mode !== "seeded") return null;
  const record = await withEngine(env, order.directory, given(order), (engine) => {
    return Promise.resolve(readMigrationRecord(engine));
  });
  if (record === null || record.migrationId !== gate.migrationId) return null;
  refuseOthers(order, { ...record, mode: "preparing", step: "init" });
  const mode: ModeFile = { ...record, mode: "preparing", step: "init" };
  await writeMode(env, order.directory, mode);
  return mode;
}

/** What was begun is finished as it was begun. */
function refuseOthers({ directory, clusterId, storeId, regions }: InitOrder, mode: ModeFile): void {
  const differ: string[] = [];
  if (clusterId !== null && clusterId !== mode.clusterId) differ.push(`cluster ${JSON.stringify(mode.clusterId)}`);
  if (storeId !== null && storeId !== mode.storeId) differ.push(`store ${mode.storeId}`);
  // Where there were not as many keys there are fewer: who asks for more gets what is there.
  if (regions !== null && regions < mode.regions.length) differ.push(`${mode.regions.length} regions`);
  if (differ.length === 0) return;
  const what = `${directory}: a migration was begun for ${differ.join(", ")}, which is not what is asked for now`;
  throw invalidArgument(`${what}; leave these options away to finish it, or undo it with "nokv migrate rollback"`);
}

function checkContent(directory: string, { verify, baseTs }: ModeFile, content: ContentSum): void {
  if (verify !== null && sameContent(verify, content)) return;
  const [before, after] = [verify, content].map((sum) =>
    sum === null ? "unknown" : `${sum.count} keys, ${sum.bytes} bytes, ${contentText(sum)}`,
  );
  const what = `read as a store at ${baseTs} it holds ${after}; before it held ${before}`;
  throw corruption(directory, 0, what, 'undo it with "nokv migrate rollback", and report this as a defect');
}

function migrationIdOf(env: Env, wallMs: number): string {
  const words = [0, 1].map((i) => env.random.u32("node/migration-id", i, wallMs).toString(16).padStart(8, "0"));
  return words.join("");
}
