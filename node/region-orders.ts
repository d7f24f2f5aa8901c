import { compareKeys } from "../core/bytes/record.ts";
import { describeKey, isBeforeEnd } from "../raft/region.ts";
import { mergeProblem } from "../raft/store/merge-rules.ts";
import { type LedRegion, ledRegions, silentStores, type Survey, unknownRegion } from "./survey.ts";

/** What is wrong with an order, and what to do about it. */
export interface OrderProblem {
  readonly problem: string;
  readonly remedy: string;
}

export interface MergeOrder {
  readonly source: LedRegion;
  readonly target: LedRegion;
}

const lookRemedy = "nokv regions --config FILE shows them";

/**
 * Region `id` and its right neighbour, as their leaders have them, where nothing is known that speaks against merging
 * the one into the other. `into`: which one the operator takes for the neighbour; null: whichever it is.
 */
export function mergeOrderOf(survey: Survey, id: number, into: number | null): MergeOrder | OrderProblem {
  const source = ledOf(survey, id);
  if ("problem" in source) return source;
  const { region } = source;
  if (region.end.length === 0) {
    const problem = `region ${id} is the last one: it has no right neighbour`;
    return { problem, remedy: "a region goes into the one that begins where it ends: name its left neighbour" };
  }
  const target = ledRegions(survey).find((led) => compareKeys(led.region.start, region.end) === 0);
  if (target === undefined) {
    const where = describeKey(region.end, "-");
    return { problem: `nobody leads a region that begins at ${where}`, remedy: waitRemedy(survey) };
  }
  if (into !== null && into !== target.region.id) {
    const problem = `regions ${id} and ${into} are not neighbours: region ${target.region.id} follows region ${id}`;
    return { problem, remedy: lookRemedy };
  }
  for (const { storeId } of region.peers) {
    const said = survey.get(storeId);
    if (typeof said !== "string") continue;
    const remedy = "every replica has to stand still for a merge: start that store, or let it be replaced";
    return { problem: `store ${storeId} does not answer: ${said}`, remedy };
  }
  const problem = mergeProblem(region, target.region);
  if (problem === null) return { source, target };
  const remedy = "both need voters on the same stores: nokv migrate expand and remove-peer bring them together";
  return { problem, remedy };
}

/** Region `id` as its leader has it, where it can be divided at `key`. */
export function splitOrderOf(survey: Survey, id: number, key: Uint8Array): LedRegion | OrderProblem {
  const led = ledOf(survey, id);
  if ("problem" in led) return led;
  const { start, end } = led.region;
  if (compareKeys(start, key) < 0 && isBeforeEnd(key, end)) return led;
  const range = `from ${describeKey(start, "the first key")} to ${describeKey(end, "the last one")}`;
  const problem = `${describeKey(key, "the empty key")} does not lie inside region ${id}, which goes ${range}`;
  return { problem, remedy: lookRemedy };
}

function ledOf(survey: Survey, id: number): LedRegion | OrderProblem {
  const led = ledRegions(survey).find(({ region }) => region.id === id);
  if (led !== undefined) return led;
  const unknown = unknownRegion(survey, id);
  if (unknown !== null) return { problem: unknown, remedy: lookRemedy };
  return { problem: `nobody leads region ${id}`, remedy: waitRemedy(survey) };
}

function waitRemedy(survey: Survey): string {
  const silent = silentStores(survey);
  return silent.length === 0 ? "try again when its stores have elected somebody" : silent.join("; ");
}
