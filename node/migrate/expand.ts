import { NokvError } from "../../core/errors.ts";
import { type RegionMeta, peerOnStore } from "../../raft/region.ts";
import { type LedRegion, ledProblem, ledRegions, silentStores, unknownRegion } from "../survey.ts";
import { sleep } from "./content-check.ts";
import { type ExpandWish, votersProblem } from "./expand-step.ts";
import { Patience } from "./patience.ts";
import { type ExpandedRegion, type ExpandReach, type ExpandWorld, RegionExpansion } from "./region-expansion.ts";

export interface ExpandOrder extends ExpandWish {
  /** Null: all of them. */
  readonly regionId: number | null;
}

/**
 * Brings a voter of every region that is asked for to every store of the wish: learners first, their content compared,
 * one change of the voters. Whatever is there already is left as it is, so it may be called again after any end.
 *
 * Rejects with `NokvError`: NOKV_INVALID_ARGUMENT what cannot be; NOKV_BUSY when nothing moves any more (the message
 * says what it waits for); NOKV_CORRUPTION when a replica is not what its leader is, and then nothing was promoted.
 */
export async function expand(world: ExpandWorld, order: ExpandOrder): Promise<ExpandedRegion[]> {
  const expanded = new Map<number, ExpandedRegion>();
  for (;;) {
    const regions = await findRegions(world, order);
    for (const { region } of regions) {
      const problem = votersProblem(region, order);
      if (problem !== null) throw new NokvError("NOKV_INVALID_ARGUMENT", problem);
    }
    // Regions are divided while others are expanded: their children come with the peers that they had then.
    const open = regions.filter(({ region }) => !expanded.has(region.id) || !hasVoters(region, order));
    if (open.length === 0) return regions.flatMap(({ region }) => expanded.get(region.id) ?? []);
    for (const { region } of open) {
      const told = await new RegionExpansion(world, order, region.id).run();
      if (told !== null) expanded.set(region.id, told);
    }
  }
}

function hasVoters(region: RegionMeta, { stores }: ExpandWish): boolean {
  return stores.every((storeId) => peerOnStore(region, storeId)?.role === "voter");
}

/** The regions that are asked for, once somebody leads each of them. */
export async function findRegions(
  { env, admin, pace, report }: ExpandReach,
  { regionId, stores }: Pick<ExpandOrder, "regionId" | "stores">,
): Promise<LedRegion[]> {
  const patience = new Patience(env.clock, pace.stallMs, (text) => report({ kind: "wait", text }));
  for (;;) {
    const survey = await admin.survey(stores);
    const regions = ledRegions(survey);
    const problem = ledProblem(regions);
    const chosen = regionId === null ? regions : regions.filter(({ region }) => region.id === regionId);
    if (chosen.length > 0 && (problem === null || regionId !== null)) return chosen;
    const unknown = regionId === null ? null : unknownRegion(survey, regionId);
    if (unknown !== null) throw new NokvError("NOKV_INVALID_ARGUMENT", unknown);
    const what = regionId !== null ? `nobody leads region ${regionId}` : (problem ?? "there are no regions");
    patience.wait([what, ...silentStores(survey)].join("; "));
    await sleep(env.clock, pace.pollMs);
  }
}
