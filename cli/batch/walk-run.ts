import { runInMacrotask } from "../../host/settle.ts";
import { type Walk, type WalkStop, type WalkSurvey, WalkTally, stopText } from "../../scenarios/migrate-walk.ts";
import type { Scenario } from "../../sim/scenario.ts";
import type { SimResult, Simulator } from "../../sim/simulate.ts";
import type { World } from "../../sim/world.ts";

/** A stop at which something was wrong. */
export interface WalkFailure {
  readonly stop: string;
  readonly oracle: string;
  readonly message: string;
  readonly story: readonly string[];
}

/** What a walk, or a part of it, came to. Plain JSON. */
export interface WalkReport {
  readonly walk: string;
  readonly seed: number;
  /** What was walked. */
  readonly story: string;
  /** Of the whole walk. */
  readonly stops: number;
  readonly walked: number;
  readonly images: number;
  readonly distinctImages: number;
  readonly resumes: Readonly<Record<string, number>>;
  readonly readings: Readonly<Record<string, number>>;
  readonly failures: readonly WalkFailure[];
  readonly cpuSeconds: number;
  /** Somebody ended it, or there were too many failures. */
  readonly isCut: boolean;
}

export interface WalkOrder {
  readonly walk: Walk;
  readonly seed: number;
  /** Which of all stops. */
  readonly choose: (stops: readonly WalkStop[]) => readonly WalkStop[];
  readonly failuresMax: number;
  readonly isOver: () => boolean;
  /** After each stop. */
  readonly progress: (walked: number, of: number, failures: number) => void;
  readonly cpuSeconds: () => number;
}

/** Walks, one simulation per stop. Rejects where the way without an interruption fails already. */
export async function runWalk(simulator: Simulator, order: WalkOrder): Promise<WalkReport> {
  const { walk, seed, choose, failuresMax, isOver, progress, cpuSeconds } = order;
  const beganAt = cpuSeconds();
  const survey = await surveyOf(simulator, walk, seed);
  const chosen = choose(survey.stops);
  const tally = new WalkTally();
  const failures: WalkFailure[] = [];
  let walked = 0;
  for (const stop of chosen) {
    if (isOver() || failures.length >= failuresMax) break;
    const result = await simulated(simulator, walk, seed, (world) => walk.stopAt(world, stop, tally));
    walked++;
    if (result.verdict === "violation") failures.push(failureAt(stop, result));
    progress(walked, chosen.length, failures.length);
  }
  return {
    walk: walk.name, seed, story: survey.story, stops: survey.stops.length, walked, images: tally.images,
    distinctImages: tally.distinct, resumes: Object.fromEntries(tally.resumes),
    readings: Object.fromEntries(tally.readings), failures,
    cpuSeconds: Math.round((cpuSeconds() - beganAt) * 10) / 10, isCut: walked < chosen.length,
  };
}

async function surveyOf(simulator: Simulator, walk: Walk, seed: number): Promise<WalkSurvey> {
  let survey: WalkSurvey | null = null;
  const result = await simulated(simulator, walk, seed, async (world) => {
    survey = await walk.survey(world);
  });
  if (survey !== null) return survey;
  throw new Error(`${walk.name}, seed ${seed}, without an interruption: ${result.oracle}: ${result.message}`);
}

// oxlint-disable-next-line max-params
function simulated(
  simulator: Simulator,
  { name, why }: Walk,
  seed: number,
  run: (world: World) => Promise<void>,
): Promise<SimResult> {
  const scenario: Scenario = { name, why, weight: 1, run };
  return runInMacrotask(() => simulator(scenario, seed, {}));
}

function failureAt(stop: WalkStop, { oracle, message, story }: SimResult): WalkFailure {
  return { stop: stopText(stop), oracle: oracle ?? "", message: message ?? "", story };
}
