import type { Context } from "../command.ts";
import { Pool } from "./pool.ts";
import { Progress } from "./progress.ts";
import type { WorkerOrder } from "./protocol.ts";
import { type BatchSummary, Tally } from "./tally.ts";

export interface BatchPlan {
  readonly worker: URL;
  /** Null: each seed picks. */
  readonly scenario: string | null;
  readonly from: number;
  /** Null: until the time is up. */
  readonly seeds: number | null;
  readonly limitMs: number | null;
  readonly jobs: number;
  /** 0: no seed is run twice. */
  readonly twiceEvery: number;
  readonly failuresMax: number;
  readonly seedWallMsMax: number;
}

export interface BatchOutcome {
  readonly summary: BatchSummary;
  readonly interrupted: boolean;
  /** It ended early because so many seeds failed. */
  readonly gaveUp: boolean;
}

/** Runs a batch in child processes, with a progress line on the terminal's stderr. */
export async function runBatch(plan: BatchPlan, { terminal, onInterrupt }: Context): Promise<BatchOutcome> {
  const startMs = performance.now();
  const nowMs = (): number => performance.now() - startMs;
  const tally = new Tally(plan.from, plan.scenario);
  const progress = new Progress(terminal);
  const pool = new Pool({
    worker: plan.worker,
    jobs: plan.jobs,
    next: orders(plan, nowMs),
    seedWallMsMax: plan.seedWallMsMax,
    nowMs,
    onReport: (report) => {
      tally.add(report);
      if (tally.failedCount >= plan.failuresMax) pool.stop();
      progress.update({
        seeds: tally.seeds,
        total: plan.seeds,
        faults: tally.faultCount,
        failed: tally.failedCount,
        elapsedMs: nowMs(),
        limitMs: plan.limitMs,
      });
    },
  });
  let interrupted = false;
  const ignore = onInterrupt(() => {
    interrupted = true;
    pool.stop();
  });
  await pool.run();
  ignore();
  progress.end();
  const gaveUp = tally.failedCount >= plan.failuresMax;
  return { summary: tally.summary({ wallMs: nowMs(), cpuMs: pool.cpuMs }), interrupted, gaveUp };
}

function orders(plan: BatchPlan, nowMs: () => number): () => WorkerOrder | null {
  let index = 0;
  return () => {
    if (plan.seeds !== null && index >= plan.seeds) return null;
    if (plan.limitMs !== null && nowMs() >= plan.limitMs) return null;
    const twice = plan.twiceEvery > 0 && index % plan.twiceEvery === 0;
    return { seed: plan.from + index++, scenario: plan.scenario, twice };
  };
}
