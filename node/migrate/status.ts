import type { Env } from "../../core/env/env.ts";
import { openReadOnlyEngine } from "../../core/engine/read-only.ts";
import type { RegionMeta } from "../../raft/region.ts";
import { readRegionStates } from "../../raft/store/local-records.ts";
import type { GateMode } from "../../core/manifest/format-gate.ts";
import type { ModeFile } from "../mode/mode-file.ts";
import { type DirectoryState, pairText } from "../mode/openers.ts";
import { lookAt } from "./look.ts";
import { nextOf } from "./plan.ts";

/** How far a stopped directory is, from the directory alone. */
export interface MigrationStatus {
  readonly directory: string;
  readonly state: DirectoryState;
  readonly mode: ModeFile | null;
  readonly gate: GateMode;
  /** Regions in the engine's catalog. */
  readonly regions: readonly RegionMeta[];
  readonly next: string;
  /** "": nothing is under way. */
  readonly resume: string;
}

export type Stage =
  | "standalone-ready" | "standalone-empty" | "seed-preparing" | "seed-undoing" | "seed-ready" | "cluster-active"
  | "contradictory";

export interface MigrationReport extends MigrationStatus {
  readonly stage: Stage;
  readonly summary: string;
  readonly readyForInit: boolean;
  readonly readyForServe: boolean;
  readonly nextSteps: readonly string[];
}

/** Changes nothing. Rejects with `NOKV_NOT_FOUND`, `NOKV_LOCKED`, `NOKV_CORRUPTION`, `NOKV_IO`. */
export async function migrationStatus(env: Env, directory: string): Promise<MigrationStatus> {
  const { mode, gate, state, hasDatabase } = lookAt(env, directory);
  let regions: readonly RegionMeta[] = [];
  if (hasDatabase) {
    const { engine } = await openReadOnlyEngine(env, directory);

    regions = [...readRegionStates(engine).values()].map(({ region }) => region);
    await engine.close();
  }
  const storeId = mode === null || mode.storeId === 0 ? null : mode.storeId;
  const next = nextOf({ directory, storeId }, state, hasDatabase);
  return { directory, state, mode, gate: gate.mode, regions, next, resume: resumeOf(state, mode, gate.mode) };
}

export async function migrationReport(env: Env, directory: string): Promise<MigrationReport> {
  const status = await migrationStatus(env, directory);
  const { state, next } = status;
  const [stage, summary] = stageOf(status);
  const nextSteps = next === "" ? [] : [next];
  if (state === "seeded" || state === "cluster") {
    nextSteps.push("after boot: nokv migrate expand --config FILE --to 2,3 brings it to more stores");
  }
  if (state === "seeded") nextSteps.push(`or back again: nokv migrate rollback --workdir ${directory}`);
  return {
    ...status, stage, summary, readyForInit: stage === "standalone-ready" || stage === "seed-preparing",
    readyForServe: state === "seeded" || state === "cluster", nextSteps,
  };
}

function resumeOf(state: DirectoryState, mode: ModeFile | null, gate: GateMode): string {
  switch (state) {
    case "preparing":
      return "init was interrupted: the same command finishes it, rollback undoes it";
    case "undoing":
      return "rollback was interrupted: the same command finishes it";
    case "illegal":
      return `${pairText(mode, gate)}: restore MODE from MODE.prev or a copy`;
    case "standalone":
    case "seeded":
    case "cluster":
      return "";
  }
}

function stageOf({ state, next }: MigrationStatus): readonly [Stage, string] {
  switch (state) {
    case "standalone":
      if (next === "") return ["standalone-empty", "there is no database here; an empty directory needs no migration"];
      return ["standalone-ready", "a standalone database, which can be made the seed of a cluster"];
    case "preparing":
      return ["seed-preparing", "it is being made the seed of a cluster; nobody may write to it meanwhile"];
    case "undoing":
      return ["seed-undoing", "it is being made standalone again"];
    case "seeded":
      return ["seed-ready", "it is the seed of a cluster, and ready to be served"];
    case "cluster":
      return ["cluster-active", "it is a store of a cluster"];
    case "illegal":
      return ["contradictory", "MODE and the manifest contradict each other"];
  }
}

