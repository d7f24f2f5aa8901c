import type { ContentSum } from "../../core/bytes/content-hash.ts";
import type { Env } from "../../core/env/env.ts";
import { openReadOnlyEngine } from "../../core/engine/read-only.ts";
import { NokvError } from "../../core/errors.ts";
import type { SeedRegion } from "../mode/mode-file.ts";
import { type DirectoryState, refusalFor } from "../mode/openers.ts";
import { gather, type Gathered } from "./gather.ts";
import { lookAt } from "./look.ts";
import { pause } from "./pause.ts";
import type { Progress } from "./read-regions.ts";
import { seedRegions } from "./seed-plan.ts";

export interface PlanWish {
  readonly directory: string;
  readonly regions: number;
  readonly clusterId: string | null;
  readonly storeId: number | null;
  /** Regions that the topology names for the first day. */
  readonly topologyRegions: number;
}

/** What `init` would find and do. The same directory gives the same plan. */
export interface Plan {
  readonly directory: string;
  readonly mode: DirectoryState;
  readonly eligible: boolean;
  readonly blockers: readonly string[];
  readonly warnings: readonly string[];
  readonly content: ContentSum | null;
  readonly tables: number;
  readonly tableBytes: number;
  readonly valueFiles: number;
  readonly valueBytes: number;
  readonly logBytes: number;
  readonly regions: readonly SeedRegion[];
  /** What happens, in order, and what becomes durable by it. */
  readonly steps: readonly PlanStep[];
  readonly next: string;
}

export interface PlanStep {
  readonly name: string;
  readonly what: string;
  readonly durable: string;
}

/** Reads everything and changes nothing. Rejects with `NOKV_NOT_FOUND`, `NOKV_LOCKED`, `NOKV_IO`. */
export async function planMigration(env: Env, wish: PlanWish, progress: Progress): Promise<Plan> {
  const { directory } = wish;
  const { state, hasDatabase } = lookAt(env, directory);
  const blockers: string[] = [];
  const refusal = refusalFor("init", state);
  if (refusal !== null) blockers.push(refusal);
  if (!hasDatabase) blockers.push("there is no database here");
  if (wish.topologyRegions > 0) {
    blockers.push('the topology names first regions; a migrated cluster has those of its seed: write "regions": []');
  }
  const none = { content: null, tables: 0, tableBytes: 0, valueFiles: 0, valueBytes: 0, logBytes: 0, regions: [] };
  const found = hasDatabase ? await survey(env, wish, blockers, progress) : none;
  const warnings = warningsFor(wish, found.content);
  const eligible = blockers.length === 0;
  const steps = eligible && state === "standalone" ? initSteps(found.regions.length, found.logBytes) : [];
  return { directory, mode: state, eligible, blockers, warnings, ...found, steps, next: nextOf(wish, state, eligible) };
}

type Survey = Pick<
  Plan, "content" | "tables" | "tableBytes" | "valueFiles" | "valueBytes" | "logBytes" | "regions"
>;

// oxlint-disable-next-line max-params
async function survey(env: Env, wish: PlanWish, blockers: string[], progress: Progress): Promise<Survey> {
  const { engine } = await openReadOnlyEngine(env, wish.directory);
  const { tablesPerLevel, tableBytesPerLevel, valueFiles, valueBytes, memtableBytes } = engine.stats();
  const sizes = {
    tables: sum(tablesPerLevel), tableBytes: sum(tableBytesPerLevel), valueFiles, valueBytes,
    logBytes: memtableBytes,
  };
  const none = { ...sizes, content: null, regions: [] };
  let found: Gathered;
  try {
    found = await gather(engine, engine.snapshot(), progress, () => pause(env));
  } catch (error) {
    if (!(error instanceof NokvError)) throw error;
    await engine.close();
    blockers.push(`it can not be read: ${error.message}`);
    return none;
  }
  await engine.close();
  const { content, sampler, unfit, unfitCount } = found;
  blockers.push(...unfit);
  if (unfitCount > unfit.length) blockers.push(`and ${unfitCount - unfit.length} more entries like these`);
  return { ...sizes, content, regions: seedRegions(sampler.bounds(wish.regions)) };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function warningsFor(wish: PlanWish, content: ContentSum | null): readonly string[] {
  const warnings: string[] = [];
  if (content?.count === 0) warnings.push("the database is empty: an empty directory needs no migration");
  if (wish.clusterId === null || wish.storeId === null) {
    warnings.push("init needs to know whose store this becomes: --config or --cluster-id, and --store-id");
  }
  return warnings;
}

function initSteps(regions: number, logBytes: number): readonly PlanStep[] {
  const made = regions === 1 ? "1 region" : `${regions} regions`;
  return [
    { name: "I1", what: `flush ${logBytes} bytes of memory, read and hash everything`, durable: "tables" },
    { name: "I2", what: "close the directory to everybody else", durable: "MODE=preparing" },
    { name: "I3", what: "the same in the manifest", durable: "gate=preparing" },
    { name: "I4", what: `${made}, how far each has applied, and a record of this migration`, durable: "one batch" },
    { name: "I5", what: "whose directory it is, and where each region's log begins", durable: "raft log" },
    { name: "I6", what: "open it as a store in memory, read it through its regions, compare", durable: "nothing" },
    { name: "I7", what: "the seed is complete", durable: "gate=seeded, MODE=seeded" },
  ];
}

/** The command that comes next; "" where there is none. */
export function nextOf({ directory, storeId }: Pick<PlanWish, "directory" | "storeId">, state: DirectoryState,
  eligible: boolean): string {
  const store = storeId ?? "N";
  switch (state) {
    case "standalone":
      return eligible ? `nokv migrate init --workdir ${directory} --config FILE --store-id ${store}` : "";
    case "preparing":
      return `nokv migrate init --workdir ${directory}`;
    case "undoing":
    case "illegal":
      return `nokv migrate rollback --workdir ${directory}`;
    case "seeded":
    case "cluster":
      return `nokv serve --workdir ${directory} --config FILE --store-id ${store}`;
  }
}
